/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What speaks against acting, before the executor's policy is even asked. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/message_id.h"
#include "engine/state.h"

/* A job or a start takes this long at most before it counts as stuck.
 * Source: systemd-system.conf(5), DefaultTimeoutStartSec=90s. */
#define JOB_PATIENCE_NS (90 * NS_PER_S)
#define JOB_AGAIN_NS    (500 * NS_PER_MS)

/* A unit that failed although it has Restart=: systemd has decided by now, so its owner wanted it
 * down. Ours: over the default RestartSec= (100 ms) and StartLimitIntervalSec= (10 s). */
#define RESTART_PATIENCE_NS (15 * NS_PER_S)
#define RESTART_AGAIN_NS    NS_PER_S

/* An upgrade may take long; ours, as apt's own lock timeouts are minutes. */
#define UPGRADE_PATIENCE_NS (600 * NS_PER_S)
#define UPGRADE_AGAIN_NS    (10 * NS_PER_S)

/* Another repair on the same unit ends or is given up within this: within_s of a verify is 40 s. */
#define BUSY_PATIENCE_NS (120 * NS_PER_S)
#define BUSY_AGAIN_NS    (2 * NS_PER_S)

/* A runbook without a cooldown still gets one. Ours. */
#define COOLDOWN_MIN_S 1

static const struct evidence *find_status(const struct item *items, uint32_t n_items,
					  const struct entity *unit)
{
	for (uint32_t i = 0; i < n_items; i++)
		if (str_equal(items[i].evidence.inspector, "unit_status") &&
		    entity_equal(&items[i].entity, unit) &&
		    evidence_is_trusted(&items[i].evidence) &&
		    evidence_find_fact(&items[i].evidence, "unit.active_state"))
			return &items[i].evidence;
	return NULL;
}

static const char *text_of(const struct evidence *status, const char *name)
{
	const struct fact *f = status ? evidence_find_fact(status, name) : NULL;

	return f && f->type == FACT_TYPE_TEXT ? f->text : "";
}

static bool is_one_of(const char *value, const char *a, const char *b)
{
	return str_equal(value, a) || str_equal(value, b);
}

static _printf_(4, 5) struct guard guard_make(enum guard_verdict verdict, const char *by,
					      uint64_t patience_ns, const char *format, ...)
{
	struct guard g = { .verdict = verdict, .patience_ns = patience_ns };
	va_list ap;

	(void)str_copy(g.by, sizeof(g.by), by);
	va_start(ap, format);
	(void)vsnprintf(g.text, sizeof(g.text), format, ap);
	va_end(ap);
	return g;
}

/* A person's or the package's wish: not ours to question. */
static bool wants_it_so(const struct evidence *status, struct guard *ret)
{
	const char *active = text_of(status, "unit.active_state");
	const char *freezer = text_of(status, "unit.freezer_state");
	const char *stopped_by = text_of(status, "unit.stopped_by");

	if (is_one_of("masked", text_of(status, "unit.load_state"),
		      text_of(status, "unit.unit_file_state")))
		*ret = guard_make(GUARD_LEAVE, "masked", 0,
				  "it is masked, so it is meant to be off");
	else if (str_equal(active, "inactive") && !str_equal(stopped_by, "itself") &&
		 is_one_of(text_of(status, "unit.result"), "success", ""))
		*ret = guard_make(GUARD_LEAVE, "admin-stopped", 0,
				  "it was stopped in order, so somebody wants it stopped");
	else if (str_equal(stopped_by, "admin"))
		*ret = guard_make(GUARD_LEAVE, "admin-stopped", 0, "an administrator stopped it");
	else if (is_one_of(freezer, "frozen", "freezing"))
		*ret = guard_make(GUARD_LEAVE, "admin-frozen", 0,
				  "somebody froze it with systemctl freeze");
	else
		return false;
	return true;
}

