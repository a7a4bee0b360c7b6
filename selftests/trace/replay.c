/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replays a trace through the engine and compares what comes out with what the trace expects.
 * A trace is one JSON object a line; its words are in README.md. Time comes from the trace alone. */
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "selftests/trace/replay.h"

#define LINE_MAX_BYTES  4096
#define WALL_START_US   UINT64_C(1764000000000000) /* any time will do, but always the same */
#define ANSWER_DELAY_NS (20 * NS_PER_MS)           /* inspectors and executor of a trace */
#define TICK_NS         (100 * NS_PER_MS)
#define START_NS        (1000 * NS_PER_S) /* a trace's 0 on CLOCK_BOOTTIME */

static const struct param_spec unit_params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT },
	{ .name = NULL },
};
static const struct param_spec quota_params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT },
	{ .name = "quota_pct", .type = PARAM_TYPE_INTEGER, .min = 1, .max = 1000 },
	{ .name = PARAM_DURATION,
	  .type = PARAM_TYPE_SPAN,
	  .min = 1,
	  .max = INT64_C(86400000000000),
	  .default_text = "60s" },
	{ .name = NULL },
};
static const struct action_info actions[] = {
	{ .name = "unit.start",
	  .summary = "",
	  .params = unit_params,
	  .target = "unit",
	  .risk = RISK_REVERSIBLE,
	  .undo = "takes it back",
	  .idempotent = true,
	  .timeout_ms = 90000 },
	{ .name = "unit.restart",
	  .summary = "",
	  .params = unit_params,
	  .target = "unit",
	  .risk = RISK_DISRUPTIVE,
	  .idempotent = true,
	  .timeout_ms = 90000 },
	{ .name = "unit.set_cpu_quota",
	  .summary = "",
	  .params = quota_params,
	  .target = "unit",
	  .risk = RISK_REVERSIBLE,
	  .undo = "takes it back",
	  .idempotent = true,
	  .timeout_ms = 30000 },
	{ .name = NULL },
};

static uint64_t wall(const struct replay *x)
{
	return WALL_START_US + x->now_ns / NS_PER_US;
}

void replay_complain(struct replay *x, const char *format, ...)
{
	va_list ap;

	x->n_faults++;
	printf("     %s:%u: at %.2f s: ", x->file, x->line, (double)(x->now_ns - START_NS) / 1e9);
	va_start(ap, format);
	(void)vprintf(format, ap);
	va_end(ap);
	(void)putchar('\n');
}

const char *replay_text(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : "";
}

double replay_number(struct json_object *o, const char *key, double fallback)
{
	struct json_object *v = NULL;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_double(v) : fallback;
}

static struct entity parse_entity(struct replay *x, struct json_object *o)
{
	struct entity e = entity_make(ENTITY_KIND_HOST, "");
	struct err err = { 0 };

	if (replay_text(o, "of")[0] && entity_parse(replay_text(o, "of"), &e, &err) < 0)
		replay_complain(x, "%s", err_text(&err));
	return e;
}

static enum source source_of(const char *signal)
{
	if (strncmp(signal, "endpoint.", 9) == 0)
		return SOURCE_HTTP;
	if (strstr(signal, "pressure"))
		return SOURCE_PSI;
	if (strstr(signal, "_event") || strstr(signal, "runq"))
		return SOURCE_BPF;
	return strstr(signal, "active") || strstr(signal, "failed") ? SOURCE_SYSTEMD :
								      SOURCE_CGROUP;
}

static void feed_sample(struct replay *x, const struct series *s)
{
	struct sample sample = { .entity = s->entity, .t_ns = x->now_ns, .value = s->value };

	(void)str_copy(sample.signal, sizeof(sample.signal), s->signal);
	sample.source = source_of(s->signal);
	sample.provenance = sample.source == SOURCE_HTTP    ? PROVENANCE_PROBE :
			    sample.source == SOURCE_SYSTEMD ? PROVENANCE_SYSTEM :
							      PROVENANCE_KERNEL;
	engine_sample(x->engine, &sample, wall(x));
}

/* A value; with "every_s" it goes on until another line says otherwise. */
static void on_sample(struct replay *x, struct json_object *o)
{
	const char *signal = replay_text(o, "sample");
	struct entity entity = parse_entity(x, o);
	struct series *s = NULL, once = { 0 };
	double every_s = replay_number(o, "every_s", 0);

	for (unsigned i = 0; i < x->n_series && !s; i++)
		if (str_equal(x->series[i].signal, signal) &&
		    entity_equal(&x->series[i].entity, &entity))
			s = &x->series[i];
	if (!s && every_s > 0 && x->n_series < SERIES_MAX)
		s = &x->series[x->n_series++];
	if (!s)
		s = &once;
	(void)str_copy(s->signal, sizeof(s->signal), signal);
	s->entity = entity;
	s->value = replay_number(o, "value", 0);
	s->every_ns = every_s > 0 ? (uint64_t)(every_s * 1e9) : s->every_ns;
	if (json_object_object_get_ex(o, "stop", NULL))
		s->every_ns = 0;
	else
		feed_sample(x, s);
	s->due_ns = x->now_ns + s->every_ns;
}

