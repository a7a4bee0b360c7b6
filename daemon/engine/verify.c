/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Did it help? By another signal than the alert's, by level, after a settle time, for a sustained time. */
#include <stdio.h>
#include <string.h>

#include "base/message_id.h"
#include "engine/state.h"

/* A value this old is no witness; slower probes get three of their own intervals. Ours. */
#define FRESH_NS (3 * NS_PER_S)

/* An invariant is broken when it has been for this long: one odd sample is none. Ours. */
#define BROKEN_NS (3 * NS_PER_S)

/* How often levels are looked at when no sample comes. */
#define LOOK_NS (500 * NS_PER_MS)

enum level { LEVEL_NO_DATA, LEVEL_BAD, LEVEL_GOOD };

static enum level entity_level(const struct engine *e, const struct expectation *x,
			       const struct entity *entity, double bound, uint64_t fresh_ns,
			       uint64_t since_ns, double *ret_value)
{
	const struct signal_entry *v = perceive_latest(e, x->signal, entity);

	if (!v || v->t_ns < since_ns || v->t_ns + fresh_ns < e->now_ns)
		return LEVEL_NO_DATA;
	*ret_value = v->value;
	if (x->test == CLAUSE_TEST_ABOVE)
		return v->value > bound ? LEVEL_GOOD : LEVEL_BAD;
	return v->value < bound ? LEVEL_GOOD : LEVEL_BAD;
}

/* Every endpoint of the service must be good; the worst one is reported. */
static enum level endpoints_level(const struct engine *e, const struct expectation *x,
				  const struct service *service, uint64_t since_ns,
				  double *ret_value)
{
	enum level worst = LEVEL_GOOD;

	for (uint32_t i = 0; i < service->n_endpoints; i++) {
		const struct endpoint *p = &service->endpoints[i];
		struct entity entity = entity_make(ENTITY_KIND_ENDPOINT, p->name);
		uint64_t probe_ns = (3 * p->interval_ms + p->timeout_ms) * NS_PER_MS;
		double bound = x->bound == ALERT_BOUND_SERVICE_SLOW_MS ? p->slow_ms : x->number;
		double value = 0;
		enum level level = entity_level(e, x, &entity, bound,
						probe_ns > FRESH_NS ? probe_ns : FRESH_NS, since_ns,
						&value);

		if (level < worst || i == 0) {
			worst = level < worst ? level : worst;
			*ret_value = value;
		}
	}
	return worst;
}

/* A service without an endpoint is judged by the kernel: systemd raised the alert, and an alert of it that
 * still fires counts anyway. Where there is no cgroup v2, systemd's word is all there is. */
static struct expectation effective(const struct engine *e, const struct slot *s,
				    const struct expectation *x)
{
	const struct service *service = correlate_service(e, &s->entity, NULL);
	struct expectation alive = { .signal = "unit.populated_bool",
				     .test = CLAUSE_TEST_ABOVE,
				     .number = 0.5 };

	if (strncmp(x->signal, "endpoint.", 9) != 0 || (service && service->n_endpoints > 0))
		return *x;
	if (!perceive_latest(e, alive.signal, &s->entity))
		(void)str_copy(alive.signal, sizeof(alive.signal), "unit.active_bool");
	return alive;
}

static enum level expectation_level(const struct engine *e, const struct slot *s,
				    const struct expectation *wanted, uint64_t since_ns,
				    double *ret_value)
{
	const struct service *service = correlate_service(e, &s->entity, NULL);
	struct expectation x = effective(e, s, wanted);
	struct entity about = s->entity;

	if (strncmp(x.signal, "endpoint.", 9) == 0)
		return endpoints_level(e, &x, service, since_ns, ret_value);
	if (strncmp(x.signal, "host.", 5) == 0)
		about = entity_make(ENTITY_KIND_HOST, "");
	return entity_level(e, &x, &about, x.number, FRESH_NS, since_ns, ret_value);
}

/* Whatever the runbook asks for: a service that does not answer is not healed. */
static enum level answers(const struct engine *e, const struct slot *s, uint64_t since_ns)
{
	static const struct expectation up = { .signal = "endpoint.up_bool",
					       .test = CLAUSE_TEST_ABOVE,
					       .number = 0.5 };
	const struct service *service = correlate_service(e, &s->entity, NULL);
	double value;

	if (!service || service->n_endpoints == 0)
		return LEVEL_GOOD;
	return endpoints_level(e, &up, service, since_ns, &value);
}

static bool is_broken(const struct engine *e, const struct slot *s, const struct runbook *r)
{
	double value;

	for (uint32_t i = 0; i < r->n_invariants && i < RUNBOOK_INVARIANTS_MAX; i++)
		if (expectation_level(e, s, &r->invariants[i], 0, &value) == LEVEL_BAD)
			return true;
	return false;
}

