/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define DIR_MODE  0750
#define FILE_MODE 0640 /* group aiops reads it: aiopsctl audit verify */

struct audit {
	int dir_fd, fd;
	unsigned segment;
	off_t size_bytes; /* of the segment up to its last whole line */
	bool begins_segment;
	bool torn; /* a failed write may have left a part of a line */
	struct audit_head head;
	struct audit_key recent[AUDIT_RECENT_MAX]; /* a ring */
	size_t n_recent;                           /* ever added */
	char line[AUDIT_LINE_MAX];
};

static void remember(struct audit *a, const struct audit_key *key)
{
	a->recent[a->n_recent++ % AUDIT_RECENT_MAX] = *key;
}

static bool is_known(const struct audit *a, const struct audit_entry *entry)
{
	size_t n = a->n_recent < AUDIT_RECENT_MAX ? a->n_recent : AUDIT_RECENT_MAX;

	for (size_t i = 0; i < n; i++)
		if (a->recent[i].seq == entry->seq &&
		    str_equal(a->recent[i].boot_id, entry->boot_id))
			return true;
	return false;
}

static int open_segment(struct audit *a, unsigned segment, struct err *reterr)
{
	char name[AUDIT_SEGMENT_NAME] = "";
	_cleanup_close_ int fd = openat(a->dir_fd, audit_segment_name(segment, name),
					O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
					FILE_MODE);

	if (fd < 0)
		return err_set(reterr, -errno, "open audit segment '%s': %s", name,
			       strerror(errno));
	/* The name must outlive a power cut before a line in it is acknowledged. */
	if (fchmod(fd, FILE_MODE) < 0 || fsync(a->dir_fd) < 0)
		return err_set(reterr, -errno, "open audit segment '%s': %s", name,
			       strerror(errno));
	if (a->fd >= 0)
		(void)close(a->fd);
	a->fd = TAKE_FD(fd);
	a->segment = segment;
	return 0;
}

static void say_broken(struct audit_found *found, const char *name, unsigned line,
		       const struct err *err)
{
	if (found->broken)
		return;
	found->broken = true;
	found->text[0] = '\0';
	str_append(found->text, sizeof(found->text), "%s:%u: %s", name, line, err_text(err));
}

/* Takes one line as the next. A damaged one is carried on from as it claims, so that the lines after
 * it hold together and the trail has one break, not an end. */
static void take_line(struct audit *a, const char *line, size_t length, const char *name,
		      unsigned number, struct audit_found *found)
{
	struct audit_head before = { 0 }, after = { 0 };
	struct audit_key key = { 0 };
	struct err err = { 0 };

	if (audit_line_check(line, length, &a->head, &a->head, &key, &err) >= 0) {
		remember(a, &key);
		return;
	}
	say_broken(found, name, number, &err);
	if (audit_line_read(line, length, &before, &after) >= 0)
		a->head = after;
}

/* Where the trail stands before its first line that is read: not known from before unless it is the
 * first of all. */
static void seed_head(struct audit *a, unsigned segment, const char *text, size_t size)
{
	const char *newline = memchr(text, '\n', size);
	struct audit_head before = { 0 }, after = { 0 };

	audit_head_init(&a->head);
	if (segment > 1 && newline &&
	    audit_line_read(text, (size_t)(newline - text), &before, &after) >= 0)
		a->head = before;
}

/* Returns bytes of whole lines. */
static size_t take_lines(struct audit *a, const char *name, const char *text, size_t size,
			 struct audit_found *found)
{
	const char *p = text, *end = text + size, *newline;

	for (unsigned line = 1; p < end && (newline = memchr(p, '\n', (size_t)(end - p))); line++) {
		take_line(a, p, (size_t)(newline - p), name, line, found);
		p = newline + 1;
	}
	return (size_t)(p - text);
}

/* Reads one segment; begin: it is the first that is read. Returns bytes of whole lines and all bytes
 * by ret_size; -errno. */
static ssize_t read_segment(struct audit *a, unsigned segment, bool begin, size_t *ret_size,
			    struct audit_found *found, struct err *reterr)
{
	_cleanup_free_ char *text = malloc(AUDIT_FILE_BYTES_MAX + 1);
	char name[AUDIT_SEGMENT_NAME] = "";
	ssize_t size;

