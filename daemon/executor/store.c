/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "executor/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define FILE_NAME_MAX  64
#define SWEEP_SCAN_MAX 4096 /* names looked at in one sweep */
#define SWEEP_OLD_S    3600
#define KEYS_FILE      "idempotency"

static int open_made(int dir_fd, const char *name, mode_t mode, struct err *reterr)
{
	if (mkdirat(dir_fd, name, mode) < 0 && errno != EEXIST)
		return err_set(reterr, -errno, "make directory '%s': %s", name, strerror(errno));
	return fd_open_dir(dir_fd, name, reterr);
}

int store_open(struct store *s, const char *runtime_dir, struct err *reterr)
{
	int r;

	*s = (struct store){ .run_fd = -EBADF,
			     .exec_fd = -EBADF,
			     .attempts_fd = -EBADF,
			     .audit_fd = -EBADF,
			     .steps_fd = -EBADF };
	r = step_boot_id(s->boot_id, reterr);
	if (r < 0)
		return r;
	s->run_fd = r = fd_open_dir(AT_FDCWD, runtime_dir, reterr);
	if (r >= 0)
		s->exec_fd = r = open_made(s->run_fd, "exec", 0750, reterr);
	if (r >= 0)
		s->steps_fd = r = open_made(s->run_fd, "steps", 0770, reterr);
	if (r >= 0)
		s->attempts_fd = r = open_made(s->exec_fd, "attempts", 0700, reterr);
	if (r >= 0)
		s->audit_fd = r = open_made(s->exec_fd, "audit", 0700, reterr);
	return r < 0 ? r : 0;
}

void store_done(struct store *s)
{
	const int fds[] = { s->run_fd, s->exec_fd, s->attempts_fd, s->audit_fd, s->steps_fd };

	for (size_t i = 0; i < ELEMENTSOF(fds); i++)
		closep(&fds[i]);
}

static const char *file_name(const char *key, const char *suffix, char buf[static FILE_NAME_MAX])
{
	buf[0] = '\0';
	str_append(buf, FILE_NAME_MAX, "%s%s", key, suffix);
	return buf;
}

static int load_attempt(const struct store *s, const char *key, struct attempts *a)
{
	struct entry read, *e;
	int r = sealed_read(s->attempts_fd, key, &read, sizeof(read), STEP_KIND_ATTEMPT,
			    STEP_VERSION, NULL);

	if (r == 0)
		r = entry_check(&read, NULL);
	if (r == 0 && !str_equal(read.attempt.key, key))
		r = -EBADMSG;
	if (r < 0)
		return r;
	e = attempts_add(a, key);
	if (!e)
		return -EBUSY;
	*e = read;
	return 0;
}

static DIR *open_list(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		(void)close(fd);
	return dir;
}

/* What cannot be read is no leave: until a person says otherwise nothing is begun. Returns whether that
 * is kept. */
static bool stay_paused(const struct store *s, struct broker *b)
{
	b->state.paused = 1;
	return store_save_state(s, &b->state, NULL) == 0;
}

/* Returns the number of bad files. */
static unsigned load_state(const struct store *s, struct broker *b)
{
	struct broker_state state;
	int r = sealed_read(s->exec_fd, STORE_STATE_FILE, &state, sizeof(state), STEP_KIND_STATE,
			    STEP_VERSION, NULL);

	if (r == -ENOENT)
		return 0;
	if (r < 0 || (unsigned)state.mode >= _AUTONOMY_MAX) {
		/* Where that cannot be kept the bad file is still there next time. */
		(void)stay_paused(s, b);
		return 1;
	}
	b->state = state;
	return 0;
}

/* After the state, which may be changed. Returns the number of bad files. */
static unsigned load_budget(const struct store *s, struct broker *b)
{
	struct budget budget;
	int r = sealed_read(s->exec_fd, STORE_BUDGET_FILE, &budget, sizeof(budget),
			    STEP_KIND_BUDGET, STEP_VERSION, NULL);

	if (r == -ENOENT)
		return 0;
	if (r < 0 || budget.n > BUDGET_EVENTS_MAX) {
		if (stay_paused(s, b))
			(void)unlinkat(s->exec_fd, STORE_BUDGET_FILE, 0);
		return 1;
	}
	b->budget = budget;
	if (!str_equal(budget.boot_id, s->boot_id))
		budget_carry_over(&b->budget, s->boot_id, clock_boot_ns(), clock_wall_us());
	return 0;
}

unsigned store_load(struct store *s, struct broker *b)
{
	_cleanup_closedir_ DIR *dir = open_list(s->attempts_fd);
	unsigned n_bad = 0;

	for (const struct dirent *e; dir && (e = readdir(dir));) {
		char bad[FILE_NAME_MAX];

		if (!str_is_hex128(e->d_name) || load_attempt(s, e->d_name, &b->attempts) == 0)
			continue;
		n_bad++;
		(void)renameat(s->attempts_fd, e->d_name, s->attempts_fd,
			       file_name(e->d_name, ".bad", bad));
	}
	n_bad += load_state(s, b);
	n_bad += load_budget(s, b);
	return n_bad;
}

static bool is_old(int dir_fd, const char *name)
{
	struct stat st = { 0 };

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (uint64_t)st.st_mtim.tv_sec + SWEEP_OLD_S < clock_wall_us() / US_PER_S;
}

void store_sweep(const struct store *s, const struct attempts *known)
{
	_cleanup_closedir_ DIR *dir = open_list(s->steps_fd);
	unsigned n = 0;

	for (const struct dirent *e; dir && n < SWEEP_SCAN_MAX && (e = readdir(dir)); n++) {
		char key[STR_HEX128_MAX] = "";

		(void)str_copy(key, sizeof(key), e->d_name);
		if (str_is_hex128(key) && !attempts_find(known, key) &&
		    is_old(s->steps_fd, e->d_name))
			(void)unlinkat(s->steps_fd, e->d_name, 0);
	}
}

