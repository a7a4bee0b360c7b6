/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/confdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

void confdir_done(struct confdir *dir)
{
	free(dir->files);
	*dir = (struct confdir){ 0 };
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	return n > s && name[0] != '.' && str_equal(name + n - s, suffix);
}

static bool is_masked(int dir_fd, const char *name)
{
	char target[sizeof("/dev/null")] = "";
	ssize_t n = readlinkat(dir_fd, name, target, sizeof(target));

	return n == (ssize_t)strlen("/dev/null") && memcmp(target, "/dev/null", (size_t)n) == 0;
}

/* Entry of that name, or NULL. */
static struct confdir_file *find(struct confdir *dir, const char *name)
{
	for (size_t i = 0; i < dir->n_files; i++)
		if (str_equal(dir->files[i].name, name))
			return &dir->files[i];
	return NULL;
}

static void forget(struct confdir *dir, struct confdir_file *file)
{
	if (file)
		*file = dir->files[--dir->n_files];
}

static int add(struct confdir *dir, const char *path, const char *name, struct err *reterr)
{
	struct confdir_file *file = find(dir, name);

	if (!file && dir->n_files >= CONFDIR_FILES_MAX)
		return err_set(reterr, -E2BIG, "read directory '/%s': more than %d files", path,
			       CONFDIR_FILES_MAX);
	file = file ? file : &dir->files[dir->n_files];
	*file = (struct confdir_file){ 0 };
	if (str_copy(file->name, sizeof(file->name), name) < 0)
		return err_set(reterr, -ENAMETOOLONG, "read directory '/%s': '%.40s...': %s", path,
			       name, strerror(ENAMETOOLONG));
	str_append(file->path, sizeof(file->path), "/%s/%s", path, name);
	dir->n_files += file == &dir->files[dir->n_files];
	return 0;
}

static int add_directory(int root_fd, const char *path, const char *suffix, struct confdir *dir,
			 struct err *reterr)
{
	_cleanup_close_ int fd = openat(root_fd, path,
					O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_closedir_ DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	int r = 0;

	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return err_set(reterr, -errno, "read directory '/%s': %s", path, strerror(errno));
	(void)TAKE_FD(fd); /* closedir(3) closes it */
	while (r == 0) {
		struct dirent *e;

		errno = 0;
		e = readdir(d);
		if (!e)
			break;
		if (!has_suffix(e->d_name, suffix))
			continue;
		if (is_masked(dirfd(d), e->d_name))
			forget(dir, find(dir, e->d_name));
		else
			r = add(dir, path, e->d_name, reterr);
	}
	if (r == 0 && errno != 0)
		return err_set(reterr, -errno, "read directory '/%s': %s", path, strerror(errno));
	return r;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct confdir_file *)a)->name,
		      ((const struct confdir_file *)b)->name);
}

int confdir_list(int root_fd, const char *kind, const char *suffix, struct confdir *ret,
		 struct err *reterr)
{
	_cleanup_(confdir_done) struct confdir dir = { 0 };
	/* Later ones replace earlier ones. */
	static const char *const trees[] = { "usr/lib/aiops", "etc/aiops" };

	dir.files = calloc(CONFDIR_FILES_MAX, sizeof(*dir.files));
	if (!dir.files)
		return err_set(reterr, -ENOMEM, "list '%s.d': %s", kind, strerror(ENOMEM));
	for (size_t i = 0; i < ELEMENTSOF(trees); i++) {
		char path[128] = "";
		int r;

		str_append(path, sizeof(path), "%s/%s.d", trees[i], kind);
		r = add_directory(root_fd, path, suffix, &dir, reterr);
		if (r < 0)
			return r;
	}
	qsort(dir.files, dir.n_files, sizeof(*dir.files), compare_names);
	*ret = dir;
	dir = (struct confdir){ 0 };
	return 0;
}

/* Refuses what somebody other than root could have written or could replace. */
static int check_trusted(int fd, const char *path, struct err *reterr)
{
	struct stat st = { 0 };

	if (fstat(fd, &st) < 0)
		return err_set(reterr, -errno, "read '%s': %s", path, strerror(errno));
	if (st.st_uid != 0)
		return err_set(reterr, -EPERM, "read '%s': not owned by root", path);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(reterr, -EPERM, "read '%s': writable by others than root", path);
	return 0;
}

