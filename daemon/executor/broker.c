/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "executor/broker.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

void broker_init(struct broker *b, const struct broker_ops *ops, void *userdata,
		 const char *boot_id)
{
	*b = (struct broker){
		.ops = ops,
		.userdata = userdata,
		.state = { .mode = AUTONOMY_AUTO },
	};
	(void)str_copy(b->boot_id, sizeof(b->boot_id), boot_id);
	(void)str_copy(b->budget.boot_id, sizeof(b->budget.boot_id), boot_id);
}

void broker_done(struct broker *b)
{
	attempts_done(&b->attempts);
}

void broker_time(struct broker *b, uint64_t now_ns, uint64_t wall_us)
{
	b->now_ns = now_ns;
	b->wall_us = wall_us;
}

void broker_set_policy(struct broker *b, const struct policy *policy,
		       const struct services *services, const char *error)
{
	b->policy = policy;
	b->services = services;
	b->policy_error[0] = '\0';
	(void)str_copy(b->policy_error, sizeof(b->policy_error), error);
}

static struct guard_view view_of(const struct broker *b)
{
	return (struct guard_view){
		.policy = b->policy,
		.policy_error = b->policy_error,
		.services = b->services,
		.budget = &b->budget,
		.attempts = &b->attempts,
		.mode = b->state.mode,
		.paused = b->state.paused != 0,
		.stopped = b->ops->is_stopped(b->userdata),
		.audit_full = b->ops->audit_is_full(b->userdata),
		.audit_behind = b->ops->audit_is_behind(b->userdata),
		.now_ns = b->now_ns,
	};
}

/* The entry of an action that somebody wants. */
static struct entry *entry_new(struct broker *b, const char *key, const struct action_info *info,
			       const struct params *params, const struct entity *on,
			       struct err *reterr)
{
	struct entry *e = attempts_add(&b->attempts, key);

	if (!e) {
		(void)err_set(reterr, -EBUSY, "take action '%s': too many are under way",
			      info->name);
		return NULL;
	}
	(void)str_copy(e->attempt.action, sizeof(e->attempt.action), info->name);
	e->attempt.params = *params;
	e->entity = *on;
	e->attempt.risk = info->risk;
	e->attempt.revertible = info->undo != NULL;
	e->created_ns = b->now_ns;
	e->wall_us = b->wall_us;
	return e;
}

/* From here on the trail names the action by its hash. */
static void announce(struct broker *b, struct entry *e, const char *what, const char *actor)
{
	if (approval_seal(e, b->boot_id) < 0)
		e->hash[0] = '\0';
	b->ops->audit(b->userdata, what, actor, e);
}

/* By e->decision. */
static void deny(struct broker *b, struct entry *e, const char *actor)
{
	e->attempt.phase = ATTEMPT_PHASE_DENIED;
	(void)str_copy(e->attempt.text, sizeof(e->attempt.text), e->decision.text);
	b->ops->audit(b->userdata, "deny", actor, e);
	broker_end(b, e, ATTEMPT_PHASE_DENIED, -EPERM, e->attempt.text);
}

void broker_deny(struct broker *b, struct entry *e, const char *by, const char *text,
		 const char *actor)
{
	e->decision = (struct decision){ .verdict = DECISION_DENY };
	(void)str_copy(e->decision.by, sizeof(e->decision.by), by);
	(void)str_escape(e->decision.text, sizeof(e->decision.text), text);
	deny(b, e, actor);
}

/* Puts an entry among those that wait for a person. */
static void wait_for_person(struct broker *b, struct entry *e)
{
	struct err err = { 0 };
	char span[CLOCK_SPAN_MAX] = "";
	uint64_t span_ns = b->policy->limits.approval_s * NS_PER_S;
	int r;

	if (attempts_count_waiting(&b->attempts) >= APPROVALS_MAX ||
	    (entry_is_remote(e) &&
	     attempts_count_waiting_remote(&b->attempts) >= APPROVALS_REMOTE_MAX)) {
		broker_deny(b, e, "approvals-full", "too many actions wait for a person already",
			    "executor");
		return;
	}
	e->expires_ns = b->now_ns + span_ns;
	e->due_ns = e->expires_ns;
	e->attempt.phase = ATTEMPT_PHASE_WAITING;
	e->attempt.text[0] = '\0';
	str_append(e->attempt.text, sizeof(e->attempt.text), "waits for a person, at most %s",
		   clock_format_span(span_ns, span));
	r = approval_seal(e, b->boot_id);
	if (r == 0)
		r = broker_keep(b, e, &err);
	if (r < 0)
		broker_deny(b, e, "not-kept", err_text(&err), "executor");
}