/* How bad it was: the worst value since the incident began. What a disruptive action does on its way is
 * not the incident's. */
static void watch_worst(const struct engine *e, struct slot *s, const struct runbook *r)
{
	struct expectation x = effective(e, s, &r->verify.expect);
	bool high_is_good = x.test == CLAUSE_TEST_ABOVE;
	double value = 0;
	enum level level = expectation_level(e, s, &x, s->onset_ns, &value);

	if (level == LEVEL_NO_DATA || (s->counted && s->plan.risk >= RISK_DISRUPTIVE))
		return;
	s->was_bad = s->was_bad || level == LEVEL_BAD;
	if (!s->has_before || (high_is_good ? value < s->before : value > s->before))
		s->before = value;
	s->has_before = true;
}

void verify_baseline(struct engine *e, struct slot *s, const struct runbook *r)
{
	struct expectation x = effective(e, s, &r->verify.expect);

	s->before = 0;
	s->has_before = s->was_bad = false;
	(void)expectation_level(e, s, &r->verify.expect, 0, &s->before);
	watch_worst(e, s, r);
	(void)str_copy(s->verify_signal, sizeof(s->verify_signal), x.signal);
	s->was_broken = is_broken(e, s, r);
}

void verify_resume(const struct engine *e, struct slot *s)
{
	s->stage = STAGE_VERIFY;
	s->done_ns = e->now_ns;
	s->good_since_ns = s->broken_since_ns = 0;
	s->seen = s->sustained = s->regressed = s->failed_again = false;
	s->due_ns = e->now_ns + LOOK_NS;
}

void verify_start(struct engine *e, struct slot *s)
{
	verify_resume(e, s);
	incident_set_state(e, s, INCIDENT_STATE_VERIFYING, "%s", s->plan.verify_text);
}

static void watch_invariants(struct engine *e, struct slot *s, const struct runbook *r)
{
	if (s->was_broken || !is_broken(e, s, r))
		s->broken_since_ns = 0;
	else if (!s->broken_since_ns)
		s->broken_since_ns = e->now_ns;
	else if (e->now_ns - s->broken_since_ns >= BROKEN_NS)
		s->regressed = true;
}

static void watch_unit(struct engine *e, struct slot *s, uint64_t since_ns)
{
	const struct signal_entry *failed = perceive_latest(e, "unit.failed_bool", &s->entity);

	if (failed && failed->t_ns > since_ns && failed->value > 0.5)
		s->failed_again = true;
}

static void watch_level(struct engine *e, struct slot *s, const struct runbook *r,
			uint64_t since_ns)
{
	enum level level = expectation_level(e, s, &r->verify.expect, since_ns, &s->after);

	s->seen = s->seen || level != LEVEL_NO_DATA;
	if (level != LEVEL_GOOD || answers(e, s, since_ns) != LEVEL_GOOD)
		s->good_since_ns = 0;
	else if (!s->good_since_ns)
		s->good_since_ns = e->now_ns;
	s->sustained = s->good_since_ns &&
		       e->now_ns - s->good_since_ns >= r->verify.sustain_s * NS_PER_S &&
		       !perceive_is_firing(e, &s->entity, false);
}

void verify_watch(struct engine *e, struct slot *s)
{
	const struct runbook *r = runbooks_find(e->config.runbooks, s->plan.runbook);
	double value;

	if (r && (s->stage == STAGE_ACT || e->now_ns < s->done_ns + r->verify.settle_s * NS_PER_S))
		watch_worst(e, s, r);
	if (!r || expectation_level(e, s, &r->verify.expect, 0, &value) != LEVEL_GOOD ||
	    answers(e, s, 0) != LEVEL_GOOD)
		s->healthy_since_ns = 0;
	else if (!s->healthy_since_ns)
		s->healthy_since_ns = e->now_ns;
}

/* The verdict, once it is due. */
static enum verdict_result verdict_decide(const struct slot *s)
{
	if (s->regressed)
		return VERDICT_WORSE;
	if (s->sustained && !s->failed_again)
		return VERDICT_IMPROVED;
	return s->seen ? VERDICT_UNCHANGED : VERDICT_INCONCLUSIVE;
}

static void emit_verdict(struct engine *e, struct slot *s, enum verdict_result result)
{
	struct record *r = engine_emit(e, s, RECORD_KIND_VERDICT);
	struct verdict *v = &r->verdict;
	char span[CLOCK_SPAN_MAX], before[NARRATE_VALUE_MAX], after[NARRATE_VALUE_MAX];

	v->result = result;
	(void)str_copy(v->signal, sizeof(v->signal), s->verify_signal);
	v->before = s->before;
	v->after = s->after;
	(void)snprintf(v->text, sizeof(v->text), "%s was %s%s, is %s; judged after %s",
		       s->verify_signal, narrate_value(v->signal, s->before, before),
		       s->was_bad ? "" : " (not measured while it was bad)",
		       narrate_value(v->signal, s->after, after),
		       clock_format_span(e->now_ns - s->done_ns, span));
	s->last_id = r->id;
}

