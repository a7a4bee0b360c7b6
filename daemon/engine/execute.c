/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plan to an attempt: what the executor says moves the incident on. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/message_id.h"
#include "engine/state.h"

/* The executor answers a proposal in milliseconds; after these it is asked, then a person. Ours: over
 * its D-Bus deadline of 5 s. */
#define ANSWER_NS   (10 * NS_PER_S)
#define QUERIES_MAX 3

/* A waiting approval is asked after now and then; it ends by itself after policy's approval_s (15 min). */
#define WAITING_QUERY_NS (60 * NS_PER_S)

/* Nothing is started later than this after it was proposed: over approval_s of the policy's default. */
#define PROPOSAL_LIFE_NS (1200 * NS_PER_S)

/* A step may be killed and its end found out by the executor after its own timeout. Ours. */
#define STEP_SLACK_NS (10 * NS_PER_S)

/* The executor found it too early: its cooldown is 60 s by default, which eight of these outlast; a longer
 * one is asked after less often. Ours. */
#define TOO_EARLY_NS          (8 * NS_PER_S)
#define TOO_EARLY_MAX         8
#define TOO_EARLY_LATER_NS    (60 * NS_PER_S)
#define TOO_EARLY_PATIENCE_NS (900 * NS_PER_S)

/* Proposals that got lost on the way are sent again, with the same key. */
#define REPEATS_MAX 2

/* FNV-1a, 64 bit, and the finisher of splitmix64 so that near inputs differ everywhere.
 * Source: Fowler, Noll, Vo; Steele, Lea, Flood (OOPSLA 2014). */
static uint64_t mix(const char *text, uint64_t number)
{
	uint64_t h = UINT64_C(14695981039346656037) ^ number;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * UINT64_C(1099511628211);
	h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 31;
}

/* The same attempt always has the same key, so that proposing it twice does it once. */
static void make_key(struct slot *s)
{
	(void)snprintf(s->key, sizeof(s->key), "%016llx%016llx", (unsigned long long)s->id,
		       (unsigned long long)mix(s->plan.runbook,
					       (uint64_t)s->plan.alternative << 32 | s->sequence));
}

static uint64_t step_ns(const struct engine *e, const struct slot *s)
{
	for (const struct action_info *a = e->config.actions; a && a->name; a++)
		if (str_equal(a->name, s->plan.step.action))
			return a->timeout_ms * NS_PER_MS + STEP_SLACK_NS;
	return ANSWER_NS;
}

static void send_proposal(struct engine *e, const struct slot *s)
{
	struct command *c = engine_push(e, COMMAND_PROPOSE);
	struct proposal *p;

	if (!c)
		return; /* asked after in ANSWER_NS */
	p = &c->proposal;
	(void)str_copy(p->key, sizeof(p->key), s->key);
	p->incident_id = s->id;
	p->plan_id = s->plan_id;
	p->plan = s->plan;
	p->deadline_ns = s->proposed_ns + PROPOSAL_LIFE_NS;
	p->n_sources = p->n_trusted = s->n_sources; /* only trusted ones are counted */
	p->root = s->root;
}

static void send_query(struct engine *e, struct slot *s)
{
	struct command *c = engine_push(e, COMMAND_QUERY);

	if (c)
		(void)str_copy(c->query.key, sizeof(c->query.key), s->key);
	s->n_queries++;
}

void execute_propose(struct engine *e, struct slot *s)
{
	char line[RECORD_TEXT_MAX];

	s->sequence++;
	make_key(s);
	s->stage = STAGE_ACT;
	s->phase = ATTEMPT_PHASE_PROPOSED;
	s->acked = s->counted = s->withdrawing = false;
	s->n_queries = s->n_repeats = 0;
	if (s->n_denied == 0)
		s->hold_by[0] = '\0';
	s->proposed_ns = e->now_ns;
	s->healthy_since_ns = 0;
	s->answer_ns = ANSWER_NS;
	s->due_ns = e->now_ns + s->answer_ns;
	narrate_plan(&s->plan, line, sizeof(line));
	incident_set_state(e, s, INCIDENT_STATE_ACTING, "%s", line);
	send_proposal(e, s);
}

static void set_due(struct engine *e, struct slot *s, uint64_t answer_ns)
{
	s->answer_ns = answer_ns;
	s->due_ns = e->now_ns + answer_ns;
}

static void count_start(struct engine *e, struct slot *s)
{
	char subject[ENTITY_TEXT_MAX + RULE_NAME_MAX], line[RECORD_TEXT_MAX];

	if (s->counted)
		return;
	s->counted = true;
	s->n_denied = 0;
	narrate_plan(&s->plan, line, sizeof(line));
	narrate(e, s, LOG_NOTICE, MESSAGE_ID_ACTION_STARTED, "%s: doing %s. Proof: %s.",
		narrate_subject(s, subject, sizeof(subject)), line, s->plan.verify_text);
	if (!s->incident.acted_ns)
		s->incident.acted_ns = e->now_ns;
	learn_attempt(e, s);
}

