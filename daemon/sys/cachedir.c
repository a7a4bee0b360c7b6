/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/cachedir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "sys/sweep.h"

void cachedir_done(struct cachedir *d)
{
	closep(&d->parent_fd);
	closep(&d->fd);
	d->parent_fd = d->fd = d->aside_in_fd = -EBADF;
}

static int open_parent(int root_fd, const char *path, struct cachedir *d, struct err *reterr)
{
	const char *slash = strrchr(path, '/');
	char parent[512] = "";

	if (!slash || slash == path || str_copy(d->name, sizeof(d->name), slash + 1) < 0)
		return err_set(reterr, -EINVAL, "open directory '%s': not below another", path);
	str_append(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	d->parent_fd = sweep_open(root_fd, parent, reterr);
	return d->parent_fd < 0 ? d->parent_fd : 0;
}

int cachedir_open(int root_fd, const char *path, const char *key, struct cachedir *ret,
		  struct err *reterr)
{
	struct cachedir d = { .parent_fd = -EBADF, .fd = -EBADF };
	struct stat own, parent;
	int r = open_parent(root_fd, path, &d, reterr);

	if (r < 0)
		return r;
	str_append(d.aside, sizeof(d.aside), ".aiops-%s", key);
	d.aside_in_fd = d.parent_fd;
	d.fd = openat(d.parent_fd, d.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (d.fd < 0 && errno != ENOENT)
		r = err_set(reterr, -errno, "open directory '%s': %s", path, strerror(errno));
	else if (d.fd >= 0 && (fstat(d.fd, &own) < 0 || fstat(d.parent_fd, &parent) < 0))
		r = err_set(reterr, -errno, "look at directory '%s': %s", path, strerror(errno));
	if (r < 0) {
		cachedir_done(&d);
		return r;
	}
	if (d.fd >= 0 && own.st_dev != parent.st_dev)
		d.aside_in_fd = d.fd;
	*ret = d;
	return d.fd >= 0;
}

int cachedir_make(struct cachedir *d, uid_t uid, gid_t gid, mode_t mode, struct err *reterr)
{
	if (mkdirat(d->parent_fd, d->name, 0700) < 0)
		return err_set(reterr, -errno, "make directory '%s': %s", d->name, strerror(errno));
	d->fd = openat(d->parent_fd, d->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (d->fd < 0 || fchown(d->fd, uid, gid) < 0 || fchmod(d->fd, mode) < 0)
		return err_set(reterr, -errno, "make directory '%s': %s", d->name, strerror(errno));
	return 0;
}

/* Another file offset than fd's, so that it can be read from its begin. Returns NULL with errno. */
static DIR *read_dir(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);

	if (!dir && copy >= 0)
		(void)close(copy);
	return dir;
}

static bool is_entry(const struct cachedir *d, const char *name)
{
	return !str_equal(name, ".") && !str_equal(name, "..") && !str_equal(name, d->aside);
}

int cachedir_count(const struct cachedir *d, struct err *reterr)
{
	_cleanup_closedir_ DIR *dir = read_dir(d->fd);
	int n = 0;

	if (!dir)
		return err_set(reterr, -errno, "read directory '%s': %s", d->name, strerror(errno));
	for (const struct dirent *e; n < INT32_MAX && (e = readdir(dir));)
		n += is_entry(d, e->d_name);
	return n;
}

/* Returns the descriptor; -ENOENT; -errno. */
static int open_aside(const struct cachedir *d)
{
	int fd = openat(d->aside_in_fd, d->aside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Moves each entry that to has not got. Returns how many were moved; -errno. */
static int move_all(const struct cachedir *d, int from_fd, int to_fd, struct err *reterr)
{
	_cleanup_closedir_ DIR *dir = read_dir(from_fd);
	int n = 0;

	if (!dir)
		return err_set(reterr, -errno, "read directory '%s': %s", d->name, strerror(errno));
	for (const struct dirent *e; (e = readdir(dir));) {
		if (!is_entry(d, e->d_name))
			continue;
		if (renameat2(from_fd, e->d_name, to_fd, e->d_name, RENAME_NOREPLACE) == 0)
			n++;
		else if (errno != EEXIST && errno != ENOENT)
			return err_set(reterr, -errno, "move a file of '%s': %s", d->name,
				       strerror(errno));
	}
	return n;
}

int cachedir_move_aside(const struct cachedir *d, struct err *reterr)
{
	_cleanup_close_ int aside_fd = -EBADF;

	if (mkdirat(d->aside_in_fd, d->aside, 0700) < 0 && errno != EEXIST)
		return err_set(reterr, -errno, "make a directory beside '%s': %s", d->name,
			       strerror(errno));
	aside_fd = open_aside(d);
	if (aside_fd < 0)
		return err_set(reterr, aside_fd, "open the directory beside '%s': %s", d->name,
			       strerror(-aside_fd));
	return move_all(d, d->fd, aside_fd, reterr);
}

int cachedir_put_back(const struct cachedir *d, uint64_t deadline_ns, struct err *reterr)
{
	_cleanup_close_ int aside_fd = open_aside(d);
	int n, r;

	if (aside_fd == -ENOENT)
		return 0;
	if (aside_fd < 0)
		return err_set(reterr, aside_fd, "open the directory beside '%s': %s", d->name,
			       strerror(-aside_fd));
	n = move_all(d, aside_fd, d->fd, reterr);
	r = n < 0 ? n : cachedir_remove_aside(d, deadline_ns, reterr);
	return r < 0 ? r : n;
}

static int remove_tree(int dir_fd, const char *name, unsigned depth, uint64_t deadline_ns);

/* An entry whose kind is not known is tried as a file first. */
static int remove_entry(int dir_fd, const char *name, unsigned depth, uint64_t deadline_ns)
{
	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	return depth > 0 ? remove_tree(dir_fd, name, depth - 1, deadline_ns) : -ELOOP;
}

/* The depth is bounded, so the recursion is. */
static int remove_tree(int dir_fd, const char *name, unsigned depth, uint64_t deadline_ns)
{
	_cleanup_close_ int fd = openat(dir_fd, name,
					O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : read_dir(fd);
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	for (const struct dirent *e; r == 0 && (e = readdir(dir));) {
		if (str_equal(e->d_name, ".") || str_equal(e->d_name, ".."))
			continue;
		r = clock_boot_ns() < deadline_ns ?
			    remove_entry(fd, e->d_name, depth, deadline_ns) :
			    -ETIMEDOUT;
	}
	if (r < 0)
		return r;
	return unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 ? 0 : -errno;
}

int cachedir_remove_aside(const struct cachedir *d, uint64_t deadline_ns, struct err *reterr)
{
	int r = remove_tree(d->aside_in_fd, d->aside, CACHEDIR_DEPTH_MAX, deadline_ns);

	return r < 0 ? err_set(reterr, r, "remove what was moved out of '%s': %s", d->name,
			       strerror(-r)) :
		       0;
}
