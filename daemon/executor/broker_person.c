/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "executor/broker.h"

/* What people tell the broker beside their wishes and answers. */

int broker_cancel(struct broker *b, const char *key, const char *actor, struct err *reterr)
{
	struct entry *e = attempts_find_part(&b->attempts, key);
	int r = 0;

	if (!e)
		return err_set(reterr, -ENOENT, "cancel attempt '%s': no such attempt", key);
	if (attempt_phase_is_final(e->attempt.phase))
		return err_set(reterr, -EALREADY, "cancel attempt '%s': it is %s", e->attempt.key,
			       attempt_phase_to_string(e->attempt.phase));
	if (e->attempt.phase == ATTEMPT_PHASE_PROPOSED ||
	    e->attempt.phase == ATTEMPT_PHASE_WAITING) {
		broker_deny(b, e, "cancelled", "cancelled before it began", actor);
		return 0;
	}
	b->ops->audit(b->userdata, "cancel", actor, e);
	if (e->attempt.phase == ATTEMPT_PHASE_STARTING)
		r = broker_end_unbegun(b, e, -ECANCELED, "cancelled before it began");
	if (r != 0)
		return r < 0 ? err_set(reterr, r, "cancel attempt '%s': %s", e->attempt.key,
				       strerror(-r)) :
			       0;
	if (attempt_phase_is_final(e->attempt.phase))
		return err_set(reterr, -EALREADY, "cancel attempt '%s': it has just ended",
			       e->attempt.key);
	if (e->op != STEP_OP_APPLY || !e->attempt.revertible)
		return err_set(reterr, -EOPNOTSUPP,
			       "cancel attempt '%s': it is at work, and cannot be undone",
			       e->attempt.key);
	e->revert_wanted = true;
	return broker_keep(b, e, reterr);
}

uint64_t broker_retry_ns(const struct broker *b, const struct entry *e)
{
	const struct action_info *info = action_info_find(e->attempt.action);
	const struct budget_wish wish = { e->attempt.action, info ? info->cooldown_ms : 0,
					  &e->entity };
	struct budget_refusal refusal = { 0 };
	struct err err = { 0 };

	if (!b->policy || (!str_equal(e->decision.by, "cooldown") &&
			   strncmp(e->decision.by, "budget-", strlen("budget-")) != 0))
		return 0;
	return budget_check(&b->budget, &b->policy->limits, &wish, b->now_ns, &refusal, &err) < 0 ?
		       refusal.retry_ns :
		       0;
}

int broker_set_mode(struct broker *b, enum autonomy mode, const char *actor, struct err *reterr)
{
	enum autonomy old = b->state.mode;
	int r;

	if (b->policy && mode > b->policy->mode)
		return err_set(reterr, -EPERM, "set mode '%s': the policy's is '%s'",
			       autonomy_to_string(mode), autonomy_to_string(b->policy->mode));
	b->state.mode = mode;
	r = b->ops->save_state(b->userdata, &b->state, reterr);
	if (r < 0)
		b->state.mode = old;
	else
		b->ops->audit(b->userdata, "mode", actor, NULL);
	return r;
}

int broker_set_paused(struct broker *b, bool paused, const char *actor, struct err *reterr)
{
	uint32_t old = b->state.paused;
	int r;

	b->state.paused = paused;
	r = b->ops->save_state(b->userdata, &b->state, reterr);
	if (r < 0)
		b->state.paused = old;
	else
		b->ops->audit(b->userdata, paused ? "pause" : "resume", actor, NULL);
	return r;
}
