/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "step/step.h"
#include "sys/credential.h"
#include "sys/expiry.h"
#include "sys/unitctl.h"

int step_open(struct step *s, const char *root, const char *runtime_dir, const char *key,
	      struct err *reterr)
{
	struct err none = { 0 };

	*s = (struct step){ .key = key,
			    .root_fd = -EBADF,
			    .run_fd = -EBADF,
			    .steps_fd = -EBADF,
			    .undo_fd = -EBADF,
			    .claim_fd = -EBADF,
			    .credentials_fd = -EBADF,
			    .undo_lock_fd = -EBADF,
			    .span_max_ns = UINT64_MAX };
	if (!str_is_hex128(key))
		return err_set(reterr, -EINVAL, "open step '%s': not 32 hexadecimal digits", key);
	s->root_fd = fd_open_dir(AT_FDCWD, root, reterr);
	if (s->root_fd < 0)
		return s->root_fd;
	s->run_fd = fd_open_dir(AT_FDCWD, runtime_dir, reterr);
	if (s->run_fd < 0)
		return s->run_fd;
	s->steps_fd = fd_open_dir(s->run_fd, "steps", reterr);
	if (s->steps_fd < 0)
		return s->steps_fd;
	s->undo_fd = fd_open_dir(s->run_fd, "undo", reterr);
	if (s->undo_fd < 0)
		return s->undo_fd;
	/* systemd hides them from ExecStopPost=, where a settle must still do its best: what cannot do
	 * without one says so. */
	s->credentials_fd = credential_open_dir(&none);
	return 0;
}

void step_done(struct step *s)
{
	const int fds[] = { s->root_fd,  s->run_fd,         s->steps_fd,    s->undo_fd,
			    s->claim_fd, s->credentials_fd, s->undo_lock_fd };

	for (size_t i = 0; i < ELEMENTSOF(fds); i++)
		closep(&fds[i]);
	s->bus = s->bus ? unitctl_close(s->bus) : NULL;
	services_done(&s->services);
	s->has_services = false;
}

uint64_t step_deadline_ns(const struct step *s)
{
	uint64_t span_ns = s->ops->timeout_ms * NS_PER_MS;

	return clock_boot_ns() + (span_ns < s->span_max_ns ? span_ns : s->span_max_ns);
}

/* What an undo needs is in its record: that services.d can no longer be read does not stop it. */
static void load_services(struct step *s)
{
	struct err err = { 0 };

	if (!s->has_services)
		s->has_services = services_load_trusted(s->root_fd, &s->services, &err) == 0;
}

void step_open_bus(struct step *s)
{
	struct err err = { 0 };

	/* Not reached is not fatal here: each call says so, and what needs no bus works. */
	if (!s->bus && unitctl_open(&s->bus, &err) < 0)
		s->bus = NULL;
}

void step_context(struct step *s)
{
	step_open_bus(s);
	load_services(s);
	s->context = (struct action_context){
		.params = s->has_undo ? &s->undo.params : &s->record.params,
		.entity = s->has_undo ? s->undo.entity : s->entity,
		.services = s->has_services ? &s->services : NULL,
		.credentials_fd = s->credentials_fd,
		.key = s->has_undo ? s->undo.key : s->key,
		.dry_run = s->record.op == STEP_OP_DRY_RUN,
		.by_person = s->has_undo ? s->undo.by_person : s->record.by_person,
		.root_fd = s->root_fd,
		.bus = s->bus,
		.deadline_ns = step_deadline_ns(s),
		.record = undo_replace,
		.priv = s,
		.text = s->result.text,
		.text_size = sizeof(s->result.text),
	};
	if (s->has_undo) {
		s->context.undo = s->undo.data;
		s->context.undo_size = s->undo.size;
	}
}

