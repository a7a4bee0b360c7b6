/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A diagnosis to a plan: the runbook's step with its blanks filled in, checked by the action's own specs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/message_id.h"
#include "engine/state.h"

static const struct action_info *find_action(const struct engine_config *config, const char *name)
{
	for (const struct action_info *a = config->actions; a && a->name; a++)
		if (str_equal(a->name, name))
			return a;
	return NULL;
}

static const char *fill_value(const char *value, const struct entity *entity,
			      const struct entity *root)
{
	if (str_equal(value, "$root"))
		return root->name;
	if (str_equal(value, "$entity"))
		return entity->name;
	return value;
}

static void describe_verify(const struct runbook_verify *v, const struct service *service,
			    char *buf, size_t size)
{
	bool no_endpoint = strncmp(v->expect.signal, "endpoint.", 9) == 0 &&
			   (!service || service->n_endpoints == 0);

	(void)snprintf(buf, size, "%s %s ", v->expect.signal,
		       v->expect.test == CLAUSE_TEST_ABOVE ? "above" : "below");
	if (no_endpoint) /* verify.c, effective() */
		(void)str_copy(buf, size, "it has no endpoint, so its processes live");
	else if (v->expect.bound == ALERT_BOUND_SERVICE_SLOW_MS)
		str_append(buf, size, "the endpoint's slow_ms");
	else
		str_append(buf, size, "%g", v->expect.number);
	str_append(buf, size, " for %u s, within %u s, and every alert clear", v->sustain_s,
		   v->within_s);
}

static void describe_undo(const struct action_info *action, const struct params *params,
			  const char *target, char *buf, size_t size)
{
	uint64_t span_ns = params_duration_ns(params);
	char span[CLOCK_SPAN_MAX];

	if (!action->undo)
		(void)str_copy(buf, size, "nothing to take back");
	else if (span_ns > 0)
		(void)snprintf(buf, size, "taken back after %s, or when '%.60s' no longer needs it",
			       clock_format_span(span_ns, span), target);
	else
		(void)str_copy(buf, size, "taken back if it does not help");
}

int plan_make(const struct engine_config *config, const struct runbook *r, uint32_t alternative,
	      const struct entity *entity, const struct entity *root, struct plan *ret,
	      struct err *reterr)
{
	const struct runbook_step *step = &r->plan[alternative];
	const struct action_info *action = find_action(config, step->action);
	struct param_text texts[PARAMS_MAX];
	int k;

	if (!action)
		return err_set(reterr, -ENOENT, "plan '%s': no action '%s' here", r->id,
			       step->action);
	for (uint32_t i = 0; i < step->n_params; i++)
		texts[i] = (struct param_text){ step->names[i],
						fill_value(step->values[i], entity, root) };
	memset(ret, 0, sizeof(*ret));
	k = params_parse(action->params, texts, step->n_params, &ret->step.params, reterr);
	if (k < 0)
		return err_wrap(reterr, k, "plan '%s'", r->id);
	(void)str_copy(ret->runbook, sizeof(ret->runbook), r->id);
	(void)str_copy(ret->step.action, sizeof(ret->step.action), action->name);
	ret->autonomy = r->autonomy;
	ret->risk = action->risk > r->risk ? action->risk : r->risk;
	ret->alternative = alternative;
	describe_verify(&r->verify, services_find_unit(config->services, entity->name),
			ret->verify_text, sizeof(ret->verify_text));
	describe_undo(action, &ret->step.params, root->name, ret->undo_text,
		      sizeof(ret->undo_text));
	return 0;
}

const char *plan_target(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->step.params.n && i < PARAMS_MAX; i++)
		if (str_equal(plan->step.params.v[i].name, "unit"))
			return plan->step.params.v[i].text;
	return "";
}

static void emit_plan(struct engine *e, struct slot *s, const struct guard *g)
{
	struct record *r = engine_emit(e, s, RECORD_KIND_PLAN);

	r->plan = s->plan;
	s->last_id = r->id;
	s->plan_id = r->id;
	r = engine_emit(e, s, RECORD_KIND_DECISION);
	r->decision.verdict = g->verdict == GUARD_GO  ? DECISION_ALLOW :
			      g->verdict == GUARD_ASK ? DECISION_SUGGEST :
							DECISION_DENY;
	(void)str_copy(r->decision.by, sizeof(r->decision.by), g->by);
	(void)str_copy(r->decision.text, sizeof(r->decision.text), g->text);
	s->last_id = r->id;
}

static void suggest(struct engine *e, struct slot *s, const struct guard *g)
{
	char subject[ENTITY_TEXT_MAX + RULE_NAME_MAX], line[RECORD_TEXT_MAX];
	char reason[RECORD_TEXT_MAX];

	narrate_plan(&s->plan, line, sizeof(line));
	(void)snprintf(reason, sizeof(reason), "%.80s; 'aiopsctl do %.400s' would help", g->text,
		       line);
	incident_escalate(e, s, NULL, reason);
	narrate(e, s, LOG_WARNING, MESSAGE_ID_ACTION_SUGGESTED,
		"%s: %s. If you agree: aiopsctl do %s",
		narrate_subject(s, subject, sizeof(subject)), g->text, line);
}

static void refuse(struct engine *e, struct slot *s, const struct guard *g)
{
	struct breaker *b;

	if (!str_equal(g->by, "breaker")) {
		incident_escalate(e, s, MESSAGE_ID_INCIDENT_ESCALATED, g->text);
		return;
	}
	b = learn_breaker(e, plan_target(&s->plan), s->plan.runbook);
	incident_escalate(e, s, b->told ? NULL : MESSAGE_ID_BREAKER_OPENED, g->text);
	b->told = true;
}

void plan_next(struct engine *e, struct slot *s)
{
	const struct runbook *r = runbooks_find(e->config.runbooks, s->incident.cause);
	struct guard g = { .verdict = GUARD_STOP, .text = "nothing is left to try" }, ask = g;
	struct plan asked = { .runbook = "" };
	struct err err = { 0 };

	if (r && r->n_plan == 0)
		(void)str_copy(g.text, sizeof(g.text), "its runbook knows no repair");

	for (; r && s->alternative < r->n_plan && s->alternative < ALTERNATIVES_MAX;
	     s->alternative++) {
		if (plan_make(&e->config, r, s->alternative, &s->entity, &s->root, &s->plan, &err) <
		    0) {
			(void)str_copy(g.text, sizeof(g.text), err_text(&err));
			continue;
		}
		g = guard_check(e, s, r, &s->plan);
		if (g.verdict == GUARD_WAIT) {
			guard_hold(e, s, &g);
			return;
		}
		emit_plan(e, s, &g);
		if (g.verdict == GUARD_GO) {
			execute_propose(e, s);
			verify_baseline(e, s, r);
			return;
		}
		if (g.verdict == GUARD_ASK && !asked.runbook[0]) {
			asked = s->plan;
			ask = g;
		}
	}
	if (asked.runbook[0]) {
		s->plan = asked;
		suggest(e, s, &ask);
	} else {
		refuse(e, s, &g);
	}
}
