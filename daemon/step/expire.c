/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "step/step.h"

/* The end of a change that was made for a time, started by PID 1's timer. It needs nobody of ours, may be
 * killed and run again, and waits for a step that has the same undo record in hand. */

/* Returns 1: undone; 0 with why: it cannot be, and another try would end the same; -errno: try again. Only
 * the action itself can say that somebody else has the word now: that Docker or systemd do not answer is
 * no end. */
static int expire(struct step *s, struct err *why)
{
	int r = validate_undo(s, why);

	/* Another profile's: it is for another unit to undo. */
	if (r < 0)
		return r == -EPERM ? r : 0;
	step_context(s);
	r = s->ops->revert(&s->context, s->undo.data, s->undo.size, why);
	if (r == -ECANCELED || r == -EBADMSG)
		return 0;
	return r < 0 ? r : 1;
}

int step_expire(struct step *s, struct err *reterr)
{
	struct err why = { 0 };
	int r = undo_read(s, s->key, &why), q;

	if (r == 0 || (r > 0 && params_duration_ns(&s->undo.params) == 0))
		return 0;
	if (r > 0)
		r = expire(s, &why);
	else if (r == -EBADMSG)
		r = 0;
	if (r < 0)
		return err_set(reterr, r, "%s", err_text(&why));
	/* Told before the record goes: who finds none finds this. */
	q = r > 0 ? step_write_result(s, ".expired", ATTEMPT_PHASE_DONE, 0, NULL, reterr) :
		    step_write_result(s, ".expired", ATTEMPT_PHASE_FAILED, why.code, err_text(&why),
				      reterr);
	if (q > 0)
		undo_end(s, s->key);
	return q;
}