static void fill_facts(struct evidence *e, struct json_object *facts)
{
	json_object_object_foreach(facts, name, value) {
		if (json_object_is_type(value, json_type_string))
			(void)evidence_add_text(e, name, json_object_get_string(value));
		else
			(void)evidence_add_number(e, name, json_object_get_double(value));
	}
}

/* What an inspector will say from now on; a second line with "more" adds an item. */
static void on_evidence(struct replay *x, struct json_object *o)
{
	struct json_object *facts = NULL;
	struct script *s = NULL;
	struct entity entity = parse_entity(x, o);
	int source = source_from_string(replay_text(o, "source"));
	int provenance = provenance_from_string(replay_text(o, "provenance"));

	for (unsigned i = 0; i < x->n_scripts && !s; i++)
		if (str_equal(x->scripts[i].evidence.inspector, replay_text(o, "evidence")) &&
		    entity_equal(&x->scripts[i].entity, &entity) &&
		    !json_object_object_get_ex(o, "more", NULL))
			s = &x->scripts[i];
	if (!s && x->n_scripts < SCRIPTS_MAX)
		s = &x->scripts[x->n_scripts++];
	if (!s || source < 0 || provenance < 0) {
		replay_complain(x, "no such source or provenance, or too many answers");
		return;
	}
	memset(s, 0, sizeof(*s));
	s->entity = entity;
	s->silent = json_object_object_get_ex(o, "silent", NULL);
	s->delay_ns = (uint64_t)(replay_number(o, "delay_s", 0) * 1e9);
	s->evidence.source = (enum source)source;
	s->evidence.provenance = (enum provenance)provenance;
	(void)str_copy(s->evidence.inspector, RULE_NAME_MAX, replay_text(o, "evidence"));
	(void)str_copy(s->evidence.text, RECORD_TEXT_MAX, replay_text(o, "text"));
	if (json_object_object_get_ex(o, "facts", &facts))
		fill_facts(&s->evidence, facts);
}

static void answer_inspect(struct replay *x, const struct inspect *q)
{
	struct inspect_item item = { .id = q->id };
	struct inspect_done done = { .id = q->id, .r = -EOPNOTSUPP };

	for (unsigned i = 0; i < x->n_scripts; i++) {
		const struct script *s = &x->scripts[i];

		if (!str_equal(s->evidence.inspector, q->inspector) ||
		    !entity_equal(&s->entity, &q->entity))
			continue;
		if (s->silent)
			return;
		done.r = 0;
		item.evidence = s->evidence;
		engine_evidence(x->engine, &item, x->now_ns, wall(x));
	}
	engine_inspected(x->engine, &done, x->now_ns, wall(x));
}

static void send_update(struct replay *x, const char *key, enum attempt_phase phase)
{
	struct attempt_update u = { 0 };
	struct attempt *a = &u.attempt;

	(void)str_copy(a->key, sizeof(a->key), key);
	(void)str_copy(a->action, sizeof(a->action), x->last.plan.step.action);
	a->phase = phase;
	a->error = phase == ATTEMPT_PHASE_FAILED ? x->error : 0;
	a->revertible = str_equal(a->action, "unit.set_cpu_quota");
	(void)str_copy(u.decision.by, sizeof(u.decision.by), x->denied_by);
	(void)str_copy(u.decision.text, sizeof(u.decision.text), "by the trace");
	(void)str_copy(a->text, sizeof(a->text), x->said);
	engine_attempt(x->engine, &u, x->now_ns, wall(x));
}

/* The executor of the trace: the phases it goes through after a proposal. */
static void answer_executor(struct replay *x, const struct command *c)
{
	if (c->kind == COMMAND_REVERT) {
		if (!x->executor_is_away)
			send_update(x, c->revert.key,
				    x->phase == ATTEMPT_PHASE_WAITING ? ATTEMPT_PHASE_DENIED :
									ATTEMPT_PHASE_REVERTED);
		return;
	}
	if (c->kind == COMMAND_QUERY) {
		x->error = str_equal(x->taken, c->query.key) ? x->error : -ENOENT;
		if (!x->executor_is_away)
			send_update(x, c->query.key,
				    str_equal(x->taken, c->query.key) ? x->phase :
									ATTEMPT_PHASE_FAILED);
		return;
	}
	if (x->executor_is_away)
		return;
	(void)str_copy(x->taken, sizeof(x->taken), c->proposal.key);
	for (unsigned i = 0; i < x->n_phases; i++) {
		x->phase = x->phases[i];
		send_update(x, c->proposal.key, x->phases[i]);
	}
}

