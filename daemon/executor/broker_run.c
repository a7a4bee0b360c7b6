/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "executor/broker.h"

int broker_keep(struct broker *b, struct entry *e, struct err *reterr)
{
	int r = b->ops->persist(b->userdata, e, reterr);

	if (r == 0)
		b->ops->changed(b->userdata, e);
	return r;
}

void broker_tell(struct broker *b, struct entry *e)
{
	struct err err = { 0 };

	(void)b->ops->persist(b->userdata, e, &err);
	b->ops->changed(b->userdata, e);
}

static void prune(struct broker *b)
{
	struct entry *e = attempts_find_surplus(&b->attempts);

	if (!e)
		return;
	b->ops->forget(b->userdata, e->attempt.key);
	attempts_remove(&b->attempts, e);
}

static void set_text(struct entry *e, const char *text)
{
	if (text != e->attempt.text)
		(void)str_escape(e->attempt.text, sizeof(e->attempt.text), text);
}

static bool may_have_expired(const struct entry *e)
{
	return e->op == STEP_OP_APPLY && params_duration_ns(&e->attempt.params) > 0 &&
	       (e->attempt.phase == ATTEMPT_PHASE_DONE ||
		e->attempt.phase == ATTEMPT_PHASE_UNKNOWN);
}

/* Its time was over: takes note of what that left, once. */
static void look_expired(struct broker *b, struct entry *e)
{
	struct step_result expired;
	char text[RECORD_TEXT_MAX] = "";
	bool is_undone;

	if (!may_have_expired(e) ||
	    b->ops->look_expired(b->userdata, e->attempt.key, &expired, NULL) <= 0)
		return;
	is_undone = expired.phase == ATTEMPT_PHASE_DONE;
	if (!is_undone && e->attempt.phase == ATTEMPT_PHASE_UNKNOWN)
		return;
	e->attempt.phase = is_undone ? ATTEMPT_PHASE_REVERTED : ATTEMPT_PHASE_UNKNOWN;
	e->attempt.error = expired.error;
	str_append(text, sizeof(text), "%s: %s",
		   is_undone ? "its time is over" : "its time is over, and it is not undone",
		   expired.text);
	set_text(e, text);
	b->ops->audit(b->userdata, "expire", "systemd", e);
	broker_tell(b, e);
}

/* What the end of an undo means for what was undone. */
static void end_target(struct broker *b, const struct entry *e)
{
	struct entry *target = attempts_find(&b->attempts, e->target_key);
	char text[RECORD_TEXT_MAX] = "";

	if (!target)
		return;
	look_expired(b, target);
	if (target->attempt.phase == ATTEMPT_PHASE_REVERTED)
		return;
	if (e->attempt.phase == ATTEMPT_PHASE_DONE) {
		target->attempt.phase = ATTEMPT_PHASE_REVERTED;
		set_text(target, e->attempt.text[0] ? e->attempt.text : "undone");
	} else {
		str_append(text, sizeof(text), "undo failed: %s", e->attempt.text);
		target->attempt.phase = ATTEMPT_PHASE_UNKNOWN;
		target->attempt.error = e->attempt.error;
		set_text(target, text);
	}
	broker_tell(b, target);
}

void broker_end(struct broker *b, struct entry *e, enum attempt_phase phase, int error,
		const char *text)
{
	bool ran = entry_is_running(e), undo = e->revert_wanted && phase == ATTEMPT_PHASE_DONE;
	struct err err = { 0 };

	e->attempt.phase = phase;
	e->attempt.error = error;
	e->due_ns = CLOCK_NEVER_NS;
	e->final_ns = b->now_ns;
	set_text(e, text);
	if (ran)
		b->ops->audit(b->userdata, "finish", "executor", e);
	broker_tell(b, e);
	look_expired(b, e);
	if (e->op == STEP_OP_REVERT)
		end_target(b, e);
	if (undo && broker_revert(b, e->attempt.key, e->attempt.actor, "withdrawn while it ran",
				  &err) < 0) {
		set_text(e, err_text(&err));
		b->ops->changed(b->userdata, e);
	}
	prune(b);
}

