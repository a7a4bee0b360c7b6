/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/goodstore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/paths.h"
#include "base/str.h"

#define ATTRIBUTES_MAX 4096
#define ATTRIBUTE_MAX  4096
#define STEM_CHARS     32 /* of the digest of the path */
#define TIME_CHARS     16
#define DIFFER_MAX     5 /* lines named */

/* A file in memory, with what a copy must keep. */
struct content {
	char *data;
	size_t size;
	struct stat st;
	int fd; /* open for its attributes */
};

static void content_done(struct content *c)
{
	free(c->data);
	closep(&c->fd);
}

static int open_beneath(int dir_fd, const char *path, uint64_t flags)
{
	const struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static int read_content(int fd, struct content *c)
{
	size_t used = 0;

	if (fstat(fd, &c->st) < 0)
		return -errno;
	if (!S_ISREG(c->st.st_mode))
		return -EINVAL;
	if (c->st.st_size > GOODSTORE_FILE_MAX)
		return -EFBIG;
	c->data = malloc(GOODSTORE_FILE_MAX + 1);
	if (!c->data)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, c->data + used, GOODSTORE_FILE_MAX + 1 - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
		if (used > GOODSTORE_FILE_MAX)
			return -EFBIG;
	}
	c->size = used;
	return 0;
}

/* Reads a file below dir_fd, no symlink in its path. */
static int read_file(int dir_fd, const char *path, struct content *ret, struct err *reterr)
{
	struct content c = { .fd = open_beneath(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY) };
	int r = c.fd < 0 ? c.fd : read_content(c.fd, &c);

	if (r < 0) {
		content_done(&c);
		return err_set(reterr, r, "read file '%s': %s", path, strerror(-r));
	}
	*ret = c;
	return 0;
}

static int read_tracked(int root_fd, const char *path, struct content *ret, struct err *reterr)
{
	return path[0] == '/' ? read_file(root_fd, path + 1, ret, reterr) :
				err_set(reterr, -EINVAL, "read file '%s': not absolute", path);
}

static int open_store(int root_fd, const char *service, bool make, struct err *reterr)
{
	const char *base = &PATH_GOOD_DIR[1];
	char dir[sizeof(PATH_GOOD_DIR) + SERVICE_NAME_MAX] = "";
	int fd;

	str_append(dir, sizeof(dir), "%s/%s", base, service);
	if (make && ((mkdirat(root_fd, base, 0700) < 0 && errno != EEXIST) ||
		     (mkdirat(root_fd, dir, 0700) < 0 && errno != EEXIST)))
		return err_set(reterr, -errno, "make directory '/%s': %s", dir, strerror(errno));
	fd = open_beneath(root_fd, dir, O_RDONLY | O_DIRECTORY);
	return fd < 0 ? err_set(reterr, fd, "open directory '/%s': %s", dir, strerror(-fd)) : fd;
}

/* ---- copying ------------------------------------------------------------------------------------- */

static int copy_xattr(int from_fd, int to_fd, const char *name)
{
	char value[ATTRIBUTE_MAX];
	ssize_t n = fgetxattr(from_fd, name, value, sizeof(value));

	if (n < 0)
		return errno == ENODATA ? 0 : -errno;
	return fsetxattr(to_fd, name, value, (size_t)n, 0) < 0 ? -errno : 0;
}

static int copy_xattrs(int from_fd, int to_fd)
{
	char list[ATTRIBUTES_MAX];
	ssize_t n = flistxattr(from_fd, list, sizeof(list));
	int r = 0;

	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (ssize_t at = 0; r == 0 && at < n; at += (ssize_t)strlen(&list[at]) + 1)
		r = copy_xattr(from_fd, to_fd, &list[at]);
	return r;
}