/* Opens path component by component, without symlinks, checking each. Returns the fd; -errno. */
static int open_trusted(int root_fd, const char *path, struct err *reterr)
{
	_cleanup_close_ int fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *p = path;

	if (fd < 0)
		return err_set(reterr, -errno, "read '%s': %s", path, strerror(errno));
	for (p += strspn(p, "/"); *p; p += strspn(p, "/")) {
		size_t length = strcspn(p, "/");
		bool last = p[length] == '\0';
		char prefix[CONFDIR_PATH_MAX] = "", component[256] = "";
		int next, r;

		str_append(prefix, sizeof(prefix), "%.*s", (int)(p + length - path), path);
		str_append(component, sizeof(component), "%.*s", (int)length, p);
		next = openat(fd, component,
			      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
				      (last ? 0 : O_DIRECTORY));
		if (next < 0)
			return err_set(reterr, -errno, "read '%s': %s", prefix, strerror(errno));
		closep(&fd);
		fd = next;
		r = check_trusted(fd, prefix, reterr);
		if (r < 0)
			return r;
		p += length;
	}
	return TAKE_FD(fd);
}

static int open_file(int root_fd, const char *path, bool trusted, struct err *reterr)
{
	int fd;

	if (trusted)
		return open_trusted(root_fd, path, reterr);
	fd = openat(root_fd, path + strspn(path, "/"),
		    O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? err_set(reterr, -errno, "read '%s': %s", path, strerror(errno)) : fd;
}

/* Reads fd to its end. Returns bytes; -EFBIG over size_max; -errno. */
static ssize_t read_all(int fd, char *buf, size_t size_max)
{
	size_t used = 0;

	for (;;) {
		ssize_t n = read(fd, buf + used, size_max + 1 - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		used += (size_t)n;
		if (used > size_max)
			return -EFBIG;
		if (n == 0)
			break;
	}
	buf[used] = '\0';
	return (ssize_t)used;
}

int confdir_read(int root_fd, const struct confdir_file *file, size_t size_max, bool trusted,
		 char **ret, size_t *ret_size, struct err *reterr)
{
	_cleanup_close_ int fd = open_file(root_fd, file->path, trusted, reterr);
	_cleanup_free_ char *buf = NULL;
	struct stat st = { 0 };
	ssize_t n;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(reterr, -EINVAL, "read '%s': not a regular file", file->path);
	buf = malloc(size_max + 1);
	if (!buf)
		return err_set(reterr, -ENOMEM, "read '%s': %s", file->path, strerror(ENOMEM));
	n = read_all(fd, buf, size_max);
	if (n < 0)
		return err_set(reterr, (int)n, "read '%s': %s", file->path, strerror((int)-n));
	*ret = TAKE_PTR(buf);
	*ret_size = (size_t)n;
	return 0;
}

int confdir_load(int root_fd, const struct confdir_kind *kind,
		 int (*parse)(const struct confdir_file *file, const char *text, size_t length,
			      void *userdata, struct err *reterr),
		 void *userdata, struct err *reterr)
{
	_cleanup_(confdir_done) struct confdir dir = { 0 };
	int r = confdir_list(root_fd, kind->name, kind->suffix, &dir, reterr);

	for (size_t i = 0; r == 0 && i < dir.n_files; i++) {
		_cleanup_free_ char *text = NULL;
		size_t length = 0;

		r = confdir_read(root_fd, &dir.files[i], kind->size_max, kind->trusted, &text,
				 &length, reterr);
		if (r == 0)
			r = parse(&dir.files[i], text, length, userdata, reterr);
	}
	return r < 0 ? r : (int)dir.n_files;
}

const char *confdir_stem(const struct confdir_file *file, char *buf, size_t size)
{
	char *dot;

	(void)str_copy(buf, size, file->name);
	dot = strrchr(buf, '.');
	if (dot)
		*dot = '\0';
	return buf;
}