/* The same as one that waits: it shares that one's fate. Returns NULL when there is none. */
static struct entry *merge(struct broker *b, struct entry *e)
{
	struct entry *old = attempts_find_waiting(&b->attempts, e->attempt.action,
						  &e->attempt.params);

	if (!old || (!e->by_person && old->n_aliases == ATTEMPT_ALIASES_MAX))
		return NULL;
	if (!e->by_person) {
		struct alias *a = &old->aliases[old->n_aliases++];

		(void)str_copy(a->key, sizeof(a->key), e->attempt.key);
		a->incident_id = e->incident_id;
		a->plan_id = e->plan_id;
	}
	attempts_remove(&b->attempts, e);
	broker_tell(b, old);
	return old;
}

static struct entry *act_on(struct broker *b, struct entry *e)
{
	struct entry *old;

	switch (e->decision.verdict) {
	case DECISION_ALLOW:
		broker_start(b, e);
		return e;
	case DECISION_ASK:
		old = merge(b, e);
		if (old)
			return old;
		wait_for_person(b, e);
		return e;
	case DECISION_SUGGEST:
	case DECISION_DENY:
	case _DECISION_MAX:
		break;
	}
	deny(b, e, e->by_person ? e->attempt.actor : "executor");
	return e;
}

struct entry *broker_propose(struct broker *b, const struct proposal *p, struct err *reterr)
{
	const struct plan_step *step = &p->plan.step;
	const struct action_info *info = action_info_find(step->action);
	struct guard_view view = view_of(b);
	struct guard_request rq = { .info = info,
				    .autonomy = p->plan.autonomy,
				    .n_sources = p->n_sources,
				    .n_trusted = p->n_trusted,
				    .root = &p->root,
				    .deadline_ns = p->deadline_ns };
	struct entry *e = attempts_find(&b->attempts, p->key);
	struct entity on = { 0 };

	if (e)
		return e;
	if (!rate_take(&b->proposals, BROKER_RATE_WINDOW_NS, BROKER_PROPOSALS_PER_MINUTE,
		       b->now_ns)) {
		(void)err_set(reterr, -EAGAIN, "take proposal: more than %d within a minute",
			      BROKER_PROPOSALS_PER_MINUTE);
		return NULL;
	}
	if (!str_is_hex128(p->key)) {
		(void)err_set(reterr, -EBADMSG, "take proposal: its key is no 128 bit number");
		return NULL;
	}
	if (!info) {
		(void)err_set(reterr, -ENOENT, "take proposal: no action '%s'", step->action);
		return NULL;
	}
	if (params_check(info->params, &step->params, reterr) < 0 ||
	    action_entity(info->target, &step->params, b->services, &on, reterr) < 0)
		return NULL;
	e = entry_new(b, p->key, info, &step->params, &on, reterr);
	if (!e)
		return NULL;
	e->incident_id = p->incident_id;
	e->plan_id = p->plan_id;
	e->deadline_ns = p->deadline_ns;
	(void)str_copy(e->attempt.actor, sizeof(e->attempt.actor), "agent");
	str_append(e->reason, sizeof(e->reason), "runbook %s", p->plan.runbook);
	announce(b, e, "propose", "agent");
	rq.entry = e;
	guard_decide(&view, &rq, &e->decision);
	return act_on(b, e);
}

struct entry *broker_do(struct broker *b, const struct wish *w, struct err *reterr)
{
	struct guard_view view = view_of(b);
	struct guard_request rq = { .info = w->info, .autonomy = AUTONOMY_APPROVE };
	struct entry *e = attempts_find(&b->attempts, w->key);
	uint32_t uid = w->is_remote ? ATTEMPT_REQUESTER_REMOTE : w->uid;
	struct entity on = { 0 };

