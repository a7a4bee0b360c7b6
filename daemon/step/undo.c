/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "step/step.h"

#define UNDO_MAX 512 /* records kept: twice what the executor remembers of attempts */

_Static_assert(STEP_UNDO_MAX == ACTION_UNDO_MAX, "an action's undo data must fit its record");

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
	return r;
}

int undo_read(struct step *s, const char *key, struct err *reterr)
{
	int r = sealed_read(s->undo_fd, key, &s->undo, sizeof(s->undo), STEP_KIND_UNDO,
			    STEP_VERSION, reterr);

	if (r == -ENOENT)
		return 0;
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
	if (r == 0)
		s->undo = u;
	return r;
}

void undo_remove(const struct step *s, const char *key)
{
	(void)unlinkat(s->undo_fd, key, 0);
}

/* Counts the records; *ret_oldest names the one last changed first. */
static size_t count_records(DIR *dir, char ret_oldest[static STR_HEX128_MAX])
{
	struct timespec oldest = { 0 };
	size_t n = 0;

	ret_oldest[0] = '\0';
	rewinddir(dir);
	for (const struct dirent *e; (e = readdir(dir));) {
		struct stat st = { 0 };

		if (!str_is_hex128(e->d_name) ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (n++ > 0 &&
		    (st.st_mtim.tv_sec > oldest.tv_sec ||
		     (st.st_mtim.tv_sec == oldest.tv_sec && st.st_mtim.tv_nsec >= oldest.tv_nsec)))
			continue;
		oldest = st.st_mtim;
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
	if (count_records(dir, oldest) >= UNDO_MAX)
		(void)unlinkat(s->undo_fd, oldest, 0);
}
