/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/paths.h"
#include "step/step.h"

static int check_same_boot(const char *boot_id, struct err *reterr)
{
	char now[STR_HEX128_MAX] = "";
	int r = step_boot_id(now, reterr);

	if (r < 0)
		return r;
	if (!str_equal(now, boot_id))
		return err_set(reterr, -ESTALE, "check record: it is of an earlier boot");
	return 0;
}

static int read_record(struct step *s, struct err *reterr)
{
	int r = sealed_read(s->steps_fd, s->key, &s->record, sizeof(s->record), STEP_KIND_RECORD,
			    STEP_VERSION, reterr);

	if (r == 0)
		r = step_record_check(&s->record, reterr);
	if (r < 0)
		return r;
	if (!str_equal(s->record.key, s->key))
		return err_set(reterr, -EBADMSG, "check record: it is another's");
	if (clock_boot_ns() > s->record.not_after_ns)
		return err_set(reterr, -ETIME, "check record: it came too late to be begun");
	return check_same_boot(s->record.boot_id, reterr);
}

int validate_action(struct step *s, const char *name, struct err *reterr)
{
	s->ops = action_find(name);
	if (!s->ops)
		return err_set(reterr, -ENOENT, "find action '%s': there is none", name);
	if (s->ops->profile != s->profile)
		return err_set(reterr, -EPERM, "find action '%s': it is of profile '%s', not '%s'",
			       name, step_profile_to_string(s->ops->profile),
			       step_profile_to_string(s->profile));
	return 0;
}

static int find_action(struct step *s, const char *name, const struct params *params,
		       struct err *reterr)
{
	int r = validate_action(s, name, reterr);

	return r < 0 ? r : params_check(s->ops->params, params, reterr);
}

/* Our own reading of the files: what the executor thinks of the policy does not count here. */
static int check_policy(struct step *s, struct err *reterr)
{
	_cleanup_(policy_done) struct policy policy = { 0 };
	struct decision decision = { 0 };
	int r = policy_load(s->root_fd, &policy, reterr);

	s->per_host_per_hour = policy.limits.per_host_per_hour;
	if (r == 0)
		r = services_load_trusted(s->root_fd, &s->services, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "load policy");
	s->has_services = true;
	r = action_entity(s->ops->target, &s->record.params, &s->services, &s->entity, reterr);
	if (r == 0)
		r = policy_check_duration(&policy, &s->record.params, reterr);
	if (r < 0)
		return r;
	policy_decide(&policy, &s->services, s->ops->name, &s->entity,
		      s->record.by_person ? AUTONOMY_APPROVE : AUTONOMY_AUTO, &decision);
	switch (decision.verdict) {
	case DECISION_ALLOW:
	case DECISION_ASK: /* the executor had a person's word */
		return 0;
	case DECISION_SUGGEST:
	case DECISION_DENY:
	case _DECISION_MAX:
		break;
	}
	return err_set(reterr, -EPERM, "check policy (%s): %s", decision.by, decision.text);
}

static int check_stop_file(const struct step *s, struct err *reterr)
{
	struct stat st = { 0 };

	if (fstatat(s->run_fd, "STOP", &st, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(reterr, -EPERM, "check for '%s': it is there", PATH_STOP_FILE);
	if (errno != ENOENT)
		return err_set(reterr, -errno, "check for '%s': %s", PATH_STOP_FILE,
			       strerror(errno));
	return 0;
}

int validate_undo(struct step *s, struct err *reterr)
{
	int r = check_same_boot(s->undo.boot_id, reterr);

	if (r == 0)
		r = find_action(s, s->undo.action, &s->undo.params, reterr);
	if (r == 0 && !s->ops->revert)
		r = err_set(reterr, -EOPNOTSUPP, "undo attempt '%s': %s cannot be undone",
			    s->undo.key, s->ops->name);
	return r;
}

/* Undo is always allowed, and only by what root wrote down itself. */
static int validate_revert(struct step *s, struct err *reterr)
{
	const char *key = s->record.target_key;
	struct step_result expired;
	int r = undo_read(s, key, reterr);

	if (r < 0)
		return r;
	if (r > 0)
		return validate_undo(s, reterr);
	if (step_expired_read(s->steps_fd, key, &expired, NULL) > 0 &&
	    expired.phase == ATTEMPT_PHASE_DONE)
		return err_set(reterr, -EALREADY, "its time was over before: %s", expired.text);
	return err_set(reterr, -ENOENT, "undo attempt '%s': there is no undo record", key);
}

int validate_record(struct step *s, struct err *reterr)
{
	int r = read_record(s, reterr);

	if (r < 0)
		return r;
	if (s->record.op == STEP_OP_REVERT)
		return validate_revert(s, reterr);
	r = find_action(s, s->record.action, &s->record.params, reterr);
	if (r < 0)
		return r;
	r = check_policy(s, reterr);
	if (r == 0)
		r = check_stop_file(s, reterr);
	return r;
}