/* Over, with nothing of it in force: the same again after its cooldown, until the breaker opens. */
static void try_again(struct engine *e, struct slot *s, const char *reason)
{
	s->key[0] = '\0';
	s->stage = STAGE_WAIT;
	s->due_ns = e->now_ns + NS_PER_S;
	s->alternative = 0;
	incident_set_state(e, s, INCIDENT_STATE_DIAGNOSED, "%s", reason);
}

static void on_waiting(struct engine *e, struct slot *s, const struct attempt_update *u)
{
	char subject[ENTITY_TEXT_MAX + RULE_NAME_MAX], line[RECORD_TEXT_MAX];

	set_due(e, s, WAITING_QUERY_NS);
	if (s->incident.state == INCIDENT_STATE_WAITING)
		return;
	narrate_plan(&s->plan, line, sizeof(line));
	incident_set_state(e, s, INCIDENT_STATE_WAITING, "for a person's approval of %.400s", line);
	narrate(e, s, LOG_WARNING, MESSAGE_ID_ACTION_WAITING,
		"%s: %s waits for a person (%.200s). Approve with: aiopsctl approve %s",
		narrate_subject(s, subject, sizeof(subject)), line,
		u->decision.text[0] ? u->decision.text : "the policy asks", s->key);
}

static void on_running(struct engine *e, struct slot *s, const struct attempt_update *u)
{
	(void)u;
	count_start(e, s);
	set_due(e, s, step_ns(e, s));
	if (s->incident.state != INCIDENT_STATE_ACTING)
		incident_set_state(e, s, INCIDENT_STATE_ACTING, "approved and under way");
}

static void on_done(struct engine *e, struct slot *s, const struct attempt_update *u)
{
	count_start(e, s);
	s->revertible = u->attempt.revertible;
	s->withdrawing = false;
	lease_add(e, s);
	verify_start(e, s);
}

static void on_failed(struct engine *e, struct slot *s, const struct attempt_update *u)
{
	char subject[ENTITY_TEXT_MAX + RULE_NAME_MAX], text[RECORD_TEXT_MAX],
		reason[RECORD_TEXT_MAX];

	/* It never knew the proposal: that was lost, so it is sent again under its old name. */
	if (!s->acked && u->attempt.error == -ENOENT && s->n_repeats < REPEATS_MAX) {
		s->n_repeats++;
		set_due(e, s, ANSWER_NS);
		send_proposal(e, s);
		return;
	}
	count_start(e, s);
	learn_verdict(e, s, VERDICT_UNCHANGED);
	(void)str_escape(text, sizeof(text), u->attempt.text);
	(void)snprintf(reason, sizeof(reason), "%s failed: %.400s", s->plan.step.action, text);
	/* A restart that failed may have stopped what ran: only what can be undone has been. */
	narrate(e, s, LOG_WARNING, MESSAGE_ID_ACTION_FAILED, "%s: %s.%s",
		narrate_subject(s, subject, sizeof(subject)), reason,
		u->attempt.revertible ? " Nothing of it is left." : "");
	try_again(e, s, reason);
}

static bool is_only_too_early(const struct decision *d)
{
	return str_equal(d->by, "cooldown") || str_equal(d->by, "busy") || str_equal(d->by, "rate");
}

/* How long its cooldown still lasts only the executor knows. */
static void wait_for_executor(struct engine *e, struct slot *s, const char *why)
{
	uint64_t again_ns = s->n_denied < TOO_EARLY_MAX ? TOO_EARLY_NS : TOO_EARLY_LATER_NS;
	struct guard g = { .verdict = GUARD_WAIT,
			   .until_ns = e->now_ns + again_ns,
			   .patience_ns = TOO_EARLY_PATIENCE_NS };

	s->n_denied++;
	incident_set_state(e, s, INCIDENT_STATE_DIAGNOSED, "waiting: %s", why);
	s->key[0] = '\0';
	(void)str_copy(g.by, sizeof(g.by), "executor");
	(void)str_copy(g.text, sizeof(g.text), why);
	if (!str_equal(s->hold_by, g.by)) {
		(void)str_copy(s->hold_by, sizeof(s->hold_by), g.by);
		s->hold_since_ns = e->now_ns;
	}
	guard_hold(e, s, &g);
}

