/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/dropin.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define PREFIX      "90-aiops-" /* after an operator's own numbers, as a rule below 90 */
#define RUNTIME_DIR "run/systemd/system"
#define PATH_SIZE   512
#define NAME_SIZE   64
#define CONTENT_MAX 512

static void format_dir(const struct dropin *d, char buf[static PATH_SIZE])
{
	buf[0] = '\0';
	str_append(buf, PATH_SIZE, RUNTIME_DIR "/%s.d", d->unit);
}

static void format_name(const struct dropin *d, char buf[static NAME_SIZE])
{
	buf[0] = '\0';
	str_append(buf, NAME_SIZE, PREFIX "%s.conf", d->key);
}

static bool is_ours(const char *name)
{
	return strncmp(name, PREFIX, strlen(PREFIX)) == 0;
}

/* Returns the fd; -ENOENT without a message; other -errno. */
static int open_dir(const struct dropin *d, struct err *reterr)
{
	char dir[PATH_SIZE];
	int fd;

	format_dir(d, dir);
	fd = openat(d->root_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	return fd < 0 ? err_set(reterr, -errno, "open directory '/%s': %s", dir, strerror(errno)) :
			fd;
}

/* Returns 1 with the directory open; 0: there is none; -errno. */
static int read_dir(const struct dropin *d, DIR **ret, struct err *reterr)
{
	int fd = open_dir(d, reterr);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	*ret = fdopendir(fd);
	if (*ret)
		return 1;
	(void)close(fd);
	return err_set(reterr, -ENOMEM, "read drop-ins of '%s': Out of memory", d->unit);
}

int dropin_has_directory(const struct dropin *d, struct err *reterr)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int r = read_dir(d, &dir, reterr);
	bool has_ours = false, has_other = false;

	for (const struct dirent *e; r > 0 && (e = readdir(dir));) {
		if (str_equal(e->d_name, ".") || str_equal(e->d_name, ".."))
			continue;
		has_ours = has_ours || is_ours(e->d_name);
		has_other = has_other || !is_ours(e->d_name);
	}
	return r <= 0 ? r : has_other || !has_ours;
}

/* What cannot be read, or says nothing, might be anything. */
static bool is_same(int dir_fd, const char *name, const char *property)
{
	char text[CONTENT_MAX] = "", line[64] = "";

	str_append(line, sizeof(line), "\n%s=", property);
	return fd_read_file(dir_fd, name, text, sizeof(text)) <= 0 || strstr(text, line);
}

int dropin_check_no_other(const struct dropin *d, const char *property, struct err *reterr)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int r = read_dir(d, &dir, reterr);

	for (const struct dirent *e; r > 0 && (e = readdir(dir));)
		if (is_ours(e->d_name) && is_same(dirfd(dir), e->d_name, property))
			return err_set(reterr, -EBUSY,
				       "set %s of unit '%s': '%s' of an earlier attempt is there",
				       property, d->unit, e->d_name);
	return r < 0 ? r : 0;
}

int dropin_write(const struct dropin *d, struct err *reterr)
{
	_cleanup_close_ int fd = -EBADF;
	char dir[PATH_SIZE], name[NAME_SIZE];

	format_dir(d, dir);
	format_name(d, name);
	if (mkdirat(d->root_fd, dir, 0755) < 0 && errno != EEXIST)
		return err_set(reterr, -errno, "make directory '/%s': %s", dir, strerror(errno));
	fd = open_dir(d, reterr);
	if (fd < 0)
		return fd;
	return fd_write_atomic(fd, name, d->content, strlen(d->content), 0644, false, reterr);
}

static int remove_file(const struct dropin *d, int dir_fd, struct err *reterr)
{
	char name[NAME_SIZE], tmp[NAME_SIZE + 8] = "", found[CONTENT_MAX] = "";
	ssize_t n;

	format_name(d, name);
	str_append(tmp, sizeof(tmp), "%s.tmp", name);
	(void)unlinkat(dir_fd, tmp, 0); /* of a write that was killed; systemd reads *.conf only */
	n = fd_read_file(dir_fd, name, found, sizeof(found));
	if (n == -ENOENT)
		return 0;
	if (n < 0 && n != -EFBIG)
		return err_set(reterr, (int)n, "read drop-in '%s': %s", name, strerror((int)-n));
	if (n == -EFBIG || !str_equal(found, d->content))
		return err_set(reterr, -ECANCELED, "remove drop-in '%s': changed since, left alone",
			       name);
	if (unlinkat(dir_fd, name, 0) < 0)
		return err_set(reterr, -errno, "remove drop-in '%s': %s", name, strerror(errno));
	return 1;
}

int dropin_remove(const struct dropin *d, bool with_directory, struct err *reterr)
{
	_cleanup_close_ int fd = open_dir(d, reterr);
	char dir[PATH_SIZE];
	int r = fd >= 0 ? remove_file(d, fd, reterr) : fd == -ENOENT ? 0 : fd;

	format_dir(d, dir);
	if (r >= 0 && with_directory)
		(void)unlinkat(d->root_fd, dir, AT_REMOVEDIR); /* only if it is empty */
	return r;
}