	if (e)
		return e;
	if (!uid_rates_take(&b->wishes, uid, BROKER_RATE_WINDOW_NS, BROKER_WISHES_PER_MINUTE,
			    b->now_ns)) {
		(void)err_set(reterr, -EDQUOT,
			      "take action '%s': more than %d were asked for within a minute",
			      w->info->name, BROKER_WISHES_PER_MINUTE);
		return NULL;
	}
	if (action_entity(w->info->target, &w->params, b->services, &on, reterr) < 0)
		return NULL;
	e = entry_new(b, w->key, w->info, &w->params, &on, reterr);
	if (!e)
		return NULL;
	e->by_person = true;
	e->requester_uid = uid;
	e->op = w->dry_run ? STEP_OP_DRY_RUN : STEP_OP_APPLY;
	e->attempt.dry_run = w->dry_run;
	(void)str_copy(e->attempt.actor, sizeof(e->attempt.actor), w->actor);
	(void)str_escape(e->reason, sizeof(e->reason), w->reason ? w->reason : "asked by a person");
	announce(b, e, "propose", w->actor);
	rq.entry = e;
	/* Who may approve confirms by doing, but for what takes two persons. */
	rq.approved = w->may_approve && w->info->risk != RISK_DESTRUCTIVE;
	guard_decide(&view, &rq, &e->decision);
	if (rq.approved && e->decision.verdict == DECISION_ALLOW && !w->dry_run) {
		e->approver_uid = w->uid;
		(void)str_copy(e->approver, sizeof(e->approver), w->actor);
	}
	return act_on(b, e);
}

void broker_start_again(struct broker *b, struct entry *e)
{
	const struct action_info *info = action_info_find(e->attempt.action);
	struct guard_view view = view_of(b);
	bool approved = e->approver[0] != '\0';
	/* Its evidence was enough once and does not change. */
	struct guard_request rq = { .entry = e,
				    .info = info,
				    .approved = approved,
				    .autonomy = approved || e->by_person ? AUTONOMY_APPROVE :
									   AUTONOMY_AUTO,
				    .n_sources = EVIDENCE_SOURCES_MIN,
				    .n_trusted = EVIDENCE_TRUSTED_MIN,
				    .root = &e->entity,
				    .deadline_ns = e->deadline_ns };

	if (!info) {
		broker_deny(b, e, "gone", "the action is not known any more", "executor");
		return;
	}
	guard_decide(&view, &rq, &e->decision);
	if (e->decision.verdict == DECISION_ALLOW)
		broker_start(b, e);
	else if (e->decision.verdict == DECISION_ASK)
		wait_for_person(b, e);
	else
		deny(b, e, "executor");
}

int broker_decide(struct broker *b, const char *key, const char *hash, bool approve, uint32_t uid,
		  const char *actor, const char *reason, struct err *reterr)
{
	struct entry *e = attempts_find_part(&b->attempts, key);
	char text[RECORD_TEXT_MAX] = "";
	int r;

	if (!e)
		return err_set(reterr, -ENOENT, "decide on '%s': no such attempt", key);
	r = approval_check(e, hash, approve, uid, b->now_ns, reterr);
	if (r < 0)
		return r;
	e->approver_uid = uid;
	(void)str_copy(e->approver, sizeof(e->approver), actor);
	if (approve) {
		b->ops->audit(b->userdata, "approve", actor, e);
		broker_start_again(b, e);
		return 0;
	}
	str_append(text, sizeof(text), "%s said no%s%s", actor, reason && reason[0] ? ": " : "",
		   reason ? reason : "");
	broker_deny(b, e, "person", text, actor);
	return 0;
}

/* A key of its own, the same each time: after a crash it is found again, not made twice. */
static int revert_key(const struct entry *target, char ret[static STR_HEX128_MAX])
{
	char text[96] = "", hex[SHA256_HEX_MAX] = "";
	int r;

	str_append(text, sizeof(text), "revert %s %u", target->attempt.key, target->n_reverts);
	r = sha256_hex(text, strlen(text), hex);
	if (r < 0)
		return r;
	hex[STR_HEX128_MAX - 1] = '\0';
	return str_copy(ret, STR_HEX128_MAX, hex);
}