static void on_denied(struct engine *e, struct slot *s, const struct attempt_update *u)
{
	char subject[ENTITY_TEXT_MAX + RULE_NAME_MAX], line[RECORD_TEXT_MAX];
	char why[RECORD_TEXT_MAX], reason[RECORD_TEXT_MAX];
	const char *text = u->decision.text[0] ? u->decision.text : u->attempt.text;

	(void)str_escape(why, sizeof(why), text[0] ? text : "denied");
	if (is_only_too_early(&u->decision)) {
		wait_for_executor(e, s, why);
		return;
	}
	narrate_plan(&s->plan, line, sizeof(line));
	(void)snprintf(reason, sizeof(reason), "denied: %.200s; 'aiopsctl do %.250s' would help",
		       why, line);
	incident_escalate(e, s, NULL, reason);
	narrate(e, s, LOG_WARNING,
		u->decision.verdict == DECISION_SUGGEST ? MESSAGE_ID_ACTION_SUGGESTED :
							  MESSAGE_ID_ACTION_DENIED,
		"%s: %s was not done: %s. If you agree: aiopsctl do %s",
		narrate_subject(s, subject, sizeof(subject)), s->plan.step.action, why, line);
}

static void on_unknown(struct engine *e, struct slot *s, const struct attempt_update *u)
{
	char text[RECORD_TEXT_MAX], reason[RECORD_TEXT_MAX];

	count_start(e, s);
	learn_verdict(e, s, VERDICT_INCONCLUSIVE);
	(void)str_escape(text, sizeof(text), u->attempt.text);
	(void)snprintf(reason, sizeof(reason),
		       "whether %s took effect cannot be told, so it is not repeated: %.300s",
		       s->plan.step.action, text);
	incident_escalate(e, s, MESSAGE_ID_ACTION_UNKNOWN, reason);
}

/* What a phase means while an attempt is under way. */
static void (*const on_phase[_ATTEMPT_PHASE_MAX])(struct engine *, struct slot *,
						  const struct attempt_update *) = {
	[ATTEMPT_PHASE_WAITING] = on_waiting,  [ATTEMPT_PHASE_STARTING] = on_running,
	[ATTEMPT_PHASE_CLAIMED] = on_running,  [ATTEMPT_PHASE_CHECKED] = on_running,
	[ATTEMPT_PHASE_SNAPSHOT] = on_running, [ATTEMPT_PHASE_APPLIED] = on_running,
	[ATTEMPT_PHASE_DONE] = on_done,        [ATTEMPT_PHASE_FAILED] = on_failed,
	[ATTEMPT_PHASE_REVERTED] = on_failed,  [ATTEMPT_PHASE_DENIED] = on_denied,
	[ATTEMPT_PHASE_UNKNOWN] = on_unknown,
};

void execute_revert(struct engine *e, struct slot *s, const char *reason)
{
	struct command *c = engine_push(e, COMMAND_REVERT);

	s->stage = STAGE_REVERT;
	s->n_queries = 0;
	set_due(e, s, s->withdrawing ? ANSWER_NS : step_ns(e, s));
	(void)str_copy(s->after_revert, sizeof(s->after_revert), reason);
	incident_set_state(e, s, INCIDENT_STATE_REVERTING, "%s", reason);
	if (!c)
		return; /* asked after when due, and sent again then */
	(void)str_copy(c->revert.key, sizeof(c->revert.key), s->key);
	(void)str_copy(c->revert.reason, sizeof(c->revert.reason), reason);
}

static void withdrawn(struct engine *e, struct slot *s)
{
	char subject[ENTITY_TEXT_MAX + RULE_NAME_MAX];

	s->incident.healed_ns = e->now_ns;
	narrate(e, s, LOG_NOTICE, MESSAGE_ID_INCIDENT_CLEARED,
		"%s: all its alerts are clear again; what waited for approval was withdrawn.",
		narrate_subject(s, subject, sizeof(subject)));
	incident_close(e, s, INCIDENT_STATE_CLEARED, "all alerts cleared without an action");
}

static void not_reverted(struct engine *e, struct slot *s, const char *why)
{
	char text[RECORD_TEXT_MAX], reason[RECORD_TEXT_MAX];

	(void)str_escape(text, sizeof(text), why);
	(void)snprintf(reason, sizeof(reason), "%s could not be taken back: %.350s",
		       s->plan.step.action, text);
	incident_escalate(e, s, MESSAGE_ID_ACTION_NOT_REVERTED, reason);
}

static void reverted(struct engine *e, struct slot *s)
{
	char subject[ENTITY_TEXT_MAX + RULE_NAME_MAX];

	lease_drop(e, s->key);
	narrate(e, s, LOG_NOTICE, MESSAGE_ID_ACTION_REVERTED, "%s: %s was taken back: %s.",
		narrate_subject(s, subject, sizeof(subject)), s->plan.step.action, s->after_revert);
	s->key[0] = '\0';
	s->alternative++;
	plan_next(e, s);
}

