/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/envfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/sweep.h"

#define NAME_MAX_BYTES 256
#define XATTRS_MAX     4096 /* bytes of names, and of one value */

/* Text with secrets in it: cleared when it goes. */
struct text {
	size_t n;
	char v[ENVFILE_MAX];
};

static void text_freep(struct text **t)
{
	if (!*t)
		return;
	explicit_bzero(*t, sizeof(**t));
	free(*t);
}
#define _cleanup_text_ _cleanup_(text_freep)

static int open_parent(int root_fd, const char *path, char name[static NAME_MAX_BYTES],
		       struct err *reterr)
{
	const char *slash = strrchr(path, '/');
	char parent[512] = "";

	if (!slash || slash == path || str_copy(name, NAME_MAX_BYTES, slash + 1) < 0)
		return err_set(reterr, -EINVAL, "open file '%s': not below a directory", path);
	str_append(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	return sweep_open(root_fd, parent, reterr);
}

static const char *format_kept_name(const char *name, const char *key, char *buf, size_t size)
{
	buf[0] = '\0';
	str_append(buf, size, ".%s.aiops-%s", name[0] == '.' ? name + 1 : name, key);
	return buf;
}

const char *envfile_format_kept(const char *path, const char *key, char *buf, size_t size)
{
	const char *slash = strrchr(path, '/');
	char name[NAME_MAX_BYTES + STR_HEX128_MAX + 16];

	buf[0] = '\0';
	if (slash)
		str_append(buf, size, "%.*s/%s", (int)(slash - path), path,
			   format_kept_name(slash + 1, key, name, sizeof(name)));
	return buf;
}

/* ---- lines ---- */

/* The line KEY=..., up to its line feed. Returns 1; 0: there is none; -EBADMSG: there are two. */
static int find_line(const struct text *t, const char *key, size_t *ret_at, size_t *ret_length)
{
	size_t length = strlen(key);
	int n = 0;

	for (size_t at = 0, end; at < t->n; at = end + 1) {
		const char *stop = memchr(t->v + at, '\n', t->n - at);

		end = stop ? (size_t)(stop - t->v) : t->n;
		if (end - at <= length || memcmp(t->v + at, key, length) != 0 ||
		    t->v[at + length] != '=')
			continue;
		*ret_at = at;
		*ret_length = end - at;
		n++;
	}
	return n > 1 ? -EBADMSG : n;
}

static int read_text(int dir_fd, const char *name, struct text *t, struct err *reterr)
{
	ssize_t n = fd_read_file(dir_fd, name, t->v, sizeof(t->v));

	if (n < 0)
		return err_set(reterr, (int)n, "read file '%s': %s", name, strerror((int)-n));
	t->n = (size_t)n;
	return 0;
}

int envfile_get(int root_fd, const char *path, const char *key, char ret[static ENVFILE_VALUE_MAX],
		struct err *reterr)
{
	_cleanup_text_ struct text *t = calloc(1, sizeof(*t));
	char name[NAME_MAX_BYTES] = "";
	_cleanup_close_ int dir_fd = open_parent(root_fd, path, name, reterr);
	size_t at = 0, length = 0, skip = strlen(key) + 1;
	int r;

	if (!t)
		return err_set(reterr, -ENOMEM, "read file '%s': %s", path, strerror(ENOMEM));
	r = dir_fd < 0 ? dir_fd : read_text(dir_fd, name, t, reterr);
	if (r < 0)
		return r;
	r = find_line(t, key, &at, &length);
	if (r <= 0)
		return err_set(reterr, r < 0 ? r : -ENOENT, "read file '%s': '%s' is %s", path, key,
			       r < 0 ? "there twice" : "not there");
	at += skip;
	length -= skip;
	if (length >= 2 && t->v[at] == '"' && t->v[at + length - 1] == '"') {
		at++;
		length -= 2;
	}
	if (length >= ENVFILE_VALUE_MAX)
		return err_set(reterr, -EFBIG, "read file '%s': '%s' is too long", path, key);
	memcpy(ret, t->v + at, length);
	ret[length] = '\0';
	return 0;
}

static bool value_is_valid(const char *s)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_.:/%?&=@+,~-";