static void resolve(struct engine *e, struct slot *s, const struct runbook *r)
{
	char subject[ENTITY_TEXT_MAX + RULE_NAME_MAX], noticed[CLOCK_SPAN_MAX];
	char acted[CLOCK_SPAN_MAX], healthy[CLOCK_SPAN_MAX], after[NARRATE_VALUE_MAX];
	char lease[200] = "", reason[RECORD_TEXT_MAX], was[NARRATE_VALUE_MAX + 16] = "";
	const struct incident *i = &s->incident;

	s->incident.healed_ns = s->healthy_since_ns ? s->healthy_since_ns : e->now_ns;
	if (params_duration_ns(&s->plan.step.params) > 0)
		(void)snprintf(lease, sizeof(lease), " The change is %s.", s->plan.undo_text);
	(void)snprintf(reason, sizeof(reason), "%s is %s for %u s and every alert is clear",
		       s->verify_signal, narrate_value(s->verify_signal, s->after, after),
		       r->verify.sustain_s);
	if (s->was_bad)
		str_append(was, sizeof(was), " (it was %s)",
			   narrate_value(s->verify_signal, s->before, after));
	narrate(e, s, LOG_NOTICE, MESSAGE_ID_INCIDENT_RESOLVED,
		"%s is healthy again: %s%s. Noticed after %s, acted after %s, healthy after %s.%s",
		narrate_subject(s, subject, sizeof(subject)), reason, was,
		clock_format_span(i->detected_ns - s->onset_ns, noticed),
		clock_format_span(i->acted_ns - s->onset_ns, acted),
		clock_format_span(i->healed_ns - s->onset_ns, healthy), lease);
	incident_close(e, s, INCIDENT_STATE_RESOLVED, reason);
}

static void not_improved(struct engine *e, struct slot *s, enum verdict_result result)
{
	char subject[ENTITY_TEXT_MAX + RULE_NAME_MAX], why[RECORD_TEXT_MAX];

	if (result == VERDICT_WORSE)
		(void)snprintf(why, sizeof(why), "an invariant broke after %s",
			       s->plan.step.action);
	else if (s->failed_again)
		(void)snprintf(why, sizeof(why), "it failed again after %s", s->plan.step.action);
	else
		(void)snprintf(why, sizeof(why), "%s did not help: %s is %s", s->plan.step.action,
			       s->verify_signal, s->seen ? "not good" : "not there");
	narrate(e, s, LOG_WARNING, MESSAGE_ID_VERDICT_NOT_IMPROVED, "%s: %s.",
		narrate_subject(s, subject, sizeof(subject)), why);
	/* A unit that has ended by itself needs no stop, and the breaker decides how often it is started. */
	if (s->failed_again) {
		s->key[0] = '\0';
		s->stage = STAGE_WAIT;
		s->due_ns = e->now_ns + NS_PER_S;
		incident_set_state(e, s, INCIDENT_STATE_DIAGNOSED, "%s", why);
	} else if (s->revertible) {
		execute_revert(e, s, why);
	} else {
		s->alternative++;
		s->key[0] = '\0';
		incident_set_state(e, s, INCIDENT_STATE_DIAGNOSED, "%s", why);
		plan_next(e, s);
	}
}

void verify_step(struct engine *e, struct slot *s)
{
	const struct runbook *r = runbooks_find(e->config.runbooks, s->plan.runbook);
	uint64_t since_ns;
	enum verdict_result result;

	s->due_ns = e->now_ns + LOOK_NS;
	if (!r) {
		incident_escalate(e, s, MESSAGE_ID_INCIDENT_ESCALATED,
				  "its runbook was removed while the repair was verified");
		return;
	}
	since_ns = s->done_ns + r->verify.settle_s * NS_PER_S;
	verify_watch(e, s);
	watch_invariants(e, s, r);
	watch_unit(e, s, since_ns);
	if (e->now_ns >= since_ns)
		watch_level(e, s, r, since_ns);
	if (!s->sustained && !s->regressed && !s->failed_again &&
	    e->now_ns < s->done_ns + r->verify.within_s * NS_PER_S)
		return;
	result = verdict_decide(s);
	emit_verdict(e, s, result);
	learn_verdict(e, s, result);
	if (result == VERDICT_IMPROVED)
		resolve(e, s, r);
	else
		not_improved(e, s, result);
}
