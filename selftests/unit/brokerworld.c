/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "selftests/unit/brokerworld.h"

struct step_of_world *world_find(struct world *w, const char *key)
{
	struct step_of_world *s;

	for (size_t i = 0; i < w->n_steps; i++)
		if (str_equal(w->steps[i]->key, key))
			return w->steps[i];
	assert(w->n_steps < WORLD_KEYS_MAX);
	s = calloc(1, sizeof(*s));
	assert(s);
	(void)str_copy(s->key, sizeof(s->key), key);
	w->steps[w->n_steps++] = s;
	return s;
}

static int op_persist(void *userdata, struct entry *e, struct err *reterr)
{
	struct world *w = userdata;
	struct step_of_world *s;

	if (w->disk_full)
		return err_set(reterr, -ENOSPC, "write file: full");
	s = world_find(w, e->attempt.key);
	s->kept = *e;
	s->is_kept = true;
	return 0;
}

static int op_save_budget(void *userdata, struct budget *b, struct err *reterr)
{
	struct world *w = userdata;

	if (w->disk_full)
		return err_set(reterr, -ENOSPC, "write file: full");
	w->budget = *b;
	return 0;
}

static int op_save_state(void *userdata, struct broker_state *s, struct err *reterr)
{
	struct world *w = userdata;

	if (w->disk_full)
		return err_set(reterr, -ENOSPC, "write file: full");
	w->state = *s;
	return 0;
}

static int op_write_step(void *userdata, const struct entry *e, uint64_t not_after_ns,
			 struct err *reterr)
{
	struct world *w = userdata;

	assert(not_after_ns > w->now_ns);
	if (w->disk_full)
		return err_set(reterr, -ENOSPC, "write file: full");
	world_find(w, e->attempt.key)->written = true;
	return 0;
}

/* No start without a yes, never twice, never two at work on one unit, never unpersisted. */
static int op_start(void *userdata, const char *key, enum step_profile profile, struct err *reterr)
{
	struct world *w = userdata;
	struct step_of_world *s = world_find(w, key);
	const struct entry *e = attempts_find(&w->broker.attempts, key);

	assert(e);
	assert(!s->asked);
	assert(s->written && s->is_kept && s->kept.asked);
	assert(e->decision.verdict == DECISION_ALLOW);
	if (e->op == STEP_OP_APPLY) {
		assert(!(w->stopped || w->audit_full || w->broker.state.paused));
		assert(w->broker.policy);
		assert(!policy_protects(w->broker.policy, &e->entity));
		assert(profile == action_info_find(e->attempt.action)->profile);
		/* By policy, or a person with the role is on record. */
		assert(s->allowed || e->approver[0]);
	}
	for (size_t i = 0; e->op != STEP_OP_DRY_RUN && i < w->broker.attempts.n; i++) {
		const struct entry *other = w->broker.attempts.v[i];

		assert(!(other != e && entry_is_running(other) && other->op != STEP_OP_DRY_RUN &&
			 entity_equal(&other->entity, &e->entity)));
	}
	if (w->starter_full)
		return err_set(reterr, -EBUSY, "start step: too many");
	s->asked = true;
	w->n_starts++;
	return 0;
}

static int op_revoke(void *userdata, const char *key, struct err *reterr)
{
	struct world *w = userdata;
	struct step_of_world *s = world_find(w, key);

	if (s->claimed)
		return 0;
	if (w->disk_full && !s->revoked)
		return err_set(reterr, -ENOSPC, "revoke: full");
	s->revoked = true;
	return 1;
}

static int op_look(void *userdata, const char *key, struct step_claim *ret_claim, bool *ret_claimed,
		   struct step_result *ret, struct err *reterr)
{
	const struct step_of_world *s = world_find(userdata, key);

	(void)reterr;
	*ret_claimed = s->claimed || s->revoked;
	*ret_claim = (struct step_claim){ .phase = s->revoked ? STEP_PHASE_REVOKED : s->phase };
	if (s->has_result)
		*ret = s->result;
	return s->has_result;
}

static int op_look_expired(void *userdata, const char *key, struct step_result *ret,
			   struct err *reterr)
{
	const struct step_of_world *s = world_find(userdata, key);

	(void)reterr;
	if (s->has_expired)
		*ret = s->expired;
	return s->has_expired;
}

static void op_forget(void *userdata, const char *key)
{
	struct step_of_world *s = world_find(userdata, key);

	assert(attempt_phase_is_final(s->kept.attempt.phase));
	s->is_kept = false;
}

static bool op_is_stopped(void *userdata)
{
	return ((struct world *)userdata)->stopped;
}

static bool op_audit_is_full(void *userdata)
{
	return ((struct world *)userdata)->audit_full;
}

static bool op_audit_is_behind(void *userdata)
{
	(void)userdata;
	return false;
}

static void op_audit(void *userdata, const char *what, const char *actor, const struct entry *e)
{
	struct world *w = userdata;

	(void)actor;
	(void)e;
	w->n_audit++;
	(void)str_copy(w->last_audit, sizeof(w->last_audit), what);
}

static void op_changed(void *userdata, struct entry *e)
{
	struct world *w = userdata;

	assert(str_is_hex128(e->attempt.key));
	w->n_changed++;
}

static const struct broker_ops ops = {
	.persist = op_persist,
	.save_budget = op_save_budget,
	.save_state = op_save_state,
	.write_step = op_write_step,
	.start = op_start,
	.revoke = op_revoke,
	.look = op_look,
	.look_expired = op_look_expired,
	.forget = op_forget,
	.is_stopped = op_is_stopped,
	.audit_is_full = op_audit_is_full,
	.audit_is_behind = op_audit_is_behind,
	.audit = op_audit,
	.changed = op_changed,
};

