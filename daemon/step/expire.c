/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "step/step.h"

/* The end of a change that was made for a time, started by PID 1's timer. It needs nobody of ours, may be
 * killed and run again, and waits for a step that has the same undo record in hand. */

/* Another try would end the same. */
static bool is_final(int error)
{
	return error == -ECANCELED || error == -EBADMSG || error == -ENOENT || error == -EINVAL ||
	       error == -ESTALE || error == -EOPNOTSUPP;
}

static int expire(struct step *s, struct err *reterr)
{
	int r = validate_undo(s, reterr);

	if (r < 0)
		return r;
	step_context(s);
	return s->ops->revert(&s->context, s->undo.data, s->undo.size, reterr);
}

int step_expire(struct step *s, struct err *reterr)
{
	struct err why = { 0 };
	int r = undo_read(s, s->key, &why), q;

	if (r == 0 || (r > 0 && params_duration_ns(&s->undo.params) == 0))
		return 0;
	if (r > 0)
		r = expire(s, &why);
	if (r < 0 && !is_final(r))
		return err_set(reterr, r, "%s", err_text(&why));
	/* Told before the record goes: who finds none finds this. */
	q = step_write_result(s, ".expired", r < 0 ? ATTEMPT_PHASE_FAILED : ATTEMPT_PHASE_DONE, r,
			      r < 0 ? err_text(&why) : NULL, reterr);
	if (q > 0)
		undo_end(s, s->key);
	return q;
}
