/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#define BLOCK_BYTES 512 /* of st_blocks. Source: inode(7) */

struct walk {
	DIR *levels[SWEEP_DEPTH_MAX + 1];
	unsigned n_levels;
	dev_t device;
	const struct sweep_rules *rules;
	struct sweep_count *count;
	const char *path; /* for errors */
	struct err *err;
};

static int open_beneath(int dir_fd, const char *path, uint64_t flags)
{
	const struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int sweep_open(int root_fd, const char *path, struct err *reterr)
{
	int fd = path[0] == '/' && strchr(path + 1, '/') ?
			 open_beneath(root_fd, path + 1, O_RDONLY | O_DIRECTORY) :
			 -EINVAL;

	return fd < 0 ? err_set(reterr, fd, "open directory '%s': %s", path, strerror(-fd)) : fd;
}

uint64_t sweep_free_bytes(int dir_fd)
{
	struct statvfs v = { 0 };

	return fstatvfs(dir_fd, &v) < 0 ? 0 : (uint64_t)v.f_bfree * v.f_frsize;
}

static bool fits(const struct sweep_rules *rules, const char *name, const struct stat *st)
{
	bool named = !rules->patterns;

	for (size_t i = 0; !named && rules->patterns[i]; i++)
		named = fnmatch(rules->patterns[i], name, FNM_PERIOD | FNM_NOESCAPE) == 0;
	return named && S_ISREG(st->st_mode) && st->st_nlink == 1 &&
	       st->st_mtim.tv_sec < rules->before_wall_s;
}

/* The kernel gives a write lease only on what nobody else has open. Source: fcntl(2), F_SETLEASE.
 * Returns 1: in use; 0; -errno, and then nobody knows. */
static int is_open_elsewhere(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
		return errno == EAGAIN ? 1 : -errno;
	(void)fcntl(fd, F_SETLEASE, F_UNLCK);
	return 0;
}

static int fail(struct walk *w, int r, const char *verb, const char *name)
{
	return err_set(w->err, r, "%s '%s' below '%s': %s", verb, name, w->path, strerror(-r));
}

static int sweep_file(struct walk *w, int dir_fd, const char *name, const struct stat *seen)
{
	_cleanup_close_ int fd = open_beneath(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat st = { 0 };
	int r = fd < 0 ? fd : fstat(fd, &st) < 0 ? -errno : 0;

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return fail(w, r, "open", name);
	if (st.st_dev != seen->st_dev || st.st_ino != seen->st_ino || !fits(w->rules, name, &st))
		return 0;
	r = is_open_elsewhere(fd);
	if (r < 0)
		return fail(w, r, "see who has open", name);
	if (r > 0) {
		w->count->n_open++;
		return 0;
	}
	if (w->rules->remove && unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
		return fail(w, -errno, "remove", name);
	w->count->n++;
	w->count->bytes += (uint64_t)st.st_blocks * BLOCK_BYTES;
	return 0;
}

/* Takes fd. */
static int enter(struct walk *w, int fd, const char *name)
{
	DIR *dir = fdopendir(fd);
	int r = -errno;

	if (!dir) {
		(void)close(fd);
		return fail(w, r, "read", name);
	}
	w->levels[w->n_levels++] = dir;
	return 0;
}

static int sweep_entry(struct walk *w, int dir_fd, const char *name)
{
	struct stat st = { 0 };
	int fd;

	if (str_equal(name, ".") || str_equal(name, ".."))
		return 0;
	if (++w->count->n_seen > SWEEP_ENTRIES_MAX)
		return fail(w, -E2BIG, "look at", name);
	if (clock_boot_ns() >= w->rules->deadline_ns)
		return fail(w, -ETIMEDOUT, "look at", name);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(w, -errno, "look at", name);
	if (st.st_dev != w->device)
		return 0;
	if (!S_ISDIR(st.st_mode))
		return fits(w->rules, name, &st) ? sweep_file(w, dir_fd, name, &st) : 0;
	if (w->n_levels == ELEMENTSOF(w->levels))
		return 0;
	fd = open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fail(w, fd, "open", name);
	return enter(w, fd, name);
}

static int sweep_all(struct walk *w)
{
	int r = 0;

	while (r == 0 && w->n_levels > 0) {
		DIR *dir = w->levels[w->n_levels - 1];
		const struct dirent *e = readdir(dir);

		if (e)
			r = sweep_entry(w, dirfd(dir), e->d_name);
		else
			(void)closedir(w->levels[--w->n_levels]);
	}
	while (w->n_levels > 0)
		(void)closedir(w->levels[--w->n_levels]);
	return r;
}

int sweep_dir(int root_fd, const char *path, const struct sweep_rules *rules,
	      struct sweep_count *count, struct err *reterr)
{
	struct walk w = { .rules = rules, .count = count, .path = path, .err = reterr };
	_cleanup_close_ int dir_fd = sweep_open(root_fd, path, reterr);
	uint64_t before_bytes;
	struct stat st = { 0 };
	int fd, r;

	if (dir_fd < 0)
		return dir_fd;
	fd = fstat(dir_fd, &st) < 0 ? -1 : fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return fail(&w, -errno, "look at", ".");
	w.device = st.st_dev;
	before_bytes = sweep_free_bytes(dir_fd);
	r = enter(&w, fd, ".");
	if (r == 0)
		r = sweep_all(&w);
	if (rules->remove)
		count->freed_bytes += sweep_gain(before_bytes, sweep_free_bytes(dir_fd));
	return r;
}