/* While a revert is under way only its end counts. */
static void on_revert(struct engine *e, struct slot *s, const struct attempt_update *u)
{
	enum attempt_phase phase = u->attempt.phase;

	if (s->withdrawing) {
		if (phase == ATTEMPT_PHASE_DONE || phase == ATTEMPT_PHASE_UNKNOWN)
			on_phase[phase](e, s, u); /* somebody approved a moment before */
		else if (attempt_phase_is_final(phase))
			withdrawn(e, s);
		return;
	}
	if (phase == ATTEMPT_PHASE_REVERTED)
		reverted(e, s);
	else if (phase == ATTEMPT_PHASE_FAILED || phase == ATTEMPT_PHASE_UNKNOWN ||
		 phase == ATTEMPT_PHASE_DENIED || u->attempt.error < 0)
		not_reverted(e, s, u->attempt.text);
}

/* The executor's decision, where it matters, and the phase. */
static void emit_attempt(struct engine *e, struct slot *s, const struct attempt_update *u)
{
	bool decided = u->attempt.phase == ATTEMPT_PHASE_WAITING ||
		       u->attempt.phase == ATTEMPT_PHASE_DENIED;
	struct record *r;

	if (decided) {
		r = engine_emit(e, s, RECORD_KIND_DECISION);
		r->decision = u->decision;
		s->last_id = r->id;
	}
	r = engine_emit(e, s, RECORD_KIND_ATTEMPT);
	r->attempt = u->attempt;
	if (!r->attempt.action[0]) /* it knows the key only */
		(void)str_copy(r->attempt.action, sizeof(r->attempt.action), s->plan.step.action);
	s->last_id = r->id;
}

/* An executor that starts anew finds the step where it stood last, not where it is: a phase behind the one
 * that was told is a sign of life and no more. */
static bool is_old_news(const struct slot *s, enum attempt_phase phase)
{
	return s->stage == STAGE_ACT && s->phase > ATTEMPT_PHASE_WAITING && phase < s->phase &&
	       !attempt_phase_is_final(phase);
}

void execute_update(struct engine *e, struct slot *s, const struct attempt_update *u)
{
	enum attempt_phase phase = u->attempt.phase;

	if ((unsigned)phase >= _ATTEMPT_PHASE_MAX)
		return;
	if (is_old_news(s, phase)) {
		set_due(e, s, step_ns(e, s));
		return;
	}
	if (phase != s->phase || u->attempt.error < 0)
		emit_attempt(e, s, u);
	if (s->stage == STAGE_REVERT) {
		on_revert(e, s, u); /* that it is still done is no answer: queries stay counted */
		return;
	}
	s->n_queries = 0;
	if (s->stage != STAGE_ACT || attempt_phase_is_final(s->phase))
		return;
	if (phase != ATTEMPT_PHASE_FAILED)
		s->acked = true;
	s->phase = phase == ATTEMPT_PHASE_FAILED && !s->acked ? s->phase : phase;
	if (on_phase[phase])
		on_phase[phase](e, s, u);
	else
		set_due(e, s, ANSWER_NS);
}

static void no_answer(struct engine *e, struct slot *s)
{
	char reason[RECORD_TEXT_MAX];

	if (s->withdrawing) {
		withdrawn(e, s);
		return;
	}
	(void)snprintf(reason, sizeof(reason), "the executor does not say what became of %s",
		       s->plan.step.action);
	incident_escalate(e, s, MESSAGE_ID_INCIDENT_ESCALATED, reason);
}

void execute_due(struct engine *e, struct slot *s)
{
	/* How long a person may take is the policy's; the executor ends that. */
	bool too_old = s->stage == STAGE_ACT && s->phase != ATTEMPT_PHASE_WAITING &&
		       e->now_ns - s->proposed_ns > PROPOSAL_LIFE_NS + step_ns(e, s);

	if (s->n_queries >= QUERIES_MAX || too_old) {
		no_answer(e, s);
		return;
	}
	send_query(e, s);
	s->due_ns = e->now_ns + (s->answer_ns < ANSWER_NS ? s->answer_ns : ANSWER_NS);
}

bool execute_is_unsettled(const struct slot *s)
{
	return s->key[0] && !attempt_phase_is_final(s->phase);
}

/* After a restart of the agent: what was under way is asked after at once, never proposed anew. */
void execute_restored(struct engine *e, struct slot *s)
{
	s->n_queries = 0;
	send_query(e, s);
	set_due(e, s, ANSWER_NS);
}