	if (!text)
		return err_set(reterr, -ENOMEM, "read audit segment: Out of memory");
	size = fd_read_file(a->dir_fd, audit_segment_name(segment, name), text,
			    AUDIT_FILE_BYTES_MAX + 1);
	if (size < 0)
		return err_set(reterr, (int)size, "read audit segment '%s': %s", name,
			       strerror((int)-size));
	if (begin)
		seed_head(a, segment, text, (size_t)size);
	*ret_size = (size_t)size;
	return (ssize_t)take_lines(a, name, text, (size_t)size, found);
}

/* A power cut in the middle of a write leaves a line without its end; nobody was told that it is
 * written, so it goes. */
static int repair_tail(struct audit *a, size_t whole_bytes, size_t size_bytes,
		       struct audit_found *found, struct err *reterr)
{
	char name[AUDIT_SEGMENT_NAME] = "";

	a->size_bytes = (off_t)whole_bytes;
	if (whole_bytes == size_bytes)
		return 0;
	if (ftruncate(a->fd, a->size_bytes) < 0 || fsync(a->fd) < 0)
		return err_set(reterr, -errno, "repair audit segment: %s", strerror(errno));
	found->repaired = true;
	if (!found->broken)
		str_append(found->text, sizeof(found->text), "%s: %zu bytes of a torn line cut off",
			   audit_segment_name(a->segment, name), size_bytes - whole_bytes);
	return 0;
}

/* The last segment gives the head; the one before too, for the entries to know again. */
static int load(struct audit *a, struct audit_found *found, struct err *reterr)
{
	size_t size_bytes = 0;
	unsigned first = 0, last = 0;
	ssize_t whole = 0;
	int r;

	audit_head_init(&a->head);
	r = audit_segments(a->dir_fd, &first, &last, reterr);
	if (r < 0)
		return r;
	if (last == 0)
		return open_segment(a, 1, reterr);
	if (last > first)
		whole = read_segment(a, last - 1, true, &size_bytes, found, reterr);
	/* The one before may be missing or too long: verify says so; we go on from the last. */
	whole = read_segment(a, last, last == first || whole < 0, &size_bytes, found, reterr);
	if (whole < 0)
		return (int)whole;
	r = open_segment(a, last, reterr);
	return r < 0 ? r : repair_tail(a, (size_t)whole, size_bytes, found, reterr);
}

int audit_open(const char *dir, struct audit **ret, struct audit_found *ret_found,
	       struct err *reterr)
{
	_cleanup_(audit_closep) struct audit *a = calloc(1, sizeof(*a));
	struct audit_found found = { 0 };
	int r;

	if (!a)
		return err_set(reterr, -ENOMEM, "open audit '%s': Out of memory", dir);
	a->fd = -EBADF;
	a->dir_fd = -EBADF;
	if (mkdir(dir, DIR_MODE) < 0 && errno != EEXIST)
		return err_set(reterr, -errno, "make audit directory '%s': %s", dir,
			       strerror(errno));
	a->dir_fd = fd_open_dir(AT_FDCWD, dir, reterr);
	if (a->dir_fd < 0)
		return a->dir_fd;
	r = load(a, &found, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "open audit '%s'", dir);
	*ret_found = found;
	*ret = TAKE_PTR(a);
	return 0;
}

struct audit *audit_close(struct audit *a)
{
	if (!a)
		return NULL;
	if (a->fd >= 0)
		(void)close(a->fd);
	if (a->dir_fd >= 0)
		(void)close(a->dir_fd);
	free(a);
	return NULL;
}

/* Writes all of it or nothing. */
static int write_line(struct audit *a, size_t length)
{
	ssize_t n;
	int r = 0;

	if (a->torn && ftruncate(a->fd, a->size_bytes) < 0)
		return -errno;
	a->torn = false;
	n = write(a->fd, a->line, length);
	if (n < 0)
		return -errno;
	if ((size_t)n < length)
		r = -ENOSPC;
	else if (fdatasync(a->fd) < 0)
		r = -errno;
	a->torn = r < 0;
	return r;
}

