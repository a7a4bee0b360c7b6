/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/step.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static const char *const step_op_table[] = {
	[STEP_OP_APPLY] = "apply",
	[STEP_OP_DRY_RUN] = "dry-run",
	[STEP_OP_REVERT] = "revert",
};
LOOKUP_DEFINE(step_op, enum step_op, step_op_table);

static const char *const step_phase_table[] = {
	[STEP_PHASE_CLAIMED] = "claimed",   [STEP_PHASE_CHECKED] = "checked",
	[STEP_PHASE_SNAPSHOT] = "snapshot", [STEP_PHASE_APPLYING] = "applying",
	[STEP_PHASE_APPLIED] = "applied",   [STEP_PHASE_REVERTING] = "reverting",
	[STEP_PHASE_REVOKED] = "revoked",
};
LOOKUP_DEFINE(step_phase, enum step_phase, step_phase_table);

static int field_error(struct err *reterr, const char *record, const char *field)
{
	return err_set(reterr, -EBADMSG, "check %s: field '%s' is bad", record, field);
}

/* A receiver's first look: what the specs of the action check next must at least be strings. */
static bool params_are_sane(const struct params *p)
{
	if (p->n > PARAMS_MAX)
		return false;
	for (uint32_t i = 0; i < p->n; i++)
		if (!str_is_terminated(p->v[i].name, sizeof(p->v[i].name)) ||
		    !str_is_terminated(p->v[i].text, sizeof(p->v[i].text)) ||
		    (unsigned)p->v[i].type >= _PARAM_TYPE_MAX)
			return false;
	return true;
}

static bool is_key(const char *s, size_t size)
{
	return str_is_terminated(s, size) && str_is_hex128(s);
}

static bool is_clean(const char *s, size_t size)
{
	return str_is_terminated(s, size) && str_is_clean_utf8(s, strlen(s));
}

int step_record_check(const struct step_record *r, struct err *reterr)
{
	static const char record[] = "step record";

	if (!is_key(r->key, sizeof(r->key)))
		return field_error(reterr, record, "key");
	if (!is_key(r->boot_id, sizeof(r->boot_id)))
		return field_error(reterr, record, "boot_id");
	if ((unsigned)r->op >= _STEP_OP_MAX)
		return field_error(reterr, record, "op");
	if (r->op == STEP_OP_REVERT ? !is_key(r->target_key, sizeof(r->target_key)) :
				      r->target_key[0] != '\0')
		return field_error(reterr, record, "target_key");
	if (r->by_person > 1)
		return field_error(reterr, record, "by_person");
	if (!is_clean(r->action, sizeof(r->action)))
		return field_error(reterr, record, "action");
	if (!params_are_sane(&r->params))
		return field_error(reterr, record, "params");
	if (!is_clean(r->actor, sizeof(r->actor)))
		return field_error(reterr, record, "actor");
	return 0;
}

int step_result_check(const struct step_result *r, struct err *reterr)
{
	static const char record[] = "step result";

	if (!is_key(r->key, sizeof(r->key)))
		return field_error(reterr, record, "key");
	if (r->phase != ATTEMPT_PHASE_DONE && r->phase != ATTEMPT_PHASE_FAILED &&
	    r->phase != ATTEMPT_PHASE_UNKNOWN)
		return field_error(reterr, record, "phase");
	if (r->reverted > 1 || r->ran > 1 || r->settled > 1)
		return field_error(reterr, record, "reverted");
	if (r->error > 0)
		return field_error(reterr, record, "error");
	if (!is_clean(r->text, sizeof(r->text)))
		return field_error(reterr, record, "text");
	return 0;
}

int undo_record_check(const struct undo_record *u, struct err *reterr)
{
	static const char record[] = "undo record";

	if (!is_key(u->key, sizeof(u->key)))
		return field_error(reterr, record, "key");
	if (!is_key(u->boot_id, sizeof(u->boot_id)))
		return field_error(reterr, record, "boot_id");
	if (!is_clean(u->action, sizeof(u->action)))
		return field_error(reterr, record, "action");
	if (!params_are_sane(&u->params))
		return field_error(reterr, record, "params");
	if (!entity_is_valid(&u->entity))
		return field_error(reterr, record, "entity");
	if (u->by_person > 1)
		return field_error(reterr, record, "by_person");
	if (u->size > sizeof(u->data))
		return field_error(reterr, record, "size");
	return 0;
}

/* "applying 81234567\n": the phase of one whole line, or -1. */
static int parse_line(const char *line, size_t length)
{
	char word[16] = "";
	const char *space = memchr(line, ' ', length);

	if (!space || (size_t)(space - line) >= sizeof(word))
		return -1;
	memcpy(word, line, (size_t)(space - line));
	return step_phase_from_string(word);
}

enum step_phase step_claim_parse(const char *text)
{
	enum step_phase phase = STEP_PHASE_CLAIMED;

	for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
		int p = parse_line(text, (size_t)(end - text));

		if (p >= 0)
			phase = (enum step_phase)p;
	}
	return phase;
}

