/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/sweep.h"

#define FILES_MAX      4096 /* archived files of one machine */
#define BLOCK_BYTES    512
#define SEQUENCE_CHARS 16 /* "@SEQNUM_ID-SEQUENCE-REALTIME.journal", in hexadecimal */
#define SEQNUM_CHARS   32

struct archived {
	char name[NAME_MAX + 1];
	uint64_t realtime; /* hexadecimal order is that of age */
	uint64_t bytes;
};

static bool parse_hex(const char *s, size_t n, char after, uint64_t *ret)
{
	char text[SEQUENCE_CHARS + 1] = "", *end = NULL;

	if (strspn(s, "0123456789abcdef") != n || s[n] != after || n > SEQUENCE_CHARS)
		return false;
	memcpy(text, s, n);
	*ret = strtoull(text, &end, 16);
	return *end == '\0';
}

/* system@0123...-0123...-0123....journal, or system@REALTIME-RANDOM.journal~ of a machine that crashed.
 * What has no @ is in use. */
static bool is_archived(const char *name, uint64_t *ret_realtime)
{
	const char *at = strrchr(name, '@'), *p = at ? at + 1 : NULL;
	uint64_t other = 0;

	if (!p || at == name)
		return false;
	if (parse_hex(p, SEQUENCE_CHARS, '-', ret_realtime))
		return parse_hex(p + SEQUENCE_CHARS + 1, SEQUENCE_CHARS, '.', &other) &&
		       str_equal(p + 2 * SEQUENCE_CHARS + 1, ".journal~");
	if (strspn(p, "0123456789abcdef") != SEQNUM_CHARS || p[SEQNUM_CHARS] != '-')
		return false;
	p += SEQNUM_CHARS + 1;
	return parse_hex(p, SEQUENCE_CHARS, '-', &other) &&
	       parse_hex(p + SEQUENCE_CHARS + 1, SEQUENCE_CHARS, '.', ret_realtime) &&
	       str_equal(p + 2 * SEQUENCE_CHARS + 1, ".journal");
}

static int by_age(const void *a, const void *b)
{
	const struct archived *x = a, *y = b;

	return x->realtime < y->realtime ? -1 : x->realtime > y->realtime;
}

static ssize_t list_archived(DIR *dir, struct archived *v, const char *path, struct err *reterr)
{
	size_t n = 0;

	for (const struct dirent *e; (e = readdir(dir));) {
		struct stat st = { 0 };
		uint64_t realtime = 0;

		if (!is_archived(e->d_name, &realtime) ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (n == FILES_MAX)
			return err_set(reterr, -E2BIG, "list journal '%s': over %d files", path,
				       FILES_MAX);
		v[n].realtime = realtime;
		v[n].bytes = (uint64_t)st.st_blocks * BLOCK_BYTES;
		(void)str_copy(v[n++].name, sizeof(v->name), e->d_name);
	}
	qsort(v, n, sizeof(*v), by_age);
	return (ssize_t)n;
}

static int remove_oldest(int dir_fd, const char *path, const struct archived *v, size_t n,
			 struct sweep_count *count, struct err *reterr)
{
	for (size_t i = 0; i < n; i++) {
		if (unlinkat(dir_fd, v[i].name, 0) < 0 && errno != ENOENT)
			return err_set(reterr, -errno, "remove '%s' below '%s': %s", v[i].name,
				       path, strerror(errno));
		count->bytes += v[i].bytes;
		count->n++;
	}
	return 0;
}

/* How many of the oldest must go. */
static size_t count_surplus(const struct archived *v, size_t n, uint64_t keep_bytes)
{
	uint64_t sum_bytes = 0;

	for (size_t i = n; i-- > 0;) {
		sum_bytes += v[i].bytes;
		if (sum_bytes > keep_bytes)
			return i + 1;
	}
	return 0;
}

static int sweep_listed(DIR *dir, const char *path, uint64_t keep_bytes, bool do_remove,
			struct sweep_count *count, struct err *reterr)
{
	_cleanup_free_ struct archived *v = calloc(FILES_MAX, sizeof(*v));
	uint64_t before_bytes = sweep_free_bytes(dirfd(dir));
	ssize_t n = v ? list_archived(dir, v, path, reterr) :
			err_set(reterr, -ENOMEM, "list journal '%s': Out of memory", path);
	size_t surplus = n > 0 ? count_surplus(v, (size_t)n, keep_bytes) : 0;
	int r = n < 0 ? (int)n : 0;

	if (r == 0 && do_remove) {
		r = remove_oldest(dirfd(dir), path, v, surplus, count, reterr);
		count->freed_bytes += sweep_gain(before_bytes, sweep_free_bytes(dirfd(dir)));
		return r;
	}
	count->n += surplus;
	for (size_t i = 0; i < surplus; i++)
		count->bytes += v[i].bytes;
	return r;
}

int sweep_journal(int root_fd, const char *path, uint64_t keep_bytes, bool do_remove,
		  struct sweep_count *count, struct err *reterr)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = sweep_open(root_fd, path, reterr);

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd);
		return err_set(reterr, -ENOMEM, "list journal '%s': Out of memory", path);
	}
	return sweep_listed(dir, path, keep_bytes, do_remove, count, reterr);
}