	return s[0] && s[strspn(s, allowed)] == '\0' && strlen(s) < ENVFILE_VALUE_MAX;
}

/* Puts "KEY=VALUE" in the place of length bytes at `at`. */
static int replace(struct text *t, size_t at, size_t length, const struct envfile_change *c)
{
	size_t key = strlen(c->key), value = strlen(c->value), size = key + 1 + value;

	if (t->n - length + size + 2 > sizeof(t->v))
		return -EFBIG;
	memmove(t->v + at + size, t->v + at + length, t->n - at - length);
	memcpy(t->v + at, c->key, key);
	t->v[at + key] = '=';
	memcpy(t->v + at + key + 1, c->value, value);
	t->n = t->n - length + size;
	return 0;
}

static int change(struct text *t, const struct envfile_change *c, struct err *reterr)
{
	size_t at = 0, length = 0;
	int r = value_is_valid(c->value) ? find_line(t, c->key, &at, &length) : -EINVAL;

	if (r == 0) {
		if (t->n > 0 && t->v[t->n - 1] != '\n' && t->n < sizeof(t->v))
			t->v[t->n++] = '\n';
		at = t->n;
	}
	if (r >= 0)
		r = replace(t, at, length, c);
	if (r == 0 && length == 0)
		t->v[t->n++] = '\n';
	return r < 0 ? err_set(reterr, r, "change '%s': %s", c->key, strerror(-r)) : 0;
}

/* ---- the file ---- */

static int copy_xattrs(int from_fd, int to_fd)
{
	char names[XATTRS_MAX], value[XATTRS_MAX];
	ssize_t n = flistxattr(from_fd, names, sizeof(names));

	if (n < 0)
		return errno == ENOTSUP ? 0 : -errno;
	for (const char *name = names; name < names + n; name += strlen(name) + 1) {
		ssize_t size = fgetxattr(from_fd, name, value, sizeof(value));

		if (size < 0 || fsetxattr(to_fd, name, value, (size_t)size, 0) < 0)
			return -errno;
	}
	return 0;
}

