/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

ssize_t fd_read_file(int dir_fd, const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = openat(dir_fd, path,
					O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	size_t used = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n = read(fd, buf + used, size - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		used += (size_t)n;
		if (n == 0)
			break;
		if (used == size)
			return -EFBIG;
	}
	buf[used] = '\0';
	return (ssize_t)used;
}

static int write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Creates NAME.tmp with the data in it; removes it again on failure. */
static int write_temporary(int dir_fd, const char *tmp, const void *data, size_t size, mode_t mode,
			   bool sync)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	(void)unlinkat(dir_fd, tmp, 0);
	fd = openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	r = write_all(fd, data, size);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r == 0 && sync && fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir_fd, tmp, 0);
	return r;
}

int fd_write_atomic(int dir_fd, const char *name, const void *data, size_t size, mode_t mode,
		    bool sync, struct err *reterr)
{
	char tmp[NAME_MAX + 1] = "";
	int r;

	if (snprintf(tmp, sizeof(tmp), "%s.tmp", name) >= (int)sizeof(tmp))
		return err_set(reterr, -ENAMETOOLONG, "write file '%s': Name too long", name);
	r = write_temporary(dir_fd, tmp, data, size, mode, sync);
	if (r == 0 && renameat(dir_fd, tmp, dir_fd, name) < 0) {
		r = -errno;
		(void)unlinkat(dir_fd, tmp, 0);
	}
	if (r == 0 && sync && fsync(dir_fd) < 0)
		r = -errno;
	return r < 0 ? err_set(reterr, r, "write file '%s': %s", name, strerror(-r)) : 0;
}

int fd_write_exclusive(int dir_fd, const char *name, const void *data, size_t size, mode_t mode,
		       struct err *reterr)
{
	char tmp[NAME_MAX + 1] = "";
	int r;

	if (snprintf(tmp, sizeof(tmp), "%s.new", name) >= (int)sizeof(tmp))
		return err_set(reterr, -ENAMETOOLONG, "write file '%s': Name too long", name);
	r = write_temporary(dir_fd, tmp, data, size, mode, false);
	if (r == 0) {
		if (linkat(dir_fd, tmp, dir_fd, name, 0) < 0)
			r = -errno;
		(void)unlinkat(dir_fd, tmp, 0);
	}
	return r < 0 ? err_set(reterr, r, "write file '%s': %s", name, strerror(-r)) : 0;
}

int fd_open_dir(int dir_fd, const char *path, struct err *reterr)
{
	int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_set(reterr, -errno, "open directory '%s': %s", path, strerror(errno)) :
			fd;
}