int audit_append(struct audit *a, const struct audit_entry *entry, struct err *reterr)
{
	struct audit_head head = { 0 };
	struct audit_key key = { .seq = entry->seq };
	int length, r;

	if (is_known(a, entry))
		return 0;
	length = audit_line_format(entry, &a->head, a->line, &head, reterr);
	if (length < 0)
		return length;
	if (a->size_bytes > 0 && a->size_bytes + length > AUDIT_SEGMENT_BYTES) {
		r = open_segment(a, a->segment + 1, reterr);
		if (r < 0)
			return r;
		a->size_bytes = 0;
	}
	r = write_line(a, (size_t)length);
	if (r < 0)
		return err_set(reterr, r, "write audit line: %s", strerror(-r));
	a->begins_segment = a->size_bytes == 0;
	a->size_bytes += length;
	a->head = head;
	(void)str_copy(key.boot_id, sizeof(key.boot_id), entry->boot_id);
	remember(a, &key);
	return 1;
}

const struct audit_head *audit_head(const struct audit *a)
{
	return &a->head;
}

unsigned audit_segment(const struct audit *a)
{
	return a->segment;
}

bool audit_begins_segment(const struct audit *a)
{
	return a->begins_segment;
}

static bool stat_segment(const struct audit *a, unsigned segment, struct stat *ret)
{
	char name[AUDIT_SEGMENT_NAME] = "";

	return fstatat(a->dir_fd, audit_segment_name(segment, name), ret, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The first segment to keep. */
static unsigned find_begin(const struct audit *a, unsigned first, const struct audit_bounds *bounds,
			   uint64_t now_wall_us)
{
	uint64_t sum_bytes = 0, since_us = now_wall_us - bounds->age_us;
	bool by_age = now_wall_us > bounds->age_us;
	struct stat st = { 0 };

	for (unsigned i = first; i <= a->segment; i++)
		sum_bytes += stat_segment(a, i, &st) ? (uint64_t)st.st_size : 0;
	for (; first + AUDIT_KEEP_SEGMENTS <= a->segment; first++) {
		bool is_old;

		if (!stat_segment(a, first, &st))
			continue;
		is_old = by_age && (uint64_t)st.st_mtim.tv_sec * US_PER_S < since_us;
		if (!is_old && sum_bytes <= bounds->bytes)
			break;
		by_age = by_age && sum_bytes > bounds->bytes;
		sum_bytes -= (uint64_t)st.st_size;
	}
	return first;
}

/* Where the chain stood before a segment, by its first line. Returns 0; -EBADMSG. */
static int read_begin(struct audit *a, unsigned segment, struct audit_head *ret, struct err *reterr)
{
	char name[AUDIT_SEGMENT_NAME] = "";
	_cleanup_close_ int fd = openat(a->dir_fd, audit_segment_name(segment, name),
					O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct audit_head after = { 0 };
	const char *newline;
	ssize_t n = fd < 0 ? -1 : read(fd, a->line, sizeof(a->line));

	newline = n > 0 ? memchr(a->line, '\n', (size_t)n) : NULL;
	if (!newline || audit_line_read(a->line, (size_t)(newline - a->line), ret, &after) < 0)
		return err_set(reterr, -EBADMSG, "cut audit: %s:1: no line of a trail", name);
	return 0;
}

static int write_cut(struct audit *a, const struct audit_head *begin, uint64_t now_wall_us,
		     struct audit_entry *ret, struct err *reterr)
{
	/* No boot's, and its number is no other cut's: it is never taken for known. */
	struct audit_entry e = { .seq = begin->n, .wall_us = now_wall_us };

	(void)str_copy(e.actor, sizeof(e.actor), "recorder");
	(void)str_copy(e.what, sizeof(e.what), AUDIT_WHAT_CUT);
	str_append(e.attempt.text, sizeof(e.attempt.text), "%" PRIu64 " %s", begin->n, begin->hash);
	*ret = e;
	return audit_append(a, &e, reterr);
}

int audit_cut(struct audit *a, const struct audit_bounds *bounds, uint64_t now_wall_us,
	      struct audit_entry *ret_entry, struct err *reterr)
{
	struct audit_head begin = { 0 };
	unsigned first = 0, last = 0, keep;
	int n = 0, r = audit_segments(a->dir_fd, &first, &last, reterr);

	if (r < 0)
		return r;
	keep = find_begin(a, first, bounds, now_wall_us);
	if (keep == first)
		return 0;
	r = read_begin(a, keep, &begin, reterr);
	if (r == 0)
		r = write_cut(a, &begin, now_wall_us, ret_entry, reterr);
	if (r < 0)
		return r;
	for (unsigned i = first; i < keep; i++) {
		char name[AUDIT_SEGMENT_NAME] = "";

		n += unlinkat(a->dir_fd, audit_segment_name(i, name), 0) == 0;
	}
	return n;
}