/* What was never begun does not keep the next from being tried: a frozen bus costs no budget. */
static void refund(struct broker *b, struct entry *e)
{
	struct err err = { 0 };

	if (e->spent_ns == 0)
		return;
	budget_refund(&b->budget, e->attempt.action, &e->entity, e->spent_ns);
	e->spent_ns = 0;
	/* If it cannot be kept, a restart finds it spent: the safe side. */
	(void)b->ops->save_budget(b->userdata, &b->budget, &err);
}

int broker_end_unbegun(struct broker *b, struct entry *e, int error, const char *text)
{
	struct err err = { 0 };
	int r = b->ops->revoke(b->userdata, e->attempt.key, &err);

	if (r > 0) {
		refund(b, e);
		broker_end(b, e, ATTEMPT_PHASE_FAILED, error, text);
		return 1;
	}
	if (r == 0)
		broker_look(b, e->attempt.key);
	else
		set_text(e, err_text(&err));
	/* Neither revoked nor seen to be claimed: stay as we are and try again. */
	if (e->attempt.phase == ATTEMPT_PHASE_STARTING && e->due_ns <= b->now_ns)
		e->due_ns = b->now_ns + BROKER_RETRY_NS;
	return r;
}

/* From here on systemd may be starting it. */
static void ask(struct broker *b, struct entry *e)
{
	const struct action_info *info = action_info_find(e->attempt.action);
	struct err err = { 0 };
	int r = info ? 0 : err_set(&err, -ENOENT, "start step: no action '%s'", e->attempt.action);

	if (r == 0)
		r = b->ops->write_step(b->userdata, e,
				       b->now_ns + BROKER_ASK_MAX_NS + BROKER_CLAIM_MAX_NS, &err);
	if (r == 0) {
		e->asked = true;
		e->asked_ns = b->now_ns;
		e->due_ns = b->now_ns + BROKER_ASK_MAX_NS;
		r = broker_keep(b, e, &err);
	}
	if (r == 0) {
		b->ops->audit(b->userdata, "start", "executor", e);
		r = b->ops->start(b->userdata, e->attempt.key, info->profile, &err);
	}
	if (r < 0)
		(void)broker_end_unbegun(b, e, r, err_text(&err));
}

void broker_start(struct broker *b, struct entry *e)
{
	struct err err = { 0 };
	int r = 0;

	/* An undo waits for its turn; others were denied as busy. */
	if (e->op != STEP_OP_DRY_RUN && attempts_find_writer(&b->attempts, e)) {
		e->attempt.phase = ATTEMPT_PHASE_PROPOSED;
		e->due_ns = b->now_ns + BROKER_RETRY_NS;
		broker_tell(b, e);
		return;
	}
	e->attempt.phase = ATTEMPT_PHASE_STARTING;
	set_text(e, "systemd is asked to start the step");
	if (e->op == STEP_OP_APPLY) {
		budget_spend(&b->budget, e->attempt.action, &e->entity, b->now_ns);
		e->spent_ns = b->now_ns;
		r = b->ops->save_budget(b->userdata, &b->budget, &err);
	}
	if (r == 0)
		r = b->ops->persist(b->userdata, e, &err);
	if (r < 0) {
		broker_end(b, e, ATTEMPT_PHASE_FAILED, r, err_text(&err));
		return;
	}
	ask(b, e);
}

void broker_start_answered(struct broker *b, const char *key, int r, const struct err *err)
{
	struct entry *e = attempts_find(&b->attempts, key);

	if (!e || e->attempt.phase != ATTEMPT_PHASE_STARTING || !e->asked)
		return;
	if (r < 0) {
		(void)broker_end_unbegun(b, e, r, err_text(err));
		return;
	}
	e->answered = true;
	e->due_ns = b->now_ns + BROKER_CLAIM_MAX_NS;
	broker_look(b, key);
}