int step_claim_read(int steps_fd, const char *key, struct step_claim *ret, struct err *reterr)
{
	char name[STR_HEX128_MAX + sizeof(".claim")] = "", text[STEP_CLAIM_MAX] = "";
	struct stat st = { 0 };
	ssize_t n;

	str_append(name, sizeof(name), "%s.claim", key);
	if (fstatat(steps_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 :
					 err_set(reterr, -errno, "read claim '%s': %s", name,
						 strerror(errno));
	n = fd_read_file(steps_fd, name, text, sizeof(text));
	if (n < 0)
		return err_set(reterr, (int)n, "read claim '%s': %s", name, strerror((int)-n));
	*ret = (struct step_claim){ .phase = step_claim_parse(text), .by_root = st.st_uid == 0 };
	return 1;
}

static int read_result(int steps_fd, const char *key, const char *suffix, struct step_result *ret,
		       struct err *reterr)
{
	char name[STR_HEX128_MAX + 16] = "";
	struct step_result result;
	int r;

	str_append(name, sizeof(name), "%s%s", key, suffix);
	r = sealed_read(steps_fd, name, &result, sizeof(result), STEP_KIND_RESULT, STEP_VERSION,
			reterr);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = step_result_check(&result, reterr);
	if (r < 0)
		return r;
	if (!str_equal(result.key, key))
		return field_error(reterr, "step result", "key");
	*ret = result;
	return 1;
}

int step_result_read(int steps_fd, const char *key, struct step_result *ret, struct err *reterr)
{
	return read_result(steps_fd, key, ".result", ret, reterr);
}

int step_expired_read(int steps_fd, const char *key, struct step_result *ret, struct err *reterr)
{
	return read_result(steps_fd, key, ".expired", ret, reterr);
}

enum attempt_phase step_phase_to_attempt(enum step_phase p)
{
	switch (p) {
	case STEP_PHASE_CLAIMED:
		return ATTEMPT_PHASE_CLAIMED;
	case STEP_PHASE_CHECKED:
		return ATTEMPT_PHASE_CHECKED;
	case STEP_PHASE_SNAPSHOT:
	case STEP_PHASE_APPLYING:
		return ATTEMPT_PHASE_SNAPSHOT;
	case STEP_PHASE_APPLIED:
	case STEP_PHASE_REVERTING:
		return ATTEMPT_PHASE_APPLIED;
	case STEP_PHASE_REVOKED:
	case _STEP_PHASE_MAX:
		break;
	}
	return ATTEMPT_PHASE_FAILED;
}

/* The template units, without "@.service". */
#define STEP_PREFIX   "aiops-step"
#define EXPIRE_PREFIX "aiops-expire"

static const char *const suffixes[] = {
	[STEP_PROFILE_BUS] = "",
	[STEP_PROFILE_FILES] = "-files",
	[STEP_PROFILE_NET] = "-net",
	[STEP_PROFILE_PROC] = "-proc",
	[STEP_PROFILE_DATABASE] = "-database",
};
_Static_assert(ELEMENTSOF(suffixes) == _STEP_PROFILE_MAX, "each profile has its unit");

const char *step_unit_name(enum step_profile profile, const char *key,
			   char buf[static STEP_UNIT_MAX])
{
	buf[0] = '\0';
	str_append(buf, STEP_UNIT_MAX, STEP_PREFIX "%s@%s.service", suffixes[profile], key);
	return buf;
}

const char *step_expire_unit_name(enum step_profile profile, const char *key,
				  char buf[static STEP_UNIT_MAX])
{
	buf[0] = '\0';
	str_append(buf, STEP_UNIT_MAX, EXPIRE_PREFIX "%s@%s.service", suffixes[profile], key);
	return buf;
}

int step_unit_parse(const char *unit, char ret_key[static STR_HEX128_MAX])
{
	char key[STR_HEX128_MAX] = "", prefix[STEP_UNIT_MAX] = "", again[STEP_UNIT_MAX];
	const char *at = strchr(unit, '@');
	enum step_profile profile;

	if (!at || (size_t)(at - unit) >= sizeof(prefix) || strlen(at) < STR_HEX128_MAX)
		return -EINVAL;
	memcpy(prefix, unit, (size_t)(at - unit));
	memcpy(key, at + 1, STR_HEX128_MAX - 1);
	if (step_profile_from_prefix(prefix, &profile) < 0 || !str_is_hex128(key) ||
	    !str_equal(step_unit_name(profile, key, again), unit))
		return -EINVAL;
	return str_copy(ret_key, STR_HEX128_MAX, key);
}

int step_profile_from_prefix(const char *prefix, enum step_profile *ret)
{
	bool is_step = strncmp(prefix, STEP_PREFIX, strlen(STEP_PREFIX)) == 0;
	bool is_expire = strncmp(prefix, EXPIRE_PREFIX, strlen(EXPIRE_PREFIX)) == 0;

	if (!is_step && !is_expire)
		return -EINVAL;
	prefix += strlen(is_step ? STEP_PREFIX : EXPIRE_PREFIX);
	for (unsigned i = 0; i < _STEP_PROFILE_MAX; i++) {
		if (!str_equal(suffixes[i], prefix))
			continue;
		*ret = (enum step_profile)i;
		return 0;
	}
	return -EINVAL;
}

int step_boot_id(char ret[static STR_HEX128_MAX], struct err *reterr)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	char text[64] = "", hex[STR_HEX128_MAX] = "";
	ssize_t n = fd_read_file(AT_FDCWD, path, text, sizeof(text));
	size_t used = 0;

	if (n < 0)
		return err_set(reterr, (int)n, "read file '%s': %s", path, strerror((int)-n));
	for (const char *p = text; *p && used + 1 < sizeof(hex); p++)
		if (*p != '-' && *p != '\n')
			hex[used++] = *p;
	if (!str_is_hex128(hex))
		return err_set(reterr, -EBADMSG, "read file '%s': no boot id in it", path);
	return str_copy(ret, STR_HEX128_MAX, hex);
}