static int write_all(int fd, const char *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, data + done, size - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int fill(int fd, const struct content *c, const struct stat *like)
{
	int r = write_all(fd, c->data, c->size);

	if (r == 0 && (like->st_uid != geteuid() || like->st_gid != getegid()) &&
	    fchown(fd, like->st_uid, like->st_gid) < 0)
		r = -errno;
	if (r == 0)
		r = copy_xattrs(c->fd, fd);
	if (r == 0 && fchmod(fd, like->st_mode & 07777) < 0)
		r = -errno;
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

/* Writes c as NAME below dir_fd: whole or not at all. */
static int write_copy(int dir_fd, const char *name, const struct content *c, struct err *reterr)
{
	char tmp[NAME_MAX + 1] = "";
	int fd, r;

	str_append(tmp, sizeof(tmp), ".%s.aiops", name);
	if (strlen(tmp) != strlen(name) + strlen(".") + strlen(".aiops"))
		return err_set(reterr, -ENAMETOOLONG, "write file '%s': Name too long", name);
	(void)unlinkat(dir_fd, tmp, 0); /* of a step that was killed */
	fd = openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? -errno : fill(fd, c, &c->st);
	if (fd >= 0)
		(void)close(fd);
	if (r == 0 && renameat(dir_fd, tmp, dir_fd, name) < 0)
		r = -errno;
	if (r == 0 && fsync(dir_fd) < 0)
		r = -errno;
	if (r < 0 && fd >= 0)
		(void)unlinkat(dir_fd, tmp, 0);
	return r < 0 ? err_set(reterr, r, "write file '%s': %s", name, strerror(-r)) : 0;
}

/* ---- versions ------------------------------------------------------------------------------------ */

static int stem_of(const char *path, char ret[static STEM_CHARS + 1])
{
	char hex[SHA256_HEX_MAX];
	int r = sha256_hex(path, strlen(path), hex);

	hex[STEM_CHARS] = '\0';
	return r < 0 ? r : str_copy(ret, STEM_CHARS + 1, hex);
}

/* "STEM@TIME" of this stem; the time, or 0. */
static uint64_t time_of(const char *name, const char *stem)
{
	const char *time = name + STEM_CHARS + 1;
	char *end = NULL;
	uint64_t wall_us;

	if (strncmp(name, stem, STEM_CHARS) != 0 || name[STEM_CHARS] != '@' ||
	    strspn(time, "0123456789abcdef") != TIME_CHARS || time[TIME_CHARS] != '\0')
		return 0;
	wall_us = strtoull(time, &end, 16);
	return *end == '\0' ? wall_us : 0;
}

struct versions {
	uint64_t newest, oldest;
	size_t n;
};

static int list_versions(int store_fd, const char *stem, struct versions *ret)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = openat(store_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct versions v = { 0 };

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int r = -errno;

		closep(&fd);
		return r;
	}
	for (const struct dirent *e; (e = readdir(dir));) {
		uint64_t wall_us = time_of(e->d_name, stem);

		if (wall_us == 0)
			continue;
		v.newest = wall_us > v.newest ? wall_us : v.newest;
		v.oldest = v.n == 0 || wall_us < v.oldest ? wall_us : v.oldest;
		v.n++;
	}
	*ret = v;
	return 0;
}

static void format_version(const char *stem, uint64_t wall_us, char *buf, size_t size)
{
	buf[0] = '\0';
	str_append(buf, size, "%s@%016" PRIx64, stem, wall_us);
}

static int newest_in(int store_fd, const char *path, struct goodstore_version *ret,
		     struct err *reterr)
{
	_cleanup_(content_done) struct content c = { .fd = -EBADF };
	struct goodstore_version version = { 0 };
	char stem[STEM_CHARS + 1];
	struct versions v;
	int r = stem_of(path, stem);

	if (r == 0)
		r = list_versions(store_fd, stem, &v);
	if (r == 0 && v.n == 0)
		return err_set(reterr, -ENOENT, "find copy of '%s': none was taken yet", path);
	if (r < 0)
		return err_set(reterr, r, "find copy of '%s': %s", path, strerror(-r));
	version.wall_us = v.newest;
	format_version(stem, v.newest, version.name, sizeof(version.name));
	r = read_file(store_fd, version.name, &c, reterr);
	if (r == 0)
		r = sha256_hex(c.data, c.size, version.sha256);
	if (r == 0)
		*ret = version;
	return r;
}

int goodstore_newest(int root_fd, const char *service, const char *path,
		     struct goodstore_version *ret, struct err *reterr)
{
	_cleanup_close_ int fd = open_store(root_fd, service, false, reterr);

	return fd < 0 ? fd : newest_in(fd, path, ret, reterr);
}

int goodstore_look(int root_fd, const char *path, char ret_sha256[static SHA256_HEX_MAX],
		   int64_t *ret_changed_wall_s, struct err *reterr)
{
	_cleanup_(content_done) struct content c = { .fd = -EBADF };
	int r = read_tracked(root_fd, path, &c, reterr);

	if (r == 0)
		r = sha256_hex(c.data, c.size, ret_sha256);
	if (r == 0)
		*ret_changed_wall_s = c.st.st_ctim.tv_sec;
	return r;
}

/* One more was written, so one less keeps the bound. */
static void prune(int store_fd, const char *stem)
{
	struct versions v;
	char name[GOODSTORE_NAME_MAX];

	if (list_versions(store_fd, stem, &v) < 0 || v.n <= GOODSTORE_VERSIONS_MAX)
		return;
	format_version(stem, v.oldest, name, sizeof(name));
	(void)unlinkat(store_fd, name, 0);
}

int goodstore_keep(int root_fd, const char *service, const char *path, struct err *reterr)
{
	_cleanup_close_ int fd = open_store(root_fd, service, true, reterr);
	_cleanup_(content_done) struct content c = { .fd = -EBADF };
	struct goodstore_version newest = { 0 };
	char sha256[SHA256_HEX_MAX], stem[STEM_CHARS + 1], name[GOODSTORE_NAME_MAX];
	int r = fd < 0 ? fd : read_tracked(root_fd, path, &c, reterr);

	if (r == 0)
		r = sha256_hex(c.data, c.size, sha256);
	if (r < 0)
		return r;
	r = newest_in(fd, path, &newest, reterr);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && str_equal(sha256, newest.sha256))
		return 0;
	r = stem_of(path, stem);
	format_version(stem, clock_wall_us(), name, sizeof(name));
	if (r == 0)
		r = write_copy(fd, name, &c, reterr);
	if (r < 0)
		return r;
	prune(fd, stem);
	return 1;
}