static bool is_in_transition(const struct evidence *status, uint64_t now_ns, struct guard *ret)
{
	const char *active = text_of(status, "unit.active_state");
	const char *policy = text_of(status, "unit.restart_policy");

	if (str_equal(text_of(status, "unit.sub_state"), "auto-restart")) {
		*ret = guard_make(GUARD_WAIT, "restart-policy", JOB_PATIENCE_NS,
				  "systemd restarts it itself (Restart=%.32s)", policy);
		ret->until_ns = now_ns + RESTART_AGAIN_NS;
	} else if (str_equal(text_of(status, "unit.job_pending"), "yes") ||
		   is_one_of(active, "activating", "deactivating")) {
		*ret = guard_make(GUARD_WAIT, "job-pending", JOB_PATIENCE_NS,
				  "systemd is at work on it (%.32s)", active);
		ret->until_ns = now_ns + JOB_AGAIN_NS;
	} else if (str_equal(active, "failed") && policy[0] && !str_equal(policy, "no") &&
		   !str_equal(text_of(status, "unit.result"), "start-limit-hit")) {
		*ret = guard_make(GUARD_WAIT, "restart-policy", RESTART_PATIENCE_NS,
				  "it has Restart=%.32s, which does not cover this end", policy);
		ret->until_ns = now_ns + RESTART_AGAIN_NS;
	} else {
		return false;
	}
	return true;
}

struct guard guard_hands_off(const struct item *items, uint32_t n_items, const struct entity *unit,
			     uint64_t now_ns)
{
	const struct evidence *status = find_status(items, n_items, unit);
	struct guard g = { .verdict = GUARD_GO };

	if (status && !wants_it_so(status, &g))
		(void)is_in_transition(status, now_ns, &g);
	return g;
}

struct guard guard_upgrade(const struct engine *e)
{
	struct guard g = { .verdict = GUARD_GO };

	if (inhibit_is_upgrading(e)) {
		g = guard_make(GUARD_WAIT, "package-upgrade", UPGRADE_PATIENCE_NS,
			       "packages are being installed or upgraded");
		g.until_ns = e->now_ns + UPGRADE_AGAIN_NS;
	}
	return g;
}

/* systemd's own repair alternates between these two; together they have one patience. */
static bool is_systemd(const char *by)
{
	return is_one_of(by, "restart-policy", "job-pending");
}

void guard_hold(struct engine *e, struct slot *s, const struct guard *g)
{
	char reason[RECORD_TEXT_MAX], span[CLOCK_SPAN_MAX];

	if (!str_equal(s->hold_by, g->by)) {
		if (!is_systemd(s->hold_by) || !is_systemd(g->by))
			s->hold_since_ns = e->now_ns;
		(void)str_copy(s->hold_by, sizeof(s->hold_by), g->by);
		incident_set_state(e, s,
				   incident_state_is_open(s->incident.state) ? s->incident.state :
									       INCIDENT_STATE_OPEN,
				   "waiting: %s", g->text);
	}
	if (g->patience_ns && e->now_ns - s->hold_since_ns >= g->patience_ns) {
		(void)snprintf(reason, sizeof(reason), "%.400s, and that has not changed for %s",
			       g->text, clock_format_span(e->now_ns - s->hold_since_ns, span));
		incident_escalate(e, s, MESSAGE_ID_INCIDENT_ESCALATED, reason);
		return;
	}
	s->stage = STAGE_WAIT;
	s->due_ns = g->until_ns > e->now_ns ? g->until_ns : e->now_ns + JOB_AGAIN_NS;
}

static bool in_flight(const struct slot *o)
{
	return o->stage == STAGE_ACT || o->stage == STAGE_VERIFY || o->stage == STAGE_REVERT;
}

/* One writer per unit: neither the one to be changed nor the one to be healed has another repair. */
static bool is_busy(const struct engine *e, const struct slot *s, const char *target)
{
	for (size_t i = 0; i < ELEMENTSOF(e->slots); i++) {
		const struct slot *o = &e->slots[i];

		if (o == s || !in_flight(o))
			continue;
		if (str_equal(plan_target(&o->plan), target) || str_equal(o->entity.name, target) ||
		    str_equal(plan_target(&o->plan), s->entity.name))
			return true;
	}
	return false;
}

