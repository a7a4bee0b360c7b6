/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "base/clock.h"
#include "executor/executor.h"

static int add_id(struct json_object *o, const char *key, uint64_t id)
{
	char text[RECORD_ID_MAX] = "";

	return id == 0 ? json_add(o, key, NULL) :
			 json_add_string(o, key, record_id_format(id, text));
}

struct text {
	const char *key, *value;
};

/* NULL values are left out. */
static int add_texts(struct json_object *o, const struct text *texts, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		if (texts[i].value)
			r = json_add_string(o, texts[i].key, texts[i].value);
	return r;
}

static int add_bool(struct json_object *o, const char *key, bool value, int r)
{
	return r < 0 ? r : json_add_bool(o, key, value);
}

/* The members every record of an attempt has, from the one place that knows them. */
static int attempt_members(const struct entry *e, struct json_object **ret)
{
	const struct record record = { .id = 1,
				       .kind = RECORD_KIND_ATTEMPT,
				       .attempt = e->attempt };
	_cleanup_json_ struct json_object *all = NULL;
	struct json_object *o = NULL;
	int r = record_to_json(&record, &all);

	if (r < 0)
		return r;
	if (!json_object_object_get_ex(all, "attempt", &o))
		return -ENOMEM;
	*ret = json_object_get(o);
	return 0;
}

static int add_decision(struct json_object *o, const struct decision *d)
{
	const struct text texts[] = { { "verdict", decision_verdict_to_string(d->verdict) },
				      { "by", d->by },
				      { "text", d->text } };
	_cleanup_json_ struct json_object *decision = json_object_new_object();
	int r = decision ? add_texts(decision, texts, ELEMENTSOF(texts)) : -ENOMEM;

	return r < 0 ? r : json_add(o, "decision", TAKE_PTR(decision));
}

/* What a person decides on: only of what waits, so that nobody approves by mistake what is over. */
static int add_approval(struct json_object *o, const struct entry *e, const struct broker *b)
{
	uint64_t left_us = (e->expires_ns - b->now_ns) / NS_PER_US;
	int r;

	if (e->attempt.phase != ATTEMPT_PHASE_WAITING || e->expires_ns < b->now_ns)
		return 0;
	r = json_add_string(o, "hash", e->hash);
	return r < 0 ? r : json_add_time(o, "expires", b->wall_us + left_us);
}

int executor_json_attempt(const struct entry *e, const struct broker *b, struct json_object **ret)
{
	const struct action_info *info = action_info_find(e->attempt.action);
	char entity[ENTITY_TEXT_MAX];
	const struct text texts[] = {
		{ "op", step_op_to_string(e->op) },
		{ "entity", entity_format(&e->entity, entity) },
		{ "reason", e->reason },
		{ "undo", info && info->undo ? info->undo : "none" },
		{ "approver", e->approver },
		{ "target_key", e->target_key[0] ? e->target_key : NULL },
		{ "revert_key", e->revert_key[0] ? e->revert_key : NULL },
	};
	_cleanup_json_ struct json_object *o = NULL;
	int r = attempt_members(e, &o);

	if (r == 0)
		r = add_texts(o, texts, ELEMENTSOF(texts));
	r = add_bool(o, "ran", e->ran != 0, r);
	if (r == 0)
		r = add_id(o, "incident_id", e->incident_id);
	if (r == 0)
		r = add_id(o, "plan_id", e->plan_id);
	if (r == 0)
		r = json_add_time(o, "created", e->wall_us);
	if (r == 0)
		r = add_decision(o, &e->decision);
	if (r == 0)
		r = add_approval(o, e, b);
	if (r == 0)
		*ret = TAKE_PTR(o);
	return r;
}

static int add_choices(struct json_object *o, const char *const *choices)
{
	_cleanup_json_ struct json_object *all = json_object_new_array();

	for (; all && *choices; choices++)
		if (json_object_array_add(all, json_object_new_string(*choices)) < 0)
			return -ENOMEM;
	return all ? json_add(o, "choices", TAKE_PTR(all)) : -ENOMEM;
}