static int write_all(int fd, const struct text *t)
{
	for (size_t at = 0; at < t->n;) {
		ssize_t n = write(fd, t->v + at, t->n - at);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* A copy of old_fd's owner, mode and attributes, with the text. */
static int write_like(int dir_fd, const char *tmp, int old_fd, const struct text *t)
{
	_cleanup_close_ int fd = openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct stat st;
	int r;

	if (fd < 0 || fstat(old_fd, &st) < 0)
		return -errno;
	r = write_all(fd, t);
	if (r == 0 && (fchown(fd, st.st_uid, st.st_gid) < 0 || fchmod(fd, st.st_mode & 07777) < 0))
		r = -errno;
	return r < 0 ? r : copy_xattrs(old_fd, fd);
}

/* Returns the descriptor of a regular file; -errno. */
static int open_file(int dir_fd, const char *name, struct err *reterr)
{
	_cleanup_close_ int fd = openat(dir_fd, name,
					O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(reterr, -errno, "open file '%s': %s", name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(reterr, -EINVAL, "open file '%s': not a regular file", name);
	return TAKE_FD(fd);
}

static int sync_dir(int dir_fd)
{
	return fsync(dir_fd) < 0 ? -errno : 0;
}

int envfile_set(int root_fd, const char *path, const struct envfile_change *changes, size_t n,
		struct err *reterr)
{
	_cleanup_text_ struct text *t = calloc(1, sizeof(*t));
	char name[NAME_MAX_BYTES] = "", tmp[NAME_MAX_BYTES + 16] = "";
	_cleanup_close_ int dir_fd = open_parent(root_fd, path, name, reterr);
	_cleanup_close_ int old_fd = dir_fd < 0 ? dir_fd : open_file(dir_fd, name, reterr);
	int r = t ? 0 : -ENOMEM;

	if (old_fd < 0)
		return old_fd;
	if (r == 0)
		r = read_text(dir_fd, name, t, reterr);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = change(t, &changes[i], reterr);
	if (r < 0)
		return err_wrap(reterr, r, "change file '%s'", path);
	str_append(tmp, sizeof(tmp), "%s.aiops-new", name);
	(void)unlinkat(dir_fd, tmp, 0); /* of one that was killed */
	r = write_like(dir_fd, tmp, old_fd, t);
	if (r == 0 && renameat(dir_fd, tmp, dir_fd, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir_fd, tmp, 0);
		return err_set(reterr, r, "write file '%s': %s", path, strerror(-r));
	}
	r = sync_dir(dir_fd);
	return r < 0 ? err_set(reterr, r, "write file '%s': %s", path, strerror(-r)) : 0;
}

/* ---- what is kept ---- */

/* Opens the directory; the two names come along. Returns the descriptor; -errno. */
static int open_pair(int root_fd, const char *path, const char *key,
		     char name[static NAME_MAX_BYTES], char *kept, size_t kept_size,
		     struct err *reterr)
{
	int fd = open_parent(root_fd, path, name, reterr);

	(void)format_kept_name(name, key, kept, kept_size);
	return fd;
}

int envfile_keep(int root_fd, const char *path, const char *key, struct err *reterr)
{
	char name[NAME_MAX_BYTES] = "", kept[NAME_MAX_BYTES + 64];
	_cleanup_close_ int dir_fd = open_pair(root_fd, path, key, name, kept, sizeof(kept),
					       reterr);
	_cleanup_close_ int fd = dir_fd < 0 ? dir_fd : open_file(dir_fd, name, reterr);

	if (fd < 0)
		return fd;
	if (linkat(dir_fd, name, dir_fd, kept, 0) < 0 && errno != EEXIST)
		return err_set(reterr, -errno, "keep file '%s': %s", path, strerror(errno));
	return 0;
}

int envfile_is_kept(int root_fd, const char *path, const char *key, struct err *reterr)
{
	char name[NAME_MAX_BYTES] = "", kept[NAME_MAX_BYTES + 64];
	_cleanup_close_ int dir_fd = open_pair(root_fd, path, key, name, kept, sizeof(kept),
					       reterr);

	if (dir_fd < 0)
		return dir_fd;
	if (faccessat(dir_fd, kept, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 :
				 err_set(reterr, -errno, "look for what was kept of '%s': %s", path,
					 strerror(errno));
}

int envfile_put_back(int root_fd, const char *path, const char *key, struct err *reterr)
{
	char name[NAME_MAX_BYTES] = "", kept[NAME_MAX_BYTES + 64], tmp[NAME_MAX_BYTES + 16] = "";
	_cleanup_close_ int dir_fd = open_pair(root_fd, path, key, name, kept, sizeof(kept),
					       reterr);
	int r = 0;

	if (dir_fd < 0)
		return dir_fd;
	str_append(tmp, sizeof(tmp), "%s.aiops-new", name);
	(void)unlinkat(dir_fd, tmp, 0);
	if (linkat(dir_fd, kept, dir_fd, tmp, 0) < 0 || renameat(dir_fd, tmp, dir_fd, name) < 0)
		r = -errno;
	/* Of two names of one file rename(2) leaves both. */
	(void)unlinkat(dir_fd, tmp, 0);
	if (r == 0)
		r = sync_dir(dir_fd);
	return r < 0 ? err_set(reterr, r, "put file '%s' back: %s", path, strerror(-r)) : 0;
}

int envfile_forget(int root_fd, const char *path, const char *key, struct err *reterr)
{
	char name[NAME_MAX_BYTES] = "", kept[NAME_MAX_BYTES + 64];
	_cleanup_close_ int dir_fd = open_pair(root_fd, path, key, name, kept, sizeof(kept),
					       reterr);

	if (dir_fd < 0)
		return dir_fd;
	if (unlinkat(dir_fd, kept, 0) < 0 && errno != ENOENT)
		return err_set(reterr, -errno, "remove what was kept of '%s': %s", path,
			       strerror(errno));
	return 0;
}
