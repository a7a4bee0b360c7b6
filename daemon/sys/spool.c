/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#define SEGMENTS_MAX 1024 /* in the directory: four times what SPOOL_BYTES_MAX needs */

static const char *const lane_names[_SPOOL_LANE_MAX] = { "audit", "records", "telemetry" };

struct lane {
	int fd; /* of the segment that grows */
	uint64_t number, bytes;
	char *buf; /* rows that are not written */
	size_t length;
	uint64_t buffered_rows;
};

struct spool {
	int dir_fd;
	uint64_t bytes_max;
	struct lane lanes[_SPOOL_LANE_MAX];
	struct spool_stats stats;
};

/* ---- names ---- */

const char *spool_name(enum spool_lane lane, uint64_t number, char buf[static SPOOL_NAME_MAX])
{
	buf[0] = '\0';
	str_append(buf, SPOOL_NAME_MAX, "%s-%016" PRIx64 ".seg", lane_names[lane], number);
	return buf;
}

int spool_parse_name(const char *name, enum spool_lane *ret_lane, uint64_t *ret_number)
{
	char again[SPOOL_NAME_MAX];

	for (enum spool_lane l = 0; l < _SPOOL_LANE_MAX; l++) {
		size_t n = strlen(lane_names[l]);
		uint64_t number = 0;

		if (strncmp(name, lane_names[l], n) != 0 ||
		    sscanf(name + n, "-%16" SCNx64 ".seg", &number) != 1 ||
		    !str_equal(spool_name(l, number, again), name))
			continue;
		*ret_lane = l;
		*ret_number = number;
		return 0;
	}
	return -EINVAL;
}

