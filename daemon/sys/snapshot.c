/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"

#define DUMP_SUFFIX ".dump"
#define JSON_SUFFIX ".json"
#define FILE_MAX    (STR_PLAIN_NAME_MAX + sizeof(DUMP_SUFFIX))
#define TEXT_MAX    4096
#define CHUNK_BYTES (64 * 1024)

/* ---- what is written of it ---- */

static int read_name(struct json_object *o, struct snapshot *s, struct err *reterr)
{
	const char *file = NULL;
	size_t n, suffix = strlen(DUMP_SUFFIX);
	int r = json_get_string(o, "file", &file, reterr);

	if (r < 0)
		return r;
	n = strlen(file);
	if (n <= suffix || n - suffix >= sizeof(s->name) ||
	    !str_equal(file + n - suffix, DUMP_SUFFIX))
		return err_set(reterr, -EINVAL, "field 'file': not NAME" DUMP_SUFFIX);
	memcpy(s->name, file, n - suffix);
	s->name[n - suffix] = '\0';
	return str_is_plain_name(s->name) ? 0 :
					    err_set(reterr, -EINVAL, "field 'file': not a name");
}

static int read_sha256(struct json_object *o, struct snapshot *s, struct err *reterr)
{
	const char *text = NULL;
	int r = json_get_string(o, "sha256", &text, reterr);

	if (r < 0)
		return r;
	if (strlen(text) != SHA256_HEX_MAX - 1 ||
	    strspn(text, "0123456789abcdef") != SHA256_HEX_MAX - 1)
		return err_set(reterr, -EINVAL, "field 'sha256': not 64 hexadecimal digits");
	return str_copy(s->sha256, sizeof(s->sha256), text);
}

static int read_number(struct json_object *o, const char *key, uint64_t max, uint64_t *ret,
		       struct err *reterr)
{
	int64_t n = 0;
	int r = json_get_i64(o, key, &n, reterr);

	if (r < 0)
		return r;
	if (n < 0 || (uint64_t)n > max)
		return err_set(reterr, -EINVAL, "field '%s': out of range", key);
	*ret = (uint64_t)n;
	return 0;
}

int snapshot_parse(const char *text, size_t length, struct snapshot *ret, struct err *reterr)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct snapshot s = { 0 };
	const char *database = NULL;
	uint64_t version = 0;
	int r = json_parse(text, length, &o, reterr);

	if (r == 0 && !json_object_is_type(o, json_type_object))
		r = err_set(reterr, -EBADMSG, "not an object");
	if (r == 0)
		r = read_name(o, &s, reterr);
	if (r == 0)
		r = read_sha256(o, &s, reterr);
	if (r == 0)
		r = json_get_string(o, "database", &database, reterr);
	if (r == 0 && str_copy(s.database, sizeof(s.database), database) < 0)
		r = err_set(reterr, -EINVAL, "field 'database': too long");
	if (r == 0)
		r = read_number(o, "size_bytes", INT64_MAX, &s.size_bytes, reterr);
	if (r == 0)
		r = read_number(o, "created_usec", INT64_MAX, &s.created_wall_us, reterr);
	if (r == 0)
		r = read_number(o, "schema_version", UINT32_MAX, &version, reterr);
	s.schema_version = (uint32_t)version;
	if (r == 0)
		*ret = s;
	return r;
}

/* ---- where it is ---- */

/* Whatever stands in them runs as the database's owner. */
static int check_trusted(int fd, const char *name, struct err *reterr)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(reterr, -errno, "look at '%s': %s", name, strerror(errno));
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return err_set(reterr, -EPERM,
			       "look at '%s': it is of user %u, mode %04o: others than root may "
			       "write to it",
			       name, (unsigned)st.st_uid, (unsigned)(st.st_mode & 07777));
	return 0;
}

/* No symlink is followed, nothing is left upwards. */
static int open_below(int dir_fd, const char *path, uint64_t flags)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | flags,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static int open_trusted(int dir_fd, const char *path, uint64_t flags, struct err *reterr)
{
	_cleanup_close_ int fd = open_below(dir_fd, path, flags);
	int r;

	if (fd < 0)
		return err_set(reterr, fd, "open '%s': %s", path, strerror(-fd));
	r = check_trusted(fd, path, reterr);
	return r < 0 ? r : TAKE_FD(fd);
}

static int open_dir(int root_fd, const char *dir, struct err *reterr)
{
	return open_trusted(root_fd, dir + 1, O_DIRECTORY, reterr);
}

static int open_file(int dir_fd, const char *file, struct err *reterr)
{
	_cleanup_close_ int fd = open_trusted(dir_fd, file, 0, reterr);
	struct stat st = { 0 };

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(reterr, -EBADMSG, "open '%s': not a file", file);
	return TAKE_FD(fd);
}

