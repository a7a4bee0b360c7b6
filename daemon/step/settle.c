/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "step/step.h"

/* After kill -9, out of memory or timeout: the claim says how far the step came, the undo record what
 * to put back. settle itself may be killed and run again: each part is repeatable. */

/* The unit's TimeoutStopSec= is 60 s, and both verify() and revert() may need one of these. */
#define SETTLE_SPAN_MAX_NS (25 * NS_PER_S)

static int settle_nothing_changed(struct step *s, const char *text, struct err *reterr)
{
	return step_finish(s, ATTEMPT_PHASE_FAILED, -EINTR, text, reterr);
}

/* systemd hides credentials from ExecStopPost=. What needs one is not tried in vain: the unit is run again,
 * and finds the claim of a dead run. */
static bool is_for_next_run(const struct step *s)
{
	return !s->is_next_run && s->credentials_fd < 0 && s->ops->needs_credentials;
}

/* Back to before; where that cannot be, the truth is that nobody knows. */
static int settle_by_revert(struct step *s, struct err *reterr)
{
	struct err why = { 0 };
	int r;

	s->result.text[0] = '\0';
	if (!s->ops->revert)
		return step_finish_apply(
			s, ATTEMPT_PHASE_UNKNOWN, -EINTR,
			"the step was killed in the middle: what it did is not known", reterr);
	r = step_revert(s, &why);
	if (r < 0)
		return step_finish(s, ATTEMPT_PHASE_UNKNOWN, r, err_text(&why), reterr);
	s->result.reverted = true;
	undo_end(s, s->key);
	return step_finish(s, ATTEMPT_PHASE_FAILED, -EINTR,
			   "the step was killed in the middle and undone", reterr);
}

/* The step was killed while or after it changed something. If the host is as the action wanted it,
 * the attempt is finished; else it is undone. */
static int settle_applied(struct step *s, enum step_phase phase, struct err *reterr)
{
	struct err why = { 0 };

	if (is_for_next_run(s))
		return 0;
	step_context(s);
	if (phase == STEP_PHASE_REVERTING)
		return settle_by_revert(s, reterr);
	if (step_verify(s, &why) < 0)
		return settle_by_revert(s, reterr);
	return step_finish_apply(s, ATTEMPT_PHASE_DONE, 0,
				 "the step was killed after it had done it", reterr);
}

/* A revert that was killed is run again: it is idempotent. Without its undo record it was over. */
static int settle_revert(struct step *s, enum step_phase phase, struct err *reterr)
{
	struct err why = { 0 };
	int r;

	if (phase == STEP_PHASE_REVERTING) {
		r = undo_read(s, s->record.target_key, &why);
		if (r == 0) {
			undo_disarm(s, s->record.target_key);
			return step_finish(s, ATTEMPT_PHASE_DONE, 0,
					   "the step was killed after it was undone", reterr);
		}
		r = r > 0 ? validate_action(s, s->undo.action, &why) : r;
		if (r == 0 && !s->ops->revert)
			r = -EOPNOTSUPP;
	} else {
		r = validate_record(s, &why);
	}
	if (r < 0)
		return step_finish_invalid(s, r, &why, reterr);
	return is_for_next_run(s) ? 0 : step_run_revert(s, reterr);
}

static int settle_apply(struct step *s, enum step_phase phase, bool has_record, struct err *reterr)
{
	struct step_result expired;
	struct err why = { 0 };
	int r = undo_read(s, s->key, &why);

	/* The undo record goes last in a revert, so without it all is as before. */
	if (r == 0 && phase == STEP_PHASE_REVERTING && has_record) {
		undo_disarm(s, s->key);
		s->result.reverted = true;
		return step_finish(s, ATTEMPT_PHASE_FAILED, -EINTR, "it failed and was undone",
				   reterr);
	}
	if (r == 0 && step_expired_read(s->steps_fd, s->key, &expired, NULL) > 0 &&
	    expired.phase == ATTEMPT_PHASE_DONE) {
		s->result.reverted = true;
		return step_finish(s, ATTEMPT_PHASE_FAILED, -EINTR,
				   "the step was killed, and undone when its time was over",
				   reterr);
	}
	if (r > 0)
		r = validate_action(s, s->undo.action, &why) == 0 ? 1 : -EPERM;
	if (r > 0)
		return settle_applied(s, phase, reterr);
	return step_finish(s, ATTEMPT_PHASE_UNKNOWN, -EINTR,
			   r < 0 ? err_text(&why) : "killed, and its undo record is gone", reterr);
}

static int settle_claimed(struct step *s, enum step_phase phase, struct err *reterr)
{
	struct err why = { 0 };
	int r = sealed_read(s->steps_fd, s->key, &s->record, sizeof(s->record), STEP_KIND_RECORD,
			    STEP_VERSION, &why);

	if (r == 0)
		r = step_record_check(&s->record, &why);
	if (r == 0 && s->record.op == STEP_OP_REVERT)
		return settle_revert(s, phase, reterr);
	switch (phase) {
	case STEP_PHASE_CHECKED:
	case STEP_PHASE_SNAPSHOT:
		/* Before CHECKED it would be an earlier one's: the key was used before. */
		if (undo_read(s, s->key, NULL) >= 0)
			undo_end(s, s->key);
		return settle_nothing_changed(s, "the step was killed before it changed anything",
					      reterr);
	case STEP_PHASE_CLAIMED:
		return settle_nothing_changed(s, "the step was killed before it changed anything",
					      reterr);
	case STEP_PHASE_APPLYING:
	case STEP_PHASE_APPLIED:
	case STEP_PHASE_REVERTING:
		return settle_apply(s, phase, r == 0, reterr);
	case STEP_PHASE_REVOKED:
	case _STEP_PHASE_MAX:
		break;
	}
	return 0;
}

int step_settle(struct step *s, struct err *reterr)
{
	struct step_claim claim = { 0 };
	struct step_result result;
	int r = step_result_read(s->steps_fd, s->key, &result, reterr);

	if (r > 0)
		return 0;
	/* A result that cannot be read is written again. */
	s->result.settled = true;
	s->span_max_ns = SETTLE_SPAN_MAX_NS;
	r = claim_create(s, reterr);
	if (r < 0)
		return r;
	if (r > 0)
		return settle_nothing_changed(s, "the step never began", reterr);
	r = claim_take_over(s, reterr);
	if (r <= 0)
		return r;
	r = step_claim_read(s->steps_fd, s->key, &claim, reterr);
	s->result.ran = r > 0 && claim.phase >= STEP_PHASE_APPLYING;
	return r <= 0 ? r : settle_claimed(s, claim.phase, reterr);
}