void broker_start_alive(struct broker *b, const char *key)
{
	struct entry *e = attempts_find(&b->attempts, key);
	uint64_t end_ns;

	if (!e || e->attempt.phase != ATTEMPT_PHASE_STARTING || !e->asked || e->answered)
		return;
	end_ns = e->asked_ns + BROKER_CLAIM_MAX_NS;
	e->due_ns = b->now_ns + BROKER_ASK_MAX_NS < end_ns ? b->now_ns + BROKER_ASK_MAX_NS : end_ns;
}

void broker_job_removed(struct broker *b, const char *key)
{
	struct entry *e = attempts_find(&b->attempts, key);

	if (!e || !entry_is_running(e))
		return;
	broker_look(b, key);
	if (e->attempt.phase == ATTEMPT_PHASE_STARTING && e->due_ns > b->now_ns + BROKER_RETRY_NS)
		e->due_ns = b->now_ns + BROKER_RETRY_NS;
}

static void take_result(struct broker *b, struct entry *e, const struct step_result *result)
{
	char text[RECORD_TEXT_MAX] = "";

	str_append(text, sizeof(text), "%s%s",
		   result->reverted         ? "undone: " :
		   e->op == STEP_OP_DRY_RUN ? "dry run: " :
					      "",
		   result->text);
	e->ran = result->ran;
	broker_end(b, e, result->phase, result->error, text);
}

void broker_look(struct broker *b, const char *key)
{
	struct entry *e = attempts_find(&b->attempts, key);
	struct step_claim claim = { 0 };
	struct step_result result;
	struct err err = { 0 };
	enum attempt_phase phase;
	bool claimed = false;
	int r;

	if (!e)
		return;
	if (!entry_is_running(e)) {
		look_expired(b, e);
		return;
	}
	r = b->ops->look(b->userdata, key, &claim, &claimed, &result, &err);
	if (r > 0) {
		take_result(b, e, &result);
		return;
	}
	if (r < 0) {
		set_text(e, err_text(&err));
		return;
	}
	if (!claimed || claim.phase == STEP_PHASE_REVOKED)
		return;
	if (e->attempt.phase == ATTEMPT_PHASE_STARTING)
		e->due_ns = b->now_ns + BROKER_STEP_MAX_NS;
	phase = step_phase_to_attempt(claim.phase);
	if (phase <= e->attempt.phase)
		return;
	e->attempt.phase = phase;
	set_text(e, claim.phase == STEP_PHASE_REVERTING ? "being undone" : "under way");
	broker_tell(b, e);
}

static void due(struct broker *b, struct entry *e)
{
	struct err err = { 0 };

	switch (e->attempt.phase) {
	case ATTEMPT_PHASE_PROPOSED:
		broker_start(b, e);
		return;
	case ATTEMPT_PHASE_WAITING:
		broker_deny(b, e, "approval-timeout", "nobody approved it in time", "executor");
		return;
	case ATTEMPT_PHASE_STARTING:
		(void)broker_end_unbegun(
			b, e, -ETIMEDOUT,
			e->answered ?
				"start step: systemd did not begin it in time, nothing was changed" :
			e->resumed ?
				"start step: it had not begun when the executor was restarted, nothing was changed" :
				"start step: no answer over D-Bus in time, nothing was changed");
		return;
	case ATTEMPT_PHASE_CLAIMED:
	case ATTEMPT_PHASE_CHECKED:
	case ATTEMPT_PHASE_SNAPSHOT:
	case ATTEMPT_PHASE_APPLIED:
		broker_look(b, e->attempt.key);
		if (!entry_is_running(e))
			return;
		(void)err_set(&err, -ETIMEDOUT, "wait for step: it left no result");
		broker_end(b, e, ATTEMPT_PHASE_UNKNOWN, -ETIMEDOUT, err_text(&err));
		return;
	case ATTEMPT_PHASE_DONE:
	case ATTEMPT_PHASE_FAILED:
	case ATTEMPT_PHASE_REVERTED:
	case ATTEMPT_PHASE_DENIED:
	case ATTEMPT_PHASE_UNKNOWN:
	case _ATTEMPT_PHASE_MAX:
		break;
	}
	e->due_ns = CLOCK_NEVER_NS;
}