static int compare(const void *a, const void *b)
{
	const struct spool_segment *x = a, *y = b;

	if (x->lane != y->lane)
		return x->lane < y->lane ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

int spool_list(int dir_fd, struct spool_segment *ret, size_t max, struct err *reterr)
{
	_cleanup_close_ int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;
	size_t n = 0;

	if (!dir)
		return err_set(reterr, -errno, "list spool: %s", strerror(errno));
	TAKE_FD(fd);
	while (n < max && (e = readdir(dir))) {
		struct spool_segment s = { 0 };
		struct stat st;

		if (spool_parse_name(e->d_name, &s.lane, &s.number) < 0 ||
		    fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		s.bytes = (uint64_t)st.st_size;
		ret[n++] = s;
	}
	qsort(ret, n, sizeof(*ret), compare);
	for (size_t i = 0; i < n; i++)
		ret[i].is_last = i + 1 == n || ret[i + 1].lane != ret[i].lane;
	return (int)n;
}

/* ---- rows ---- */

static bool is_row(const char *line, size_t length)
{
	unsigned columns = 0;
	size_t from = 0;

	for (size_t i = 0; i <= length; i++) {
		if (i < length && line[i] != '\t')
			continue;
		if (!str_is_clean_utf8(line + from, i - from))
			return false;
		columns++;
		from = i + 1;
	}
	return columns == SPOOL_COLUMNS;
}

size_t spool_rows(const char *text, size_t length, size_t *ret_rows, size_t *ret_skip)
{
	size_t at = 0;

	*ret_rows = *ret_skip = 0;
	while (at < length) {
		const char *end = memchr(text + at, '\n', length - at);
		size_t n = end ? (size_t)(end - (text + at)) : 0;

		if (!end)
			break;
		if (n > SPOOL_LINE_MAX || !is_row(text + at, n)) {
			if (at == 0)
				*ret_skip = n + 1;
			break;
		}
		at += n + 1;
		(*ret_rows)++;
	}
	return at;
}

/* ---- appending ---- */

static uint64_t count_rows(int dir_fd, const char *name)
{
	_cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char buf[16 * 1024];
	uint64_t rows = 0;
	ssize_t n;

	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++)
			rows += buf[i] == '\n';
	return rows;
}

/* Removes it unless the shipper has it. Returns bytes; 0: it has. */
static uint64_t remove_segment(struct spool *s, const struct spool_segment *segment)
{
	char name[SPOOL_NAME_MAX];
	_cleanup_close_ int fd = openat(s->dir_fd, spool_name(segment->lane, segment->number, name),
					O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint64_t rows;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	rows = count_rows(s->dir_fd, name);
	if (unlinkat(s->dir_fd, name, 0) < 0)
		return 0;
	s->stats.dropped[segment->lane] += rows;
	return segment->bytes;
}

/* Makes room for more bytes: the oldest telemetry, then the oldest records. What grows stays. */
static void make_room(struct spool *s, uint64_t more)
{
	struct spool_segment *all = calloc(SEGMENTS_MAX, sizeof(*all));
	int n = all ? spool_list(s->dir_fd, all, SEGMENTS_MAX, NULL) : 0;

	s->stats.bytes = 0;
	for (int i = 0; i < n; i++)
		s->stats.bytes += all[i].bytes;
	for (enum spool_lane lane = SPOOL_TELEMETRY; lane > SPOOL_AUDIT; lane--)
		for (int i = 0; i < n && s->stats.bytes + more > s->bytes_max; i++)
			if (all[i].lane == lane && all[i].number != s->lanes[lane].number)
				s->stats.bytes -= remove_segment(s, &all[i]);
	free(all);
}

/* Numbers rise, also over restarts, and are never used again: a wall clock's, made unique. */
static int begin_segment(struct spool *s, enum spool_lane lane, struct err *reterr)
{
	struct lane *l = &s->lanes[lane];
	uint64_t now = clock_wall_us();
	char name[SPOOL_NAME_MAX];

	if (l->fd >= 0)
		(void)close(TAKE_FD(l->fd));
	l->number = now > l->number ? now : l->number + 1;
	l->bytes = 0;
	make_room(s, SPOOL_SEGMENT_BYTES);
	l->fd = openat(s->dir_fd, spool_name(lane, l->number, name),
		       O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640);
	return l->fd < 0 ? err_set(reterr, -errno, "begin spool segment '%s': %s", name,
				   strerror(errno)) :
			   0;
}

static void drop_buffer(struct spool *s, enum spool_lane lane)
{
	s->stats.dropped[lane] += s->lanes[lane].buffered_rows;
	s->lanes[lane].length = 0;
	s->lanes[lane].buffered_rows = 0;
}

/* A part of a line that found no room is taken back. */
static int write_lane(struct spool *s, enum spool_lane lane, struct err *reterr)
{
	struct lane *l = &s->lanes[lane];
	ssize_t n;
	int r = 0;

	if (l->length == 0)
		return 0;
	if (l->fd < 0 || l->bytes + l->length > SPOOL_SEGMENT_BYTES)
		r = begin_segment(s, lane, reterr);
	if (r < 0)
		return r;
	n = write(l->fd, l->buf, l->length);
	if (n != (ssize_t)l->length) {
		r = n < 0 ? -errno : -ENOSPC;
		if (ftruncate(l->fd, (off_t)l->bytes) < 0)
			(void)close(TAKE_FD(l->fd)); /* the line stays torn: another segment */
		return err_set(reterr, r, "write spool: %s", strerror(-r));
	}
	l->bytes += l->length;
	s->stats.bytes += l->length;
	s->stats.rows[lane] += l->buffered_rows;
	l->length = 0;
	l->buffered_rows = 0;
	return 0;
}

static int flush_all(struct spool *s, struct err *reterr)
{
	int r = 0;

	for (enum spool_lane l = 0; l < _SPOOL_LANE_MAX; l++) {
		int q = write_lane(s, l, reterr);

		if (q < 0 && l == SPOOL_TELEMETRY)
			drop_buffer(s, l);
		r = q < 0 ? q : r;
	}
	return r;
}

int spool_flush(struct spool *s, struct err *reterr)
{
	return flush_all(s, reterr);
}

/* Appends a value in COPY's text format. Returns the end; NULL: no room. */
static char *put_value(char *at, const char *end, const char *value)
{
	static const char special[] = "\b\f\n\r\t\v\\", letters[] = "bfnrtv\\";

	for (const char *v = value ? value : "N"; *v; v++) {
		const char *found = strchr(special, *v);

		if (end - at < 3)
			return NULL;
		if (found || !value)
			*at++ = '\\';
		*at++ = found ? letters[found - special] : *v;
	}
	return at;
}

void spool_add(struct spool *s, enum spool_lane lane, const char *const texts[SPOOL_COLUMNS])
{
	struct lane *l = &s->lanes[lane];
	char line[SPOOL_LINE_MAX + 1], *at = line;

	for (unsigned i = 0; at && i < SPOOL_COLUMNS; i++) {
		at = put_value(at, line + SPOOL_LINE_MAX, texts[i]);
		if (at)
			*at++ = i + 1 < SPOOL_COLUMNS ? '\t' : '\n';
	}
	if (at && l->length + (size_t)(at - line) > SPOOL_SEGMENT_BYTES)
		(void)flush_all(s, NULL);
	if (!at || l->length + (size_t)(at - line) > SPOOL_SEGMENT_BYTES) {
		s->stats.dropped[lane]++;
		return;
	}
	memcpy(l->buf + l->length, line, (size_t)(at - line));
	l->length += (size_t)(at - line);
	l->buffered_rows++;
}

bool spool_is_waiting(const struct spool *s, enum spool_lane lane)
{
	return s->lanes[lane].length > 0;
}

const struct spool_stats *spool_stats(const struct spool *s)
{
	return &s->stats;
}

int spool_open(const char *path, uint64_t bytes_max, struct spool **ret, struct err *reterr)
{
	_cleanup_(spool_closep) struct spool *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(reterr, -ENOMEM, "open spool: Out of memory");
	s->bytes_max = bytes_max;
	for (enum spool_lane l = 0; l < _SPOOL_LANE_MAX; l++)
		s->lanes[l].fd = -EBADF;
	s->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (s->dir_fd < 0)
		return err_set(reterr, -errno, "open spool '%s': %s", path, strerror(errno));
	for (enum spool_lane l = 0; l < _SPOOL_LANE_MAX; l++) {
		s->lanes[l].buf = malloc(SPOOL_SEGMENT_BYTES); /* touched only as far as used */
		if (!s->lanes[l].buf)
			return err_set(reterr, -ENOMEM, "open spool: Out of memory");
	}
	*ret = TAKE_PTR(s);
	return 0;
}

struct spool *spool_close(struct spool *s)
{
	if (!s)
		return NULL;
	if (s->dir_fd >= 0)
		(void)flush_all(s, NULL);
	for (enum spool_lane l = 0; l < _SPOOL_LANE_MAX; l++) {
		if (s->lanes[l].fd >= 0)
			(void)close(s->lanes[l].fd);
		free(s->lanes[l].buf);
	}
	if (s->dir_fd >= 0)
		(void)close(s->dir_fd);
	free(s);
	return NULL;
}