int step_write_result(struct step *s, const char *suffix, enum attempt_phase phase, int error,
		      const char *text, struct err *reterr)
{
	char name[STR_HEX128_MAX + 16] = "", clean[RECORD_TEXT_MAX];
	struct step_result *result = &s->result;
	int r;

	str_append(name, sizeof(name), "%s%s", s->key, suffix);
	if (text)
		str_append(result->text, sizeof(result->text), "%s%s", result->text[0] ? "; " : "",
			   text);
	(void)str_copy(result->text, sizeof(result->text),
		       str_escape(clean, sizeof(clean), result->text));
	(void)str_copy(result->key, sizeof(result->key), s->key);
	result->phase = phase;
	result->error = error;
	r = sealed_close(result, sizeof(*result), STEP_KIND_RESULT, STEP_VERSION);
	if (r < 0)
		return err_set(reterr, r, "seal result: %s", strerror(-r));
	/* The executor, another user, reads it. */
	r = fd_write_atomic(s->steps_fd, name, result, sizeof(*result), 0644, false, reterr);
	return r < 0 ? r : 1;
}

int step_finish(struct step *s, enum attempt_phase phase, int error, const char *text,
		struct err *reterr)
{
	return step_write_result(s, ".result", phase, error, text, reterr);
}

int step_finish_invalid(struct step *s, int error, const struct err *why, struct err *reterr)
{
	if (error == -EALREADY)
		return step_finish(s, ATTEMPT_PHASE_DONE, 0, err_text(why), reterr);
	return step_finish(s, ATTEMPT_PHASE_FAILED, error, err_text(why), reterr);
}

int step_finish_apply(struct step *s, enum attempt_phase phase, int error, const char *text,
		      struct err *reterr)
{
	int r = step_finish(s, phase, error, text, reterr);

	if (r > 0 && !s->ops->revert)
		undo_end(s, s->key);
	return r;
}

int step_verify(struct step *s, struct err *reterr)
{
	clock_sleep_ns(s->ops->settle_ms * NS_PER_MS);
	return s->ops->verify(&s->context, reterr);
}

/* Undo is given a time of its own: what apply() used up must not be missing here. */
int step_revert(struct step *s, struct err *reterr)
{
	int r = claim_write(s, STEP_PHASE_REVERTING, reterr);

	if (r < 0)
		return r;
	s->context.deadline_ns = step_deadline_ns(s);
	return s->ops->revert(&s->context, s->undo.data, s->undo.size, reterr);
}

/* apply() or verify() said no: puts back what may have changed and says how that went. */
static int fail_after_apply(struct step *s, int error, const struct err *why, struct err *reterr)
{
	struct err err = { 0 };
	int r;

	s->result.text[0] = '\0';
	if (!s->ops->revert || !s->has_undo)
		return step_finish_apply(
			s, error == -EINPROGRESS ? ATTEMPT_PHASE_UNKNOWN : ATTEMPT_PHASE_FAILED,
			error, err_text(why), reterr);
	r = step_revert(s, &err);
	if (r < 0) {
		str_append(s->result.text, sizeof(s->result.text), "%s", err_text(why));
		return step_finish(s, ATTEMPT_PHASE_UNKNOWN, r, err_text(&err), reterr);
	}
	s->result.reverted = true;
	undo_end(s, s->key);
	return step_finish(s, ATTEMPT_PHASE_FAILED, error, err_text(why), reterr);
}

/* What is done for a time has its end before its beginning, and it is PID 1's. */
static int arm(struct step *s, struct err *reterr)
{
	uint64_t span_ns = params_duration_ns(&s->undo.params);
	char service[STEP_UNIT_MAX];

	return span_ns == 0 ? 0 :
			      expiry_arm(s->bus, step_expire_unit_name(s->profile, s->key, service),
					 span_ns, reterr);
}