static int add_param(struct json_object *params, const struct param_spec *p)
{
	const struct text texts[] = { { "name", p->name },
				      { "type", param_type_to_string(p->type) },
				      { "unit", p->unit },
				      { "default", p->default_text },
				      { "help", p->help } };
	_cleanup_json_ struct json_object *o = json_object_new_object();
	int r = o ? add_texts(o, texts, ELEMENTSOF(texts)) : -ENOMEM;

	if (r == 0 && p->type == PARAM_TYPE_INTEGER)
		r = json_add_i64(o, "min", p->min);
	if (r == 0 && p->type == PARAM_TYPE_INTEGER)
		r = json_add_i64(o, "max", p->max);
	if (r == 0 && p->type == PARAM_TYPE_SPAN)
		r = json_add_u64(o, "min_ms", (uint64_t)p->min / NS_PER_MS);
	if (r == 0 && p->type == PARAM_TYPE_SPAN)
		r = json_add_u64(o, "max_ms", (uint64_t)p->max / NS_PER_MS);
	if (r == 0 && p->choices)
		r = add_choices(o, p->choices);
	r = add_bool(o, "required", !p->default_text, r);
	if (r < 0)
		return r;
	return json_object_array_add(params, TAKE_PTR(o)) < 0 ? -ENOMEM : 0;
}

int executor_json_action(const struct action_info *a, struct json_object **ret)
{
	const struct text texts[] = { { "name", a->name },
				      { "summary", a->summary },
				      { "target", a->target ? a->target : "host" },
				      { "risk", risk_to_string(a->risk) },
				      { "undo", a->undo ? a->undo : "none" },
				      { "profile", step_profile_to_string(a->profile) } };
	_cleanup_json_ struct json_object *o = json_object_new_object(),
					  *params = json_object_new_array();
	int r = o && params ? add_texts(o, texts, ELEMENTSOF(texts)) : -ENOMEM;

	r = add_bool(o, "revertible", a->undo != NULL, r);
	r = add_bool(o, "idempotent", a->idempotent, r);
	if (r == 0)
		r = json_add_u64(o, "timeout_ms", a->timeout_ms);
	if (r == 0)
		r = json_add_u64(o, "settle_ms", a->settle_ms);
	if (r == 0)
		r = json_add_u64(o, "cooldown_ms", a->cooldown_ms);
	for (const struct param_spec *p = a->params; r == 0 && p->name; p++)
		r = add_param(params, p);
	if (r == 0)
		r = json_add(o, "params", TAKE_PTR(params));
	if (r == 0)
		*ret = TAKE_PTR(o);
	return r;
}

int executor_json_aliases(const struct executor *x, struct json_object *o)
{
	_cleanup_json_ struct json_object *all = json_object_new_array();

	for (uint32_t i = 0; all && i < x->aliases.n; i++) {
		const struct action_alias *a = &x->aliases.v[i];
		_cleanup_json_ struct json_object *one = json_object_new_object(),
						  *params = json_object_new_object();
		int r = one && params ? json_add_string(one, "name", a->name) : -ENOMEM;

		if (r == 0)
			r = json_add_string(one, "action", a->action);
		for (uint32_t k = 0; r == 0 && k < a->n_params; k++)
			r = json_add_string(params, a->params[k].name, a->params[k].value);
		if (r == 0)
			r = json_add(one, "params", TAKE_PTR(params));
		if (r < 0 || json_object_array_add(all, TAKE_PTR(one)) < 0)
			return -ENOMEM;
	}
	return all ? json_add(o, "aliases", TAKE_PTR(all)) : -ENOMEM;
}

int executor_json_limits(const struct executor *x, struct json_object *o)
{
	const struct policy *p = x->broker.policy;
	_cleanup_json_ struct json_object *limits = p ? json_object_new_object() : NULL;
	uint32_t per_action = p && p->limits.per_action_per_hour ? p->limits.per_action_per_hour :
			      p                                  ? p->limits.per_host_per_hour :
								   0;
	int r = 0;

	if (!p)
		return json_add(o, "limits", NULL);
	r = limits ? json_add_u64(limits, "per_entity_per_hour", p->limits.per_entity_per_hour) :
		     -ENOMEM;
	if (r == 0)
		r = json_add_u64(limits, "per_action_per_hour", per_action);
	if (r == 0)
		r = json_add_u64(limits, "per_host_per_hour", p->limits.per_host_per_hour);
	if (r == 0)
		r = json_add_u64(limits, "day_factor", BUDGET_DAY_FACTOR);
	if (r == 0)
		r = json_add_u64(limits, "cooldown_s", p->limits.cooldown_s);
	if (r == 0)
		r = json_add_u64(limits, "approval_s", p->limits.approval_s);
	return r < 0 ? r : json_add(o, "limits", TAKE_PTR(limits));
}