int store_persist(const struct store *s, struct entry *e, struct err *reterr)
{
	return sealed_write(s->attempts_fd, e->attempt.key, e, sizeof(*e), STEP_KIND_ATTEMPT,
			    STEP_VERSION, reterr);
}

int store_save_budget(const struct store *s, struct budget *b, struct err *reterr)
{
	b->saved_boot_ns = clock_boot_ns();
	b->saved_wall_us = clock_wall_us();
	return sealed_write(s->exec_fd, STORE_BUDGET_FILE, b, sizeof(*b), STEP_KIND_BUDGET,
			    STEP_VERSION, reterr);
}

int store_load_keys(const struct store *s, struct idempotency *ret, struct err *reterr)
{
	int r = sealed_read(s->exec_fd, KEYS_FILE, ret, sizeof(*ret), STEP_KIND_IDEMPOTENCY,
			    STEP_VERSION, reterr);

	if (r == 0 && ret->n > IDEMPOTENCY_ROWS_MAX)
		r = err_set(reterr, -EBADMSG, "read '%s': too many rows", KEYS_FILE);
	if (r == 0 && str_equal(ret->boot_id, s->boot_id))
		return 0;
	memset(ret, 0, sizeof(*ret));
	(void)str_copy(ret->boot_id, sizeof(ret->boot_id), s->boot_id);
	if (r == 0 || r == -ENOENT)
		return 0;
	(void)unlinkat(s->exec_fd, KEYS_FILE, 0);
	return r;
}

int store_save_keys(const struct store *s, struct idempotency *t, struct err *reterr)
{
	return sealed_write(s->exec_fd, KEYS_FILE, t, sizeof(*t), STEP_KIND_IDEMPOTENCY,
			    STEP_VERSION, reterr);
}

int store_save_state(const struct store *s, struct broker_state *st, struct err *reterr)
{
	return sealed_write(s->exec_fd, STORE_STATE_FILE, st, sizeof(*st), STEP_KIND_STATE,
			    STEP_VERSION, reterr);
}

int store_write_step(const struct store *s, const struct entry *e, uint64_t not_after_ns,
		     struct err *reterr)
{
	struct step_record record;
	int r;

	memset(&record, 0, sizeof(record));
	record.op = e->op;
	record.by_person = e->by_person;
	record.not_after_ns = not_after_ns;
	(void)str_copy(record.key, sizeof(record.key), e->attempt.key);
	(void)str_copy(record.boot_id, sizeof(record.boot_id), s->boot_id);
	(void)str_copy(record.target_key, sizeof(record.target_key), e->target_key);
	(void)str_copy(record.actor, sizeof(record.actor), e->attempt.actor);
	if (e->op != STEP_OP_REVERT) {
		(void)str_copy(record.action, sizeof(record.action), e->attempt.action);
		record.params = e->attempt.params;
	}
	r = sealed_close(&record, sizeof(record), STEP_KIND_RECORD, STEP_VERSION);
	if (r < 0)
		return err_set(reterr, r, "seal step record: %s", strerror(-r));
	/* Steps are root's, but without CAP_DAC_OVERRIDE: they read through the directory's group. */
	r = fd_write_exclusive(s->steps_fd, e->attempt.key, &record, sizeof(record), 0640, reterr);
	return r == -EEXIST ? 0 : r;
}

/* Linked under its name when it is whole, as the step's: exactly one of both wins. */
int store_revoke(const struct store *s, const char *key, struct err *reterr)
{
	static const char line[] = "revoked 0\n";
	char claim[FILE_NAME_MAX], mine[FILE_NAME_MAX];
	struct step_claim found = { 0 };
	int r;

	(void)file_name(key, ".claim", claim);
	(void)file_name(key, ".revoke", mine);
	r = fd_write_atomic(s->steps_fd, mine, line, sizeof(line) - 1, 0644, false, reterr);
	if (r < 0)
		return r;
	if (linkat(s->steps_fd, mine, s->steps_fd, claim, 0) < 0)
		r = -errno;
	(void)unlinkat(s->steps_fd, mine, 0);
	if (r == 0)
		return 1;
	if (r != -EEXIST)
		return err_set(reterr, r, "revoke step '%s': %s", key, strerror(-r));
	r = step_claim_read(s->steps_fd, key, &found, reterr);
	return r < 0 ? r : found.phase == STEP_PHASE_REVOKED;
}

int store_look(const struct store *s, const char *key, struct step_claim *ret_claim,
	       bool *ret_claimed, struct step_result *ret, struct err *reterr)
{
	int r = step_result_read(s->steps_fd, key, ret, reterr);

	if (r != 0)
		return r;
	r = step_claim_read(s->steps_fd, key, ret_claim, reterr);
	*ret_claimed = r > 0;
	return r < 0 ? r : 0;
}

void store_forget(const struct store *s, const char *key)
{
	static const char *const suffixes[] = { "", ".claim", ".result", ".expired", ".revoke" };
	char name[FILE_NAME_MAX];

	(void)unlinkat(s->attempts_fd, key, 0);
	for (size_t i = 0; i < ELEMENTSOF(suffixes); i++)
		(void)unlinkat(s->steps_fd, file_name(key, suffixes[i], name), 0);
}

bool store_is_stopped(const struct store *s)
{
	struct stat st = { 0 };

	return fstatat(s->run_fd, "STOP", &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}