/* The first entry that is due; what is done with one may remove others. */
static struct entry *find_due(const struct broker *b)
{
	for (size_t i = 0; i < b->attempts.n; i++)
		if (b->attempts.v[i]->due_ns <= b->now_ns)
			return b->attempts.v[i];
	return NULL;
}

void broker_tick(struct broker *b)
{
	struct entry *e;

	/* Each is put off or ended by due(), so this ends. */
	for (size_t i = 0; i < ATTEMPTS_ACTIVE_MAX && (e = find_due(b)); i++)
		due(b, e);
}

uint64_t broker_next_ns(const struct broker *b)
{
	uint64_t next_ns = CLOCK_NEVER_NS;

	for (size_t i = 0; i < b->attempts.n; i++)
		if (b->attempts.v[i]->due_ns < next_ns)
			next_ns = b->attempts.v[i]->due_ns;
	return next_ns;
}

/* systemd knows nothing of it, so whether it may begin is asked anew, with its budget back: policy, pause
 * and stop file may be others by now, and it may be too late. */
static void start_unasked(struct broker *b, struct entry *e)
{
	if (e->op == STEP_OP_REVERT) {
		ask(b, e);
		return;
	}
	refund(b, e);
	broker_start_again(b, e);
}

static void resume(struct broker *b, struct entry *e)
{
	if (e->attempt.phase == ATTEMPT_PHASE_STARTING && !e->asked) {
		start_unasked(b, e);
		return;
	}
	e->resumed = true;
	if (e->attempt.phase == ATTEMPT_PHASE_STARTING)
		e->due_ns = b->now_ns + BROKER_GRACE_NS;
	else if (e->attempt.phase == ATTEMPT_PHASE_PROPOSED)
		e->due_ns = b->now_ns;
	/* Ends that could not be kept are forgotten: what waited before them waits again. */
	if (e->attempt.phase == ATTEMPT_PHASE_WAITING &&
	    attempts_count_waiting(&b->attempts) > APPROVALS_MAX)
		broker_deny(b, e, "approvals-full", "too many actions wait for a person already",
			    "executor");
	else
		broker_look(b, e->attempt.key);
}

/* What an end has to be followed by may be missing when we were killed right after it. */
static void resume_final(struct broker *b, struct entry *e)
{
	const struct entry *target = e->op == STEP_OP_REVERT ?
					     attempts_find(&b->attempts, e->target_key) :
					     NULL;

	if (target && target->attempt.phase == ATTEMPT_PHASE_DONE &&
	    str_equal(target->revert_key, e->attempt.key))
		end_target(b, e);
	look_expired(b, e);
	/* An undo that is on record speaks for itself. */
	if (e->revert_wanted && e->attempt.phase == ATTEMPT_PHASE_DONE &&
	    !attempts_find(&b->attempts, e->revert_key) &&
	    broker_revert(b, e->attempt.key, e->attempt.actor, "withdrawn while it ran", NULL) < 0)
		e->revert_wanted = false;
}

/* Does it for every attempt; by key, because what is done with one may add and remove others. */
static void for_each(struct broker *b, void (*function)(struct broker *b, struct entry *e))
{
	char keys[ELEMENTSOF(b->attempts.v)][STR_HEX128_MAX];
	size_t n = 0;

	for (size_t i = 0; i < b->attempts.n; i++)
		(void)str_copy(keys[n++], sizeof(keys[0]), b->attempts.v[i]->attempt.key);
	for (size_t i = 0; i < n; i++) {
		struct entry *e = attempts_find(&b->attempts, keys[i]);

		if (e)
			function(b, e);
	}
}

static void resume_one(struct broker *b, struct entry *e)
{
	if (attempt_phase_is_final(e->attempt.phase))
		resume_final(b, e);
	else
		resume(b, e);
}

void broker_resume(struct broker *b)
{
	for_each(b, resume_one);
}

static void look_at_one(struct broker *b, struct entry *e)
{
	broker_look(b, e->attempt.key);
}

void broker_look_at_all(struct broker *b)
{
	for_each(b, look_at_one);
}