static void on_executor(struct replay *x, struct json_object *o)
{
	struct json_object *list = NULL;

	x->executor_is_away = json_object_object_get_ex(o, "away", NULL);
	x->error = (int)replay_number(o, "error", 0);
	(void)str_copy(x->denied_by, sizeof(x->denied_by), replay_text(o, "by"));
	json_object_object_get_ex(o, "executor", &list);
	x->n_phases = 0;
	for (size_t i = 0; list && i < json_object_array_length(list) && x->n_phases < PHASES_MAX;
	     i++) {
		int p = attempt_phase_from_string(
			json_object_get_string(json_object_array_get_idx(list, i)));

		if (p < 0)
			replay_complain(x, "no such phase");
		else
			x->phases[x->n_phases++] = (enum attempt_phase)p;
	}
}

/* The executor says something by itself: somebody approved, denied, or it ended. */
static void on_attempt(struct replay *x, struct json_object *o)
{
	int p = attempt_phase_from_string(replay_text(o, "attempt"));

	if (p < 0) {
		replay_complain(x, "no such phase");
		return;
	}
	x->phase = (enum attempt_phase)p;
	(void)str_copy(x->said, sizeof(x->said), replay_text(o, "text"));
	if (!json_object_object_get_ex(o, "unheard", NULL))
		send_update(x, x->last.key, x->phase);
}

static void configure(struct replay *x, struct engine_config *config)
{
	*config = (struct engine_config){
		.services = &x->services,
		.alerts = &x->alerts,
		.runbooks = &x->runbooks,
		.actions = actions,
		.mode = x->mode,
		.boot_grace_ns = x->boot_grace_ns,
	};
}

static void on_restart(struct replay *x)
{
	static uint8_t saved[ENGINE_SAVE_MAX];
	ssize_t size = engine_save(x->engine, saved, sizeof(saved));
	struct engine_config config;
	struct err err = { 0 };

	x->engine = engine_free(x->engine);
	configure(x, &config);
	if (size < 0 || engine_new(&config, &x->engine, &err) < 0 ||
	    engine_restore(x->engine, saved, (size_t)size, x->now_ns, &err) < 0)
		replay_complain(x, "restart: %s", err_text(&err));
	x->n_pending = 0; /* what the old one had asked, nobody waits for */
}

static void on_line(struct replay *x, struct json_object *o)
{
	if (json_object_object_get_ex(o, "sample", NULL))
		on_sample(x, o);
	else if (json_object_object_get_ex(o, "evidence", NULL))
		on_evidence(x, o);
	else if (json_object_object_get_ex(o, "executor", NULL))
		on_executor(x, o);
	else if (json_object_object_get_ex(o, "attempt", NULL))
		on_attempt(x, o);
	else if (json_object_object_get_ex(o, "restart", NULL))
		on_restart(x);
	else if (json_object_object_get_ex(o, "react", NULL))
		x->react = json_object_get(json_object_object_get(o, "react"));
	else if (json_object_object_get_ex(o, "expect", NULL))
		replay_expect(x, o);
	else if (!json_object_object_get_ex(o, "title", NULL))
		replay_complain(x, "this line says nothing");
}

static void take_record(struct replay *x, const struct record *r)
{
	if (x->verbose && r->kind == RECORD_KIND_NARRATIVE)
		printf("     %7.2f %s\n", (double)(x->now_ns - START_NS) / 1e9, r->narrative.text);
	if (r->kind == RECORD_KIND_NARRATIVE && x->n_narratives < NARRATIVES_MAX)
		(void)str_copy(x->narratives[x->n_narratives++], sizeof(x->narratives[0]),
			       r->narrative.text);
	if (r->kind == RECORD_KIND_INCIDENT)
		x->incident = r->incident;
	if (r->kind == RECORD_KIND_INCIDENT)
		x->states |= 1u << (unsigned)r->incident.state;
	if (r->kind == RECORD_KIND_INCIDENT && r->id == r->incident_id)
		x->n_incidents++;
	if (r->kind == RECORD_KIND_INCIDENT && r->incident.state == INCIDENT_STATE_RESOLVED)
		x->n_resolved++;
}

static void take_proposal(struct replay *x, const struct proposal *p)
{
	char params[512];

	x->last = *p;
	if (p->n_sources < 2 || p->n_trusted < 1)
		replay_complain(x, "proposed on %u sources", p->n_sources);
	params_format(&p->plan.step.params, params, sizeof(params));
	if (x->n_proposals < PROPOSALS_MAX)
		(void)snprintf(x->proposals[x->n_proposals++], sizeof(x->proposals[0]), "%s %s",
			       p->plan.step.action, params);
}

