/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "step/step.h"
#include "sys/expiry.h"

#define UNDO_MAX    512   /* records kept: twice what the executor remembers of attempts */
#define UNDO_KEEP_S 86400 /* who did not undo it by then has come to live with it */

_Static_assert(STEP_UNDO_MAX == ACTION_UNDO_MAX, "an action's undo data must fit its record");

/* Returns 1; 0 if there is no record; -errno. */
static int lock_record(struct step *s, const char *key, struct err *reterr)
{
	closep(&s->undo_lock_fd);
	s->undo_lock_fd = -EBADF;
	for (;;) {
		_cleanup_close_ int fd = openat(s->undo_fd, key,
						O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		struct stat st = { 0 };

		if (fd < 0 && errno == ENOENT)
			return 0;
		/* As long as who has it is at work: systemd ends a step that hangs. */
		if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0)
			return err_set(reterr, -errno, "lock undo record '%s': %s", key,
				       strerror(errno));
		if (st.st_nlink == 0) /* removed or replaced while we waited */
			continue;
		s->undo_lock_fd = TAKE_FD(fd);
		return 1;
	}
}

int undo_create(struct step *s, const void *data, size_t size, struct err *reterr)
{
	int r;

	s->undo = (struct undo_record){ .size = (uint32_t)size,
					.params = s->record.params,
					.entity = s->context.entity,
					.by_person = s->record.by_person };
	(void)str_copy(s->undo.key, sizeof(s->undo.key), s->key);
	(void)str_copy(s->undo.boot_id, sizeof(s->undo.boot_id), s->record.boot_id);
	(void)str_copy(s->undo.action, sizeof(s->undo.action), s->record.action);
	memcpy(s->undo.data, data, size);
	r = sealed_close(&s->undo, sizeof(s->undo), STEP_KIND_UNDO, STEP_VERSION);
	if (r < 0)
		return err_set(reterr, r, "seal undo record '%s': %s", s->key, strerror(-r));
	r = fd_write_exclusive(s->undo_fd, s->key, &s->undo, sizeof(s->undo), 0600, reterr);
	s->has_undo = r == 0;
	if (r == 0)
		r = lock_record(s, s->key, reterr);
	return r < 0 ? r : 0;
}

int undo_read(struct step *s, const char *key, struct err *reterr)
{
	int r = lock_record(s, key, reterr);

	if (r <= 0)
		return r;
	r = sealed_read(s->undo_fd, key, &s->undo, sizeof(s->undo), STEP_KIND_UNDO, STEP_VERSION,
			reterr);
	if (r == 0)
		r = undo_record_check(&s->undo, reterr);
	if (r < 0)
		return r;
	if (!str_equal(s->undo.key, key))
		return err_set(reterr, -EBADMSG, "read undo record '%s': it is another's", key);
	s->has_undo = true;
	return 1;
}

int undo_replace(const struct action_context *c, const void *data, size_t size, struct err *reterr)
{
	struct step *s = c->priv;
	struct undo_record u = s->undo;
	int r;

	if (size > sizeof(u.data))
		return err_set(reterr, -E2BIG, "write undo record '%s': too large", s->key);
	u.size = (uint32_t)size;
	memcpy(u.data, data, size);
	r = sealed_write(s->undo_fd, s->key, &u, sizeof(u), STEP_KIND_UNDO, STEP_VERSION, reterr);
	if (r < 0)
		return r;
	s->undo = u;
	r = lock_record(s, s->key, reterr); /* it is another file */
	return r < 0 ? r : 0;
}

void undo_disarm(struct step *s, const char *key)
{
	char service[STEP_UNIT_MAX];

	step_open_bus(s);
	expiry_disarm(s->bus, step_expire_unit_name(s->profile, key, service));
}

void undo_end(struct step *s, const char *key)
{
	bool is_timed = s->has_undo && params_duration_ns(&s->undo.params) > 0;

	(void)unlinkat(s->undo_fd, key, 0);
	if (is_timed)
		undo_disarm(s, key);
}

/* A timer of PID 1 waits for it: it goes with its timer, never before. */
static bool is_timed(const struct step *s, const char *name)
{
	struct undo_record u;

	return sealed_read(s->undo_fd, name, &u, sizeof(u), STEP_KIND_UNDO, STEP_VERSION, NULL) ==
		       0 &&
	       params_duration_ns(&u.params) > 0;
}

/* Removes what is too old, and finds the oldest of the others. Returns how many those are. */
static size_t prune_old(const struct step *s, DIR *dir, char ret_oldest[static STR_HEX128_MAX])
{
	time_t old_s = (time_t)(clock_wall_us() / US_PER_S) - UNDO_KEEP_S, oldest_s = 0;
	size_t n = 0;

	ret_oldest[0] = '\0';
	for (const struct dirent *e; (e = readdir(dir));) {
		struct stat st = { 0 };

		if (!str_is_hex128(e->d_name) ||
		    fstatat(s->undo_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		n++;
		if ((ret_oldest[0] && st.st_mtim.tv_sec >= oldest_s) || is_timed(s, e->d_name))
			continue;
		if (st.st_mtim.tv_sec < old_s) {
			(void)unlinkat(s->undo_fd, e->d_name, 0);
			n--;
			continue;
		}
		oldest_s = st.st_mtim.tv_sec;
		(void)str_copy(ret_oldest, STR_HEX128_MAX, e->d_name);
	}
	return n;
}

/* Each step adds at most one record, so one pass that removes one keeps the bound. */
void undo_prune(const struct step *s)
{
	_cleanup_closedir_ DIR *dir = NULL;
	char oldest[STR_HEX128_MAX] = "";
	int fd = openat(s->undo_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	if (prune_old(s, dir, oldest) >= UNDO_MAX && oldest[0])
		(void)unlinkat(s->undo_fd, oldest, 0);
}
