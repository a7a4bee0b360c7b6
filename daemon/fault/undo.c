/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "fault/fault.h"
#include "sys/unitctl.h"

static void say_first(struct fault *f, int code, const struct err *err)
{
	if (f->status.error == 0)
		f->status.error = code;
	(void)str_copy(f->status.text, sizeof(f->status.text), err_text(err));
}

int fault_undo_all(struct fault *f, struct err *reterr)
{
	struct err err = { 0 };
	int r = 0;

	fault_enter(f, FAULT_STATE_REVERTING);
	for (int i = 0; i < FAULT_CLEAR_TRIES; i++) {
		err = (struct err){ 0 };
		r = f->ops->clear ?
			    f->ops->clear(&f->context, f->undo.state, f->undo.state_size, &err) :
			    0;
		if (r == 0)
			break;
		if (r < 0)
			say_first(f, r, &err);
	}
	if (r == 0) {
		fault_enter(f, FAULT_STATE_REVERTED);
		fault_remove_file(f, ".undo");
		fault_enter(f, FAULT_STATE_VERIFIED);
		return 0;
	}
	if (r > 0)
		r = err_set(&err, -EBUSY, "something of it comes back each time");
	say_first(f, r, &err);
	fault_enter(f, FAULT_STATE_STUCK);
	return err_set(reterr, r, "end fault '%s': %s", f->key, err_text(&err));
}

/* An undo file that cannot be read is kept for a person to look at. */
static int undo_from_file(struct fault *f, struct err *reterr)
{
	struct err err = { 0 };
	int r = fault_read_undo(f, reterr);

	if (r <= 0) {
		if (r < 0) {
			say_first(f, r, reterr);
			fault_enter(f, FAULT_STATE_STUCK);
		}
		return r;
	}
	f->ops = fault_find(f->undo.fault);
	if (!f->ops) {
		r = err_set(reterr, -ENOENT, "end fault '%s': there is no fault '%s'", f->key,
			    f->undo.fault);
		say_first(f, r, reterr);
		fault_enter(f, FAULT_STATE_STUCK);
		return r;
	}
	if (!f->context.bus && unitctl_open(&f->context.bus, &err) < 0)
		log_line(LOG_WARNING, "%s, ignoring", err_text(&err));
	r = fault_undo_all(f, reterr);
	return r < 0 ? r : 1;
}

/* The process died before it could say how it ended, and nothing is on record. */
static void close_status(struct fault *f)
{
	if (f->status.reached_us[FAULT_STATE_INJECTED] > 0) {
		fault_enter(f, FAULT_STATE_VERIFIED);
		return;
	}
	(void)str_copy(f->status.text, sizeof(f->status.text),
		       "its process was killed before it had changed anything");
	fault_enter(f, FAULT_STATE_FAILED);
}

int fault_clear(struct fault *f, struct err *reterr)
{
	struct err err = { 0 };
	int has_status = fault_read_status(f, &err);
	int r;

	/* An end that cannot be confined is still an end. */
	if (fault_confine(reterr) < 0)
		log_line(LOG_WARNING, "%s, ignoring", err_text(reterr));
	if (has_status < 0) {
		log_line(LOG_WARNING, "%s, ignoring", err_text(&err));
		f->status = (struct fault_status){ 0 };
	}
	(void)str_copy(f->status.key, sizeof(f->status.key), f->key);
	r = undo_from_file(f, reterr);
	if (r == 0 && (has_status != 0 || fault_has_file(f, "")) &&
	    !fault_state_is_final(f->status.state))
		close_status(f);
	fault_finish(f);
	return r < 0 ? r : 0;
}