static int start_revert(struct broker *b, struct entry *target, const char *actor,
			const char *reason, struct err *reterr)
{
	const struct action_info *info = action_info_find(target->attempt.action);
	char key[STR_HEX128_MAX] = "";
	struct entry *e;
	int r;

	if (!info || !target->attempt.revertible || target->op != STEP_OP_APPLY)
		return err_set(reterr, -EOPNOTSUPP, "undo attempt '%s': %s cannot be undone",
			       target->attempt.key, target->attempt.action);
	r = revert_key(target, key);
	if (r < 0)
		return err_set(reterr, r, "undo attempt '%s': %s", target->attempt.key,
			       strerror(-r));
	e = attempts_find(&b->attempts, key);
	if (!e)
		e = entry_new(b, key, info, &target->attempt.params, &target->entity, reterr);
	if (!e)
		return -EBUSY;
	e->op = STEP_OP_REVERT;
	e->by_person = target->by_person;
	e->incident_id = target->incident_id;
	e->plan_id = target->plan_id;
	e->decision = (struct decision){ .verdict = DECISION_ALLOW };
	(void)str_copy(e->decision.by, sizeof(e->decision.by), "undo");
	(void)str_copy(e->decision.text, sizeof(e->decision.text), "undo is always allowed");
	(void)str_copy(e->target_key, sizeof(e->target_key), target->attempt.key);
	(void)str_copy(e->attempt.actor, sizeof(e->attempt.actor), actor);
	(void)str_escape(e->reason, sizeof(e->reason), reason);
	(void)str_copy(target->revert_key, sizeof(target->revert_key), key);
	target->n_reverts++;
	target->revert_wanted = true; /* whatever becomes of us before the undo is on record */
	(void)b->ops->persist(b->userdata, target, NULL);
	announce(b, e, "revert", actor);
	broker_start(b, e);
	return 0;
}

/* Withdraws one of several wishes that wait as one. Returns false if key is no alias. */
static bool drop_alias(struct broker *b, struct entry *e, const char *key)
{
	for (uint32_t i = 0; i < e->n_aliases; i++) {
		if (!str_equal(e->aliases[i].key, key))
			continue;
		e->aliases[i] = e->aliases[--e->n_aliases];
		broker_tell(b, e);
		return true;
	}
	return false;
}

int broker_revert(struct broker *b, const char *key, const char *actor, const char *reason,
		  struct err *reterr)
{
	struct entry *e = attempts_find_part(&b->attempts, key), *last;

	if (!e)
		return err_set(reterr, -ENOENT, "undo attempt '%s': no such attempt", key);
	if (e->attempt.phase == ATTEMPT_PHASE_WAITING && drop_alias(b, e, key))
		return 0;
	switch (e->attempt.phase) {
	case ATTEMPT_PHASE_PROPOSED:
	case ATTEMPT_PHASE_WAITING:
		broker_deny(b, e, "withdrawn", reason, actor);
		return 0;
	case ATTEMPT_PHASE_STARTING:
	case ATTEMPT_PHASE_CLAIMED:
	case ATTEMPT_PHASE_CHECKED:
	case ATTEMPT_PHASE_SNAPSHOT:
	case ATTEMPT_PHASE_APPLIED:
		e->revert_wanted = true;
		return broker_keep(b, e, reterr);
	case ATTEMPT_PHASE_DONE:
	case ATTEMPT_PHASE_UNKNOWN:
		break;
	case ATTEMPT_PHASE_FAILED:
	case ATTEMPT_PHASE_REVERTED:
	case ATTEMPT_PHASE_DENIED:
	case _ATTEMPT_PHASE_MAX:
		return err_set(reterr, -EALREADY, "undo attempt '%s': it is %s, nothing to undo",
			       e->attempt.key, attempt_phase_to_string(e->attempt.phase));
	}
	last = e->revert_key[0] ? attempts_find(&b->attempts, e->revert_key) : NULL;
	if (last && !attempt_phase_is_final(last->attempt.phase))
		return 0;
	return start_revert(b, e, actor, reason, reterr);
}