/* The world answers an action: what "react" lists happens after each proposal. */
static void arm_reactions(struct replay *x)
{
	for (size_t i = 0; x->react && i < json_object_array_length(x->react) && i < REACTIONS_MAX;
	     i++)
		x->react_ns[i] = x->now_ns +
				 (uint64_t)(replay_number(json_object_array_get_idx(x->react, i),
							  "in_s", 0) *
					    1e9);
}

static void play_reactions(struct replay *x)
{
	for (size_t i = 0; i < REACTIONS_MAX; i++) {
		if (!x->react_ns[i] || x->react_ns[i] > x->now_ns)
			continue;
		x->react_ns[i] = 0;
		on_sample(x, json_object_array_get_idx(x->react, i));
	}
}

static uint64_t delay_of(const struct replay *x, const struct command *c)
{
	for (unsigned i = 0; c->kind == COMMAND_COLLECT && i < x->n_scripts; i++)
		if (str_equal(x->scripts[i].evidence.inspector, c->inspect.inspector) &&
		    entity_equal(&x->scripts[i].entity, &c->inspect.entity))
			return x->scripts[i].delay_ns;
	return 0;
}

static void drain(struct replay *x)
{
	struct command c;

	while (engine_next_command(x->engine, &c)) {
		if (c.kind == COMMAND_EMIT) {
			struct err err = { 0 };

			if (record_check(&c.record, &err) < 0)
				replay_complain(x, "bad record: %s", err_text(&err));
			take_record(x, &c.record);
			continue;
		}
		if (c.kind == COMMAND_PROPOSE)
			take_proposal(x, &c.proposal);
		if (c.kind == COMMAND_PROPOSE)
			arm_reactions(x);
		x->n_reverts += c.kind == COMMAND_REVERT;
		x->n_queries += c.kind == COMMAND_QUERY;
		if (x->n_pending == PENDING_MAX) {
			replay_complain(x, "too many commands at once");
			return;
		}
		x->pending[x->n_pending].due_ns = x->now_ns + ANSWER_DELAY_NS + delay_of(x, &c);
		x->pending[x->n_pending++].command = c;
	}
}

static void answer_pending(struct replay *x)
{
	for (unsigned i = 0; i < x->n_pending;) {
		struct command c = x->pending[i].command;

		if (x->pending[i].due_ns > x->now_ns) {
			i++;
			continue;
		}
		x->n_pending--;
		memmove(&x->pending[i], &x->pending[i + 1],
			(x->n_pending - i) * sizeof(x->pending[0]));
		if (c.kind == COMMAND_COLLECT)
			answer_inspect(x, &c.inspect);
		else
			answer_executor(x, &c);
		drain(x);
		i = 0;
	}
}

static void advance(struct replay *x, uint64_t to_ns)
{
	while (x->now_ns < to_ns) {
		x->now_ns += TICK_NS / 5;
		for (unsigned i = 0; i < x->n_series; i++)
			if (x->series[i].every_ns && x->series[i].due_ns <= x->now_ns) {
				x->series[i].due_ns += x->series[i].every_ns;
				feed_sample(x, &x->series[i]);
				drain(x);
			}
		play_reactions(x);
		answer_pending(x);
		if (engine_next_ns(x->engine) <= x->now_ns || x->now_ns % TICK_NS == 0)
			engine_tick(x->engine, x->now_ns, wall(x));
		drain(x);
	}
}

/* The first line says what the trace shows and, where it matters, the host's mode. */
static int start(struct replay *x, struct json_object *o)
{
	int mode = autonomy_from_string(replay_text(o, "mode"));
	struct engine_config config;
	struct err err = { 0 };

	x->mode = mode < 0 ? AUTONOMY_AUTO : (enum autonomy)mode;
	x->boot_grace_ns = START_NS + (uint64_t)(replay_number(o, "boot_grace_s", 0) * 1e9);
	configure(x, &config);
	if (!replay_text(o, "title")[0] || engine_new(&config, &x->engine, &err) < 0) {
		replay_complain(x, "no title first, or %s", err_text(&err));
		return -EINVAL;
	}
	return 0;
}

int replay_run(struct replay *x, const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char line[LINE_MAX_BYTES];

	x->file = path;
	x->now_ns = START_NS;
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		struct json_object *o;

		x->line++;
		if (line[0] == '#' || line[0] == '\n')
			continue;
		o = json_tokener_parse(line);
		if (!o) {
			replay_complain(x, "no JSON object");
			break;
		}
		if (!x->engine && start(x, o) < 0)
			break;
		advance(x, START_NS + (uint64_t)(replay_number(o, "t", 0) * 1e9));
		on_line(x, o);
		drain(x);
		(void)json_object_put(o);
	}
	x->engine = engine_free(x->engine);
	(void)json_object_put(x->react);
	return 0;
}
