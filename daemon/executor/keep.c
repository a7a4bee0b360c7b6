/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "executor/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "executor/store.h"

#define KEEP_FILE_MAX (64 * 1024) /* bytes; a budget has less than half */

_Static_assert(sizeof(struct budget) < KEEP_FILE_MAX, "a budget must fit");

static const char *const files[] = { STORE_STATE_FILE, STORE_BUDGET_FILE };

/* What changes while we save is saved by us: whoever started us may not see it. */
#define SAVE_ROUNDS_MAX 16

/* Returns bytes; 0: there is none; -errno. */
static ssize_t read_file(int dir_fd, const char *name, char *buf, struct err *reterr)
{
	ssize_t n = fd_read_file(dir_fd, name, buf, KEEP_FILE_MAX);

	if (n == -ENOENT)
		return 0;
	return n < 0 ? err_set(reterr, (int)n, "read '%s': %s", name, strerror((int)-n)) : n;
}

/* Returns 1 if it was written; 0; -errno. */
static int save_file(int from_fd, int to_fd, const char *name, struct err *reterr)
{
	_cleanup_free_ char *now = malloc(KEEP_FILE_MAX), *old = malloc(KEEP_FILE_MAX);
	ssize_t n, n_old;
	int r;

	if (!now || !old)
		return err_set(reterr, -ENOMEM, "save '%s': %s", name, strerror(ENOMEM));
	n = read_file(from_fd, name, now, reterr);
	if (n <= 0)
		return (int)n;
	n_old = read_file(to_fd, name, old, NULL);
	if (n_old == n && memcmp(now, old, (size_t)n) == 0)
		return 0;
	r = fd_write_atomic(to_fd, name, now, (size_t)n, 0600, true, reterr);
	return r < 0 ? r : 1;
}

static int restore_file(int from_fd, int to_fd, const char *name, struct err *reterr)
{
	_cleanup_free_ char *buf = malloc(KEEP_FILE_MAX);
	ssize_t n;
	int r;

	if (!buf)
		return err_set(reterr, -ENOMEM, "restore '%s': %s", name, strerror(ENOMEM));
	n = read_file(from_fd, name, buf, reterr);
	if (n <= 0)
		return (int)n;
	r = fd_write_exclusive(to_fd, name, buf, (size_t)n, 0600, reterr);
	return r == -EEXIST ? 0 : r;
}

/* All files are tried; the first error counts. Returns 1 if anything was written; 0; -errno. */
static int copy(const char *from, const char *to,
		int (*function)(int from_fd, int to_fd, const char *name, struct err *reterr),
		struct err *reterr)
{
	_cleanup_close_ int from_fd = fd_open_dir(AT_FDCWD, from, reterr);
	_cleanup_close_ int to_fd = from_fd < 0 ? -EBADF : fd_open_dir(AT_FDCWD, to, reterr);
	int first = 0;

	if (from_fd < 0 || to_fd < 0)
		return from_fd < 0 ? from_fd : to_fd;
	for (size_t i = 0; i < ELEMENTSOF(files); i++) {
		int r = function(from_fd, to_fd, files[i], first >= 0 ? reterr : NULL);

		if (r != 0 && first >= 0)
			first = r;
	}
	return first;
}

int keep_save(const char *runtime_dir, const char *state_dir, struct err *reterr)
{
	char exec[PATH_MAX] = "";
	int r = 1;

	str_append(exec, sizeof(exec), "%s/exec", runtime_dir);
	for (unsigned i = 0; r > 0 && i < SAVE_ROUNDS_MAX; i++)
		r = copy(exec, state_dir, save_file, reterr);
	return r < 0 ? r : 0;
}

int keep_restore(const char *runtime_dir, const char *state_dir, struct err *reterr)
{
	char exec[PATH_MAX] = "";

	str_append(exec, sizeof(exec), "%s/exec", runtime_dir);
	return copy(state_dir, exec, restore_file, reterr);
}