void world_wait(struct world *w, uint64_t span_ns)
{
	w->now_ns += span_ns;
	broker_time(&w->broker, w->now_ns, w->now_ns / NS_PER_US + 1);
}

static void add_rule(struct world *w, const char *action, enum autonomy autonomy)
{
	struct policy_rule *r = &w->rules[w->policy.n_rules++];

	(void)str_copy(r->action, sizeof(r->action), action);
	r->scope = POLICY_SCOPE_ANY;
	r->autonomy = autonomy;
	(void)str_copy(r->origin, sizeof(r->origin), "test:1");
}

void world_begin(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->now_ns = 1000 * NS_PER_S;
	w->state.mode = AUTONOMY_AUTO;
	w->policy.mode = AUTONOMY_AUTO;
	w->policy.limits = (struct policy_limits){ .per_entity_per_hour = 3,
						   .per_host_per_hour = 10,
						   .cooldown_s = 60,
						   .approval_s = 900,
						   .duration_s = 3600 };
	w->policy.rules = w->rules;
	add_rule(w, "unit.start", AUTONOMY_AUTO);
	add_rule(w, "unit.restart", AUTONOMY_APPROVE);
	add_rule(w, "unit.set_cpu_quota", AUTONOMY_APPROVE);
	broker_init(&w->broker, &ops, w, "0123456789abcdef0123456789abcdef");
	broker_set_policy(&w->broker, &w->policy, &w->services, "");
	world_wait(w, 0);
}

void world_end(struct world *w)
{
	broker_done(&w->broker);
	for (size_t i = 0; i < w->n_steps; i++)
		free(w->steps[i]);
}

static struct params params_of(const char *action, const char *unit)
{
	const struct param_text texts[] = { { "unit", unit }, { "quota_pct", "20" } };
	const struct action_info *info = action_info_find(action);
	struct params params = { 0 };

	assert(info);
	assert(params_parse(info->params, texts, str_equal(action, "unit.set_cpu_quota") ? 2 : 1,
			    &params, NULL) == 0);
	return params;
}

const char *world_new_key(struct world *w, char buf[static STR_HEX128_MAX])
{
	buf[0] = '\0';
	str_append(buf, STR_HEX128_MAX, "%032llx", (unsigned long long)++w->next_key);
	return buf;
}

struct proposal world_proposal(struct world *w, const char *action, const char *unit)
{
	struct proposal p = { .incident_id = 7,
			      .plan_id = 8,
			      .deadline_ns = w->now_ns + 60 * NS_PER_S,
			      .n_sources = 2,
			      .n_trusted = 2,
			      .root = entity_make(ENTITY_KIND_UNIT, unit) };

	(void)world_new_key(w, p.key);
	p.plan.autonomy = AUTONOMY_AUTO;
	(void)str_copy(p.plan.runbook, sizeof(p.plan.runbook), "service-crashed");
	(void)str_copy(p.plan.step.action, sizeof(p.plan.step.action), action);
	p.plan.step.params = params_of(action, unit);
	return p;
}

struct entry *world_propose(struct world *w, const struct proposal *p)
{
	world_find(w, p->key)->allowed = str_equal(p->plan.step.action, "unit.start") &&
					 p->n_sources >= 2 && p->n_trusted >= 1 &&
					 w->state.mode == AUTONOMY_AUTO;
	return broker_propose(&w->broker, p, NULL);
}

struct entry *world_do_remote(struct world *w, const char *action, const char *unit)
{
	char key[STR_HEX128_MAX];
	struct wish wish = { .key = world_new_key(w, key),
			     .info = action_info_find(action),
			     .params = params_of(action, unit),
			     .is_remote = true,
			     .uid = 33,
			     .actor = "remote, uid 33" };

	return broker_do(&w->broker, &wish, NULL);
}

struct entry *world_do(struct world *w, const char *action, const char *unit, bool may_approve,
		       bool dry_run)
{
	char key[STR_HEX128_MAX];
	struct wish wish = { .key = world_new_key(w, key),
			     .info = action_info_find(action),
			     .params = params_of(action, unit),
			     .dry_run = dry_run,
			     .may_approve = may_approve,
			     .uid = 1000,
			     .actor = "alice, uid 1000" };

	return broker_do(&w->broker, &wish, NULL);
}

void world_finish(struct world *w, const char *key, enum attempt_phase phase)
{
	struct step_of_world *s = world_find(w, key);

	assert(!s->revoked);
	s->claimed = s->has_result = true;
	s->phase = STEP_PHASE_APPLIED;
	s->result = (struct step_result){ .phase = phase };
	(void)str_copy(s->result.text, sizeof(s->result.text), "said the step");
	broker_look(&w->broker, key);
}

void world_restart(struct world *w)
{
	broker_done(&w->broker);
	broker_init(&w->broker, &ops, w, "0123456789abcdef0123456789abcdef");
	broker_set_policy(&w->broker, &w->policy, &w->services, "");
	w->broker.state = w->state;
	if (w->budget.n > 0)
		w->broker.budget = w->budget;
	world_wait(w, NS_PER_MS);
	for (size_t i = 0; i < w->n_steps; i++) {
		struct entry *e;

		if (!w->steps[i]->is_kept)
			continue;
		e = attempts_add(&w->broker.attempts, w->steps[i]->key);
		assert(e);
		*e = w->steps[i]->kept;
	}
	broker_resume(&w->broker);
}

void world_expire(struct world *w, const char *key, enum attempt_phase phase)
{
	struct step_of_world *s = world_find(w, key);

	s->has_expired = true;
	s->expired = (struct step_result){ .phase = phase };
	(void)str_copy(s->expired.text, sizeof(s->expired.text), "gave it back");
}