static int read_one(int dir_fd, const char *name, struct snapshot *ret, struct err *reterr)
{
	char file[FILE_MAX] = "", text[TEXT_MAX];
	_cleanup_close_ int fd = -EBADF;
	ssize_t n;
	int r;

	str_append(file, sizeof(file), "%s" JSON_SUFFIX, name);
	fd = open_file(dir_fd, file, reterr);
	if (fd < 0)
		return fd;
	n = read(fd, text, sizeof(text));
	if (n < 0 || n == sizeof(text))
		return err_set(reterr, n < 0 ? -errno : -EBADMSG, "read '%s': %s", file,
			       n < 0 ? strerror(errno) : "too large");
	r = snapshot_parse(text, (size_t)n, ret, reterr);
	if (r == 0 && !str_equal(ret->name, name))
		r = err_set(reterr, -EBADMSG, "it is of '%s'", ret->name);
	return r < 0 ? err_wrap(reterr, r, "read '%s'", file) : 0;
}

/* One that cannot be read is none: the maker of snapshots sweeps halves away. */
static int find_newest(int dir_fd, const char *database, struct snapshot *ret, struct err *reterr)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned n = 0;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		closep(&fd);
		return err_set(reterr, -errno, "read directory: %s", strerror(errno));
	}
	for (const struct dirent *e; n < SNAPSHOTS_MAX && (e = readdir(dir));) {
		size_t length = strlen(e->d_name), suffix = strlen(JSON_SUFFIX);
		char name[STR_PLAIN_NAME_MAX] = "";
		struct snapshot s = { 0 };

		if (length <= suffix || length - suffix >= sizeof(name) ||
		    !str_equal(e->d_name + length - suffix, JSON_SUFFIX))
			continue;
		n++;
		memcpy(name, e->d_name, length - suffix);
		if (read_one(dir_fd, name, &s, NULL) == 0 && str_equal(s.database, database) &&
		    s.created_wall_us > ret->created_wall_us)
			*ret = s;
	}
	return ret->name[0] ? 0 : err_set(reterr, -ENOENT, "there is none of '%s'", database);
}

int snapshot_find(int root_fd, const char *dir, const char *database, const char *name,
		  struct snapshot *ret, struct err *reterr)
{
	_cleanup_close_ int fd = open_dir(root_fd, dir, reterr);
	struct snapshot s = { 0 };
	int r = fd < 0 ? fd : 0;

	if (r == 0)
		r = str_equal(name, SNAPSHOT_NEWEST) ? find_newest(fd, database, &s, reterr) :
						       read_one(fd, name, &s, reterr);
	if (r == 0 && !str_equal(s.database, database))
		r = err_set(reterr, -EBADMSG, "it is of database '%s'", s.database);
	if (r < 0)
		return err_wrap(reterr, r, "find snapshot '%s' in '%s'", name, dir);
	*ret = s;
	return 0;
}

/* ---- what is in it ---- */

static int digest(int fd, uint64_t deadline_ns, char ret_hex[static SHA256_HEX_MAX],
		  uint64_t *ret_bytes, struct err *reterr)
{
	static uint8_t chunk[CHUNK_BYTES];
	uint8_t sha256[SHA256_SIZE] = { 0 };
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1;
	ssize_t n = 1;
	int r = 0;

	*ret_bytes = 0;
	while (ok && r == 0 && (n = read(fd, chunk, sizeof(chunk))) > 0) {
		ok = EVP_DigestUpdate(c, chunk, (size_t)n) == 1;
		*ret_bytes += (uint64_t)n;
		r = clock_boot_ns() < deadline_ns ? 0 : -ETIMEDOUT;
	}
	if (n < 0)
		r = -errno;
	ok = ok && EVP_DigestFinal_ex(c, sha256, NULL) == 1;
	EVP_MD_CTX_free(c);
	if (!ok || r < 0)
		return err_set(reterr, r < 0 ? r : -ENOMEM, "%s", strerror(r < 0 ? -r : ENOMEM));
	ret_hex[0] = '\0';
	for (size_t i = 0; i < sizeof(sha256); i++)
		str_append(ret_hex, SHA256_HEX_MAX, "%02x", sha256[i]);
	return 0;
}

int snapshot_open(int root_fd, const char *dir, const struct snapshot *s, uint64_t deadline_ns,
		  struct err *reterr)
{
	_cleanup_close_ int dir_fd = open_dir(root_fd, dir, reterr), fd = -EBADF;
	char file[FILE_MAX] = "", sha256[SHA256_HEX_MAX] = "";
	uint64_t bytes = 0;
	int r;

	if (dir_fd < 0)
		return dir_fd;
	str_append(file, sizeof(file), "%s" DUMP_SUFFIX, s->name);
	fd = open_file(dir_fd, file, reterr);
	if (fd < 0)
		return fd;
	r = digest(fd, deadline_ns, sha256, &bytes, reterr);
	if (r == 0 && bytes != s->size_bytes)
		r = err_set(reterr, -EBADMSG,
			    "it has %" PRIu64 " bytes, and had %" PRIu64 " when it was made", bytes,
			    s->size_bytes);
	if (r == 0 && !str_equal(sha256, s->sha256))
		r = err_set(reterr, -EBADMSG, "it is not what it was when it was made");
	if (r == 0 && lseek(fd, 0, SEEK_SET) != 0)
		r = err_set(reterr, -errno, "%s", strerror(errno));
	return r < 0 ? err_wrap(reterr, r, "read snapshot '%s'", file) : TAKE_FD(fd);
}