static bool must_wait(struct engine *e, const struct slot *s, const struct runbook *r,
		      const char *target, struct guard *ret)
{
	const struct breaker *b = learn_breaker(e, target, r->id);
	uint64_t cooldown_ns = (r->cooldown_s > COOLDOWN_MIN_S ? r->cooldown_s : COOLDOWN_MIN_S) *
			       NS_PER_S;
	uint64_t last_ns = learn_last_attempt_ns(b);

	if (e->now_ns < e->config.boot_grace_ns) {
		*ret = guard_make(GUARD_WAIT, "boot-grace", 0, "the host has only just booted");
		ret->until_ns = e->config.boot_grace_ns;
	} else if (is_busy(e, s, target)) {
		*ret = guard_make(GUARD_WAIT, "busy", BUSY_PATIENCE_NS,
				  "another repair of '%.255s' is under way", target);
		ret->until_ns = e->now_ns + BUSY_AGAIN_NS;
	} else if (last_ns && e->now_ns < last_ns + cooldown_ns) {
		*ret = guard_make(GUARD_WAIT, "cooldown", 0,
				  "the same repair was made a moment ago");
		ret->until_ns = last_ns + cooldown_ns;
	} else {
		return false;
	}
	return true;
}

static bool must_ask(struct engine *e, const struct runbook *r, const struct plan *plan,
		     struct guard *ret)
{
	enum autonomy autonomy = learn_autonomy(e, r);

	if (e->config.mode == AUTONOMY_OBSERVE || autonomy == AUTONOMY_OBSERVE)
		*ret = guard_make(GUARD_ASK, "observe", 0, "only observing is allowed here");
	else if (e->config.mode == AUTONOMY_SUGGEST || autonomy == AUTONOMY_SUGGEST)
		*ret = guard_make(GUARD_ASK, "suggest", 0, "only suggesting is allowed here");
	else if (plan->risk == RISK_DESTRUCTIVE)
		*ret = guard_make(GUARD_ASK, "destructive", 0,
				  "what destroys is never done without a person");
	else
		return false;
	return true;
}

/* Protected, unseen or worn out: no way around these. */
static bool must_stop(struct engine *e, const struct slot *s, const struct runbook *r,
		      const char *target, struct guard *ret)
{
	struct entity unit = entity_make(ENTITY_KIND_UNIT, target);

	if (!str_is_unit_name(target))
		*ret = guard_make(GUARD_STOP, "no-target", 0, "the plan names no unit");
	else if (policy_unit_is_protected(target))
		*ret = guard_make(GUARD_STOP, "protected", 0,
				  "'%.255s' is protected: nobody may touch it through us", target);
	else if (!find_status(s->items, s->n_items, &unit))
		*ret = guard_make(GUARD_STOP, "unseen", 0,
				  "the state of '%.255s' could not be read", target);
	else if (str_equal(text_of(find_status(s->items, s->n_items, &unit), "unit.load_state"),
			   "masked"))
		*ret = guard_make(GUARD_STOP, "masked", 0, "'%.255s' is masked", target);
	else if (learn_is_open(e, learn_breaker(e, target, r->id), r))
		*ret = guard_make(GUARD_STOP, "breaker", 0,
				  "'%s' of '%.255s' was needed too often: the breaker is open",
				  r->id, target);
	else
		return false;
	return true;
}

struct guard guard_check(struct engine *e, struct slot *s, const struct runbook *r,
			 const struct plan *plan)
{
	const char *target = plan_target(plan);
	struct guard g = { .verdict = GUARD_GO };

	if (must_stop(e, s, r, target, &g) || must_ask(e, r, plan, &g) ||
	    must_wait(e, s, r, target, &g))
		return g;
	if (lease_is_in_force(e, plan->step.action, &s->root))
		return guard_make(GUARD_STOP, "lease", 0,
				  "%s of '%.255s' is in force already and has not helped here",
				  plan->step.action, target);
	(void)str_copy(g.by, sizeof(g.by), "agent");
	(void)str_copy(g.text, sizeof(g.text), "nothing speaks against it; the executor decides");
	return g;
}
