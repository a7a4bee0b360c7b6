/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "selftests/unit/tree.h"

#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

int tree_setup(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	(void)snprintf(t->path, sizeof(t->path), "/tmp/aiops-test-XXXXXX");
	assert_non_null(mkdtemp(t->path));
	t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t->fd >= 0);
	*state = t;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int tree_teardown(void **state)
{
	struct tree *t = *state;

	(void)nftw(t->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	(void)close(t->fd);
	free(t);
	return 0;
}

static void make_parents(const struct tree *t, const char *path)
{
	char parent[512] = "";

	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		assert_true((size_t)(p - path) < sizeof(parent));
		memcpy(parent, path, (size_t)(p - path));
		parent[p - path] = '\0';
		if (mkdirat(t->fd, parent, 0755) == 0)
			assert_int_equal(fchmodat(t->fd, parent, 0755, 0), 0);
	}
}

void tree_write(const struct tree *t, const char *path, const char *text)
{
	ssize_t length = (ssize_t)strlen(text);
	int fd;

	make_parents(t, path);
	fd = openat(t->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, (size_t)length), length);
	assert_int_equal(fchmod(fd, 0644), 0);
	(void)close(fd);
}

void tree_link(const struct tree *t, const char *path, const char *target)
{
	make_parents(t, path);
	assert_int_equal(symlinkat(target, t->fd, path), 0);
}

void tree_chmod(const struct tree *t, const char *path, mode_t mode)
{
	assert_int_equal(fchmodat(t->fd, path, mode, 0), 0);
}

static void write_proc(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, text, strlen(text));
	(void)close(fd);
}

int tree_become_root(void **state)
{
	char uids[32] = "", gids[32] = "";

	(void)state;
	(void)snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
	(void)snprintf(gids, sizeof(gids), "0 %u 1", getegid());
	if (geteuid() == 0 || unshare(CLONE_NEWUSER) < 0)
		return 0;
	write_proc("/proc/self/setgroups", "deny");
	write_proc("/proc/self/uid_map", uids);
	write_proc("/proc/self/gid_map", gids);
	return 0;
}
