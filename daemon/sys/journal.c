/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/journal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <systemd/sd-messages.h>

#include "base/str.h"

#define MATCH_MAX 320 /* "OBJECT_SYSTEMD_UNIT=" and a unit name of 255 bytes */

static void journal_closep(sd_journal **j)
{
	sd_journal_close(*j);
}

static int add_match(sd_journal *j, const char *field, const char *value)
{
	char match[MATCH_MAX] = "";

	str_append(match, sizeof(match), "%s=%s", field, value);
	return sd_journal_add_match(j, match, 0);
}

/* One row: all of these fields; rows are alternatives. */
static int add_matches_of_unit(sd_journal *j, const char *unit)
{
	static const struct {
		const char *unit_field;
		const char *fields[4]; /* name, value, name, value */
	} rows[] = {
		{ "_SYSTEMD_UNIT", { NULL } },
		{ "UNIT", { "_PID", "1" } },
		{ "OBJECT_SYSTEMD_UNIT", { "_UID", "0" } },
		{ "COREDUMP_UNIT", { "_UID", "0", "MESSAGE_ID", SD_MESSAGE_COREDUMP_STR } },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		int r = i > 0 ? sd_journal_add_disjunction(j) : 0;

		if (r >= 0)
			r = add_match(j, rows[i].unit_field, unit);
		for (size_t k = 0; r >= 0 && k < 4 && rows[i].fields[k]; k += 2)
			r = add_match(j, rows[i].fields[k], rows[i].fields[k + 1]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int open_journal(int root_fd, sd_journal **ret, struct err *reterr)
{
	_cleanup_(journal_closep) sd_journal *j = NULL;
	int r = sd_journal_open_directory_fd(&j, root_fd, SD_JOURNAL_OS_ROOT | SD_JOURNAL_SYSTEM);

	if (r < 0)
		return err_set(reterr, r, "open journal: %s", strerror(-r));
	/* Files that may not be read are passed over in silence; a journal without a line is one of
	 * those. (sd_journal_has_runtime_files() knows nothing of a root, systemd 252.) */
	if (sd_journal_seek_head(j) < 0 || sd_journal_next(j) <= 0)
		return err_set(reterr, -ENOENT, "open journal: there is none that may be read");
	(void)sd_journal_set_data_threshold(j, JOURNAL_MESSAGE_MAX + sizeof("MESSAGE="));
	*ret = TAKE_PTR(j);
	return 0;
}

/* Copies the value of a field of the present entry, cut to size. Returns 0; -ENOENT; other -errno. */
static int read_field(sd_journal *j, const char *field, char *ret, size_t size)
{
	size_t length = 0, skip = strlen(field) + 1;
	const void *data = NULL;
	int r = sd_journal_get_data(j, field, &data, &length);

	if (r < 0)
		return r;
	if (length < skip)
		return -EBADMSG;
	length -= skip;
	if (length >= size)
		length = size - 1;
	memcpy(ret, (const char *)data + skip, length);
	ret[length] = '\0';
	return 0;
}

static int read_line(sd_journal *j, struct journal_line *ret)
{
	char priority[4] = "";
	int r = sd_journal_get_realtime_usec(j, &ret->wall_us);

	if (r < 0)
		return r;
	ret->priority = LOG_INFO;
	if (read_field(j, "PRIORITY", priority, sizeof(priority)) >= 0 && priority[0] >= '0' &&
	    priority[0] <= '7' && priority[1] == '\0')
		ret->priority = priority[0] - '0';
	r = read_field(j, "MESSAGE", ret->message, sizeof(ret->message));
	if (r < 0)
		ret->message[0] = '\0';
	return r == -ENOENT ? 0 : r;
}

static void reverse(struct journal_line *lines, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		struct journal_line line = lines[i];

		lines[i] = lines[n - 1 - i];
		lines[n - 1 - i] = line;
	}
}

/* Reads back from the end. Returns lines, newest first; -errno. */
static int read_back(sd_journal *j, uint64_t since_us, size_t lines_max, struct journal_line *ret)
{
	size_t n = 0;
	int r = sd_journal_seek_tail(j);

	while (r >= 0 && n < lines_max) {
		r = sd_journal_previous(j);
		if (r <= 0)
			break;
		r = read_line(j, &ret[n]);
		if (r == -EBADMSG) { /* one damaged entry hides no others */
			r = 0;
			continue;
		}
		if (r < 0 || ret[n].wall_us < since_us)
			break;
		n++;
	}
	return r < 0 ? r : (int)n;
}

int journal_read_unit(int root_fd, const char *unit, uint64_t since_us, size_t lines_max,
		      struct journal_line *ret, struct err *reterr)
{
	_cleanup_(journal_closep) sd_journal *j = NULL;
	int r = open_journal(root_fd, &j, reterr);

	if (r < 0)
		return r;
	r = add_matches_of_unit(j, unit);
	if (r >= 0)
		r = read_back(j, since_us, lines_max, ret);
	if (r < 0)
		return err_set(reterr, r, "read journal of unit '%s': %s", unit, strerror(-r));
	reverse(ret, (size_t)r);
	return r;
}

int journal_read_last_field(int root_fd, const char *unit, const char *field, char *ret,
			    size_t ret_size, struct err *reterr)
{
	_cleanup_(journal_closep) sd_journal *j = NULL;
	int r = open_journal(root_fd, &j, reterr);

	if (r < 0)
		return r;
	r = add_match(j, "_SYSTEMD_UNIT", unit);
	if (r >= 0)
		r = sd_journal_seek_tail(j);
	for (unsigned i = 0; r >= 0 && i < JOURNAL_WALK_MAX; i++) {
		r = sd_journal_previous(j);
		if (r == 0)
			return 0;
		if (r > 0 && read_field(j, field, ret, ret_size) >= 0)
			return 1;
	}
	return r < 0 ? err_set(reterr, r, "read journal field '%s': %s", field, strerror(-r)) : 0;
}