/* The lower of what a person set and what the policy gives. */
static enum autonomy effective_mode(const struct broker *b)
{
	if (!b->policy)
		return AUTONOMY_OBSERVE;
	return b->state.mode < b->policy->mode ? b->state.mode : b->policy->mode;
}

static int add_policy(struct json_object *o, const struct broker *b)
{
	_cleanup_json_ struct json_object *policy = json_object_new_object();
	int r = policy ? 0 : -ENOMEM;

	if (r == 0)
		r = json_add_bool(policy, "loaded", b->policy != NULL);
	if (r == 0)
		r = json_add_u64(policy, "rules_count", b->policy ? b->policy->n_rules : 0);
	if (r == 0 && b->policy)
		r = json_add_string(policy, "mode", autonomy_to_string(b->policy->mode));
	if (r == 0 && !b->policy)
		r = json_add_string(policy, "error", b->policy_error);
	return r < 0 ? r : json_add(o, "policy", TAKE_PTR(policy));
}

static int add_budget(struct json_object *o, const struct broker *b)
{
	_cleanup_json_ struct json_object *budget = json_object_new_object();
	int r = budget ? 0 : -ENOMEM;

	if (r == 0)
		r = json_add_u64(budget, "used_last_hour_count",
				 budget_count_hour(&b->budget, b->now_ns));
	if (r == 0 && b->policy)
		r = json_add_u64(budget, "host_hour_max_count",
				 b->policy->limits.per_host_per_hour);
	return r < 0 ? r : json_add(o, "budget", TAKE_PTR(budget));
}

static int add_audit(struct json_object *o, const struct executor *x)
{
	_cleanup_json_ struct json_object *audit = json_object_new_object();
	int r = audit ? 0 : -ENOMEM;

	if (r == 0)
		r = json_add_u64(audit, "unwritten_count", x->audit.n);
	if (r == 0)
		r = json_add_u64(audit, "dropped_count", x->audit.dropped);
	if (r == 0)
		r = json_add_bool(audit, "full", x->audit.n >= AUDIT_FULL_AT);
	return r < 0 ? r : json_add(o, "audit", TAKE_PTR(audit));
}

int executor_json_status(const struct executor *x, struct json_object **ret)
{
	const struct broker *b = &x->broker;
	const struct text texts[] = { { "process", "aiops-executor" },
				      { "version", AIOPS_VERSION },
				      { "mode", autonomy_to_string(effective_mode(b)) } };
	_cleanup_json_ struct json_object *o = json_object_new_object();
	int r = o ? add_texts(o, texts, ELEMENTSOF(texts)) : -ENOMEM;

	r = add_bool(o, "paused", b->state.paused != 0, r);
	r = add_bool(o, "stop_file", store_is_stopped(&x->store), r);
	r = add_bool(o, "bus_connected", starter_is_connected(x->starter), r);
	r = add_bool(o, "recorder_connected", x->recorder && peer_is_up(x->recorder), r);
	if (r == 0)
		r = json_add_u64(o, "attempts_active_count", attempts_count_active(&b->attempts));
	if (r == 0)
		r = json_add_u64(o, "approvals_pending_count",
				 attempts_count_waiting(&b->attempts));
	if (r == 0)
		r = add_policy(o, b);
	if (r == 0)
		r = add_budget(o, b);
	if (r == 0)
		r = json_add_u64(o, "proposals_dropped_count", b->proposals.dropped);
	if (r == 0)
		r = json_add_u64(o, "requests_dropped_count", b->wishes.dropped);
	if (r == 0)
		r = add_audit(o, x);
	if (r == 0)
		*ret = TAKE_PTR(o);
	return r;
}