/* Returns bytes; -errno. */
static int take_snapshot(struct step *s, struct err *reterr)
{
	_Alignas(max_align_t) uint8_t data[ACTION_UNDO_MAX] = { 0 };
	int r = s->ops->snapshot ? s->ops->snapshot(&s->context, data, reterr) : 0;

	if (r >= 0)
		r = undo_create(s, data, (size_t)r, reterr);
	if (r >= 0)
		r = arm(s, reterr);
	if (r >= 0)
		r = claim_write(s, STEP_PHASE_SNAPSHOT, reterr);
	if (r < 0)
		return r;
	s->context.undo = s->undo.data;
	s->context.undo_size = s->undo.size;
	return 0;
}

static int apply_and_verify(struct step *s, struct err *reterr)
{
	struct err why = { 0 };
	int r = claim_write(s, STEP_PHASE_APPLYING, reterr);

	if (r < 0)
		return r;
	r = s->ops->apply(&s->context, &why);
	if (r < 0)
		return fail_after_apply(s, r, &why, reterr);
	r = claim_write(s, STEP_PHASE_APPLIED, reterr);
	if (r < 0)
		return r;
	r = step_verify(s, &why);
	/* It was done; that its effect cannot be seen is no failure. */
	if (r < 0 && r != -EINPROGRESS)
		return fail_after_apply(s, r, &why, reterr);
	return step_finish_apply(s, ATTEMPT_PHASE_DONE, 0, NULL, reterr);
}

static int run_apply(struct step *s, struct err *reterr)
{
	struct err why = { 0 };
	int r;

	step_context(s);
	r = s->ops->check(&s->context, &why);
	if (r < 0)
		return step_finish(s, ATTEMPT_PHASE_FAILED, r, err_text(&why), reterr);
	if (r > 0)
		return step_finish(s, ATTEMPT_PHASE_DONE, 0, "nothing to do", reterr);
	r = claim_write(s, STEP_PHASE_CHECKED, reterr);
	if (r < 0)
		return r;
	if (s->record.op == STEP_OP_DRY_RUN) {
		r = s->ops->apply(&s->context, &why);
		return step_finish(s, r < 0 ? ATTEMPT_PHASE_FAILED : ATTEMPT_PHASE_DONE, r,
				   r < 0 ? err_text(&why) : NULL, reterr);
	}
	undo_prune(s);
	r = ledger_spend(s, &why);
	if (r == 0)
		r = take_snapshot(s, &why);
	if (r < 0) {
		if (s->has_undo)
			undo_end(s, s->key);
		return step_finish(s, ATTEMPT_PHASE_FAILED, r, err_text(&why), reterr);
	}
	return apply_and_verify(s, reterr);
}

int step_run_revert(struct step *s, struct err *reterr)
{
	struct err why = { 0 };
	int r;

	step_context(s);
	r = step_revert(s, &why);
	if (r < 0)
		return step_finish(s,
				   r == -ECANCELED ? ATTEMPT_PHASE_FAILED : ATTEMPT_PHASE_UNKNOWN,
				   r, err_text(&why), reterr);
	undo_end(s, s->record.target_key);
	return step_finish(s, ATTEMPT_PHASE_DONE, 0, NULL, reterr);
}

/* The claim says so, too, but it lies where the executor may remove it. From here on an undo record of
 * this key is ours. */
static int check_key_is_new(const struct step *s, struct err *reterr)
{
	int r = ledger_knows(s, reterr);

	return r > 0 ? err_set(reterr, -EEXIST, "take key '%s': it was used before", s->key) : r;
}

int step_run(struct step *s, struct err *reterr)
{
	struct err why = { 0 };
	int r = claim_create(s, reterr);

	if (r == 0) {
		s->is_next_run = true;
		return step_settle(s, reterr);
	}
	if (r < 0)
		return r;
	r = validate_record(s, &why);
	if (r == 0 && s->record.op == STEP_OP_APPLY)
		r = check_key_is_new(s, &why);
	if (r < 0)
		return step_finish_invalid(s, r, &why, reterr);
	return s->record.op == STEP_OP_REVERT ? step_run_revert(s, reterr) : run_apply(s, reterr);
}