/* ---- the way back -------------------------------------------------------------------------------- */

/* Opens the directory of an absolute path; *ret_name is the last component. */
static int open_parent(int root_fd, const char *path, const char **ret_name, struct err *reterr)
{
	const char *slash = strrchr(path, '/');
	char dir[SERVICE_PATH_MAX] = "";
	int fd;

	if (path[0] != '/' || slash == path || !slash[1])
		return err_set(reterr, -EINVAL, "open directory of '%s': not a file in one", path);
	str_append(dir, sizeof(dir), "%.*s", (int)(slash - path - 1), path + 1);
	fd = open_beneath(root_fd, dir, O_RDONLY | O_DIRECTORY);
	*ret_name = slash + 1;
	return fd < 0 ? err_set(reterr, fd, "open directory '/%s': %s", dir, strerror(-fd)) : fd;
}

/* KEY-N of an attempt. */
static bool is_saved(const char *name)
{
	return strspn(name, "0123456789abcdef") == STR_HEX128_MAX - 1 &&
	       name[STR_HEX128_MAX - 1] == '-';
}

/* One step saves SERVICE_PATHS_MAX at most, so the bound is kept in the end. */
static void prune_saved(int store_fd)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = openat(store_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char oldest[NAME_MAX + 1] = "";
	time_t oldest_wall_s = 0;
	size_t n = 0;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		closep(&fd);
		return;
	}
	for (const struct dirent *e; (e = readdir(dir));) {
		struct stat st = { 0 };

		if (!is_saved(e->d_name) ||
		    fstatat(store_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (n++ > 0 && st.st_mtim.tv_sec >= oldest_wall_s)
			continue;
		oldest_wall_s = st.st_mtim.tv_sec;
		(void)str_copy(oldest, sizeof(oldest), e->d_name);
	}
	if (n > GOODSTORE_SAVED_MAX)
		(void)unlinkat(store_fd, oldest, 0);
}

int goodstore_replace(int root_fd, const char *service, const char *path, const char *copy,
		      const char *save_as, struct err *reterr)
{
	_cleanup_close_ int store_fd = open_store(root_fd, service, true, reterr);
	_cleanup_(content_done) struct content now = { .fd = -EBADF }, good = { .fd = -EBADF };
	const char *name = NULL;
	_cleanup_close_ int dir_fd = store_fd < 0 ? store_fd :
						    open_parent(root_fd, path, &name, reterr);
	int r = dir_fd < 0 ? dir_fd : read_file(store_fd, copy, &good, reterr);

	if (r == 0 && save_as)
		r = read_file(dir_fd, name, &now, reterr);
	if (r == 0 && save_as)
		r = write_copy(store_fd, save_as, &now, reterr);
	if (r == 0 && save_as)
		prune_saved(store_fd);
	if (r < 0)
		return r;
	r = write_copy(dir_fd, name, &good, reterr);
	if (r < 0 && save_as)
		(void)unlinkat(store_fd, save_as, 0);
	return r;
}

bool goodstore_has(int root_fd, const char *service, const char *saved)
{
	_cleanup_close_ int fd = open_store(root_fd, service, false, NULL);

	return fd >= 0 && faccessat(fd, saved, F_OK, 0) == 0;
}

void goodstore_forget(int root_fd, const char *service, const char *saved)
{
	_cleanup_close_ int fd = open_store(root_fd, service, false, NULL);

	if (fd >= 0)
		(void)unlinkat(fd, saved, 0);
}

/* The word a line begins with: a key, never its value. */
static void append_key(const char *line, char *buf, size_t size)
{
	size_t blank = strspn(line, " \t"), n;

	line += blank;
	n = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");
	if (n > 0 && n <= 40 && line[n] && strchr("=: \t", line[n]))
		str_append(buf, size, " '%.*s'", (int)n, line);
}

/* Splits off the next line. */
static char *next_line(char **rest)
{
	return *rest ? strsep(rest, "\n") : NULL;
}

int goodstore_describe(int root_fd, const char *service, const char *path, const char *copy,
		       char *buf, size_t size, struct err *reterr)
{
	_cleanup_close_ int store_fd = open_store(root_fd, service, false, reterr);
	_cleanup_(content_done) struct content now = { .fd = -EBADF }, good = { .fd = -EBADF };
	unsigned line = 0, n = 0;
	int r = store_fd < 0 ? store_fd : read_tracked(root_fd, path, &now, reterr);
	char *a, *b;

	if (r == 0)
		r = read_file(store_fd, copy, &good, reterr);
	if (r < 0)
		return r;
	now.data[now.size] = good.data[good.size] = '\0';
	buf[0] = '\0';
	a = now.data;
	b = good.data;
	while (a || b) {
		const char *x = next_line(&a), *y = next_line(&b);

		line++;
		if (str_equal(x, y) || ++n > DIFFER_MAX)
			continue;
		str_append(buf, size, "%sline %u", n > 1 ? ", " : "", line);
		append_key(x ? x : y, buf, size);
	}
	if (n > DIFFER_MAX)
		str_append(buf, size, " and %u more", n - DIFFER_MAX);
	return 0;
}
