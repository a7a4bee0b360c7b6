/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "recorder/audit.h"
#include "selftests/unit/tree.h"

#define BOOT_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BOOT_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static int append(struct audit *a, const char *boot_id, uint64_t seq)
{
	struct audit_entry e = { .seq = seq };
	struct err err = { 0 };
	int r;

	(void)str_copy(e.boot_id, sizeof(e.boot_id), boot_id);
	(void)str_copy(e.what, sizeof(e.what), "start");
	r = audit_append(a, &e, &err);
	if (r < 0)
		print_message("%s\n", err_text(&err));
	return r;
}

static struct audit *open_at(const struct tree *t, struct audit_found *found)
{
	struct audit *a = NULL;
	struct err err = { 0 };
	int r = audit_open(t->path, &a, found, &err);

	if (r < 0)
		print_message("%s\n", err_text(&err));
	assert_int_equal(r, 0);
	return a;
}

static uint64_t verified_lines(const struct tree *t)
{
	struct audit_report report;

	assert_int_equal(audit_verify(t->fd, &report, NULL), 0);
	return report.lines;
}

static void an_entry_is_written_once_whoever_sends_it_again(void **state)
{
	struct audit_found found = { 0 };
	struct audit *a = open_at(*state, &found);

	assert_int_equal(append(a, BOOT_A, 1), 1);
	assert_int_equal(append(a, BOOT_A, 1), 0);
	assert_int_equal(append(a, BOOT_B, 1), 1);
	a = audit_close(a);
	a = open_at(*state, &found);
	assert_false(found.broken || found.repaired);
	assert_int_equal(append(a, BOOT_A, 1), 0);
	assert_int_equal(append(a, BOOT_B, 1), 0);
	assert_int_equal(append(a, BOOT_A, 2), 1);
	a = audit_close(a);
	assert_int_equal(verified_lines(*state), 3);
}

static void the_trail_goes_on_where_it_was(void **state)
{
	struct audit_found found = { 0 };
	struct audit *a = open_at(*state, &found);
	struct audit_head head;

	assert_int_equal(append(a, BOOT_A, 1), 1);
	head = *audit_head(a);
	a = audit_close(a);
	a = open_at(*state, &found);
	assert_true(audit_head(a)->n == 1);
	assert_string_equal(audit_head(a)->hash, head.hash);
	a = audit_close(a);
}

static void files_are_for_the_group_to_read(void **state)
{
	const struct tree *t = *state;
	struct audit_found found = { 0 };
	struct audit *a = open_at(t, &found);
	struct stat st;

	assert_int_equal(fstatat(t->fd, "000001.jsonl", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	a = audit_close(a);
}

static void a_torn_end_is_cut_off(void **state)
{
	const struct tree *t = *state;
	struct audit_found found = { 0 };
	struct audit *a = open_at(t, &found);
	int fd;

	assert_int_equal(append(a, BOOT_A, 1), 1);
	a = audit_close(a);
	fd = openat(t->fd, "000001.jsonl", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "{\"n\":2", 6), 6);
	(void)close(fd);
	a = open_at(t, &found);
	assert_true(found.repaired && !found.broken);
	assert_string_equal(found.text, "000001.jsonl: 6 bytes of a torn line cut off");
	assert_int_equal(append(a, BOOT_A, 2), 1);
	a = audit_close(a);
	assert_int_equal(verified_lines(t), 2);
}

static void a_break_is_told_and_carried_on_from(void **state)
{
	const struct tree *t = *state;
	struct audit_found found = { 0 };
	struct audit *a = open_at(t, &found);
	struct audit_report report;
	struct err err = { 0 };
	int fd;

	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(append(a, BOOT_A, i), 1);
	a = audit_close(a);
	fd = openat(t->fd, "000001.jsonl", O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "X", 1, 20), 1);
	(void)close(fd);
	a = open_at(t, &found);
	assert_true(found.broken);
	assert_memory_equal(found.text, "000001.jsonl:1: ", 16);
	assert_true(audit_head(a)->n == 3);
	assert_int_equal(append(a, BOOT_A, 4), 1);
	a = audit_close(a);
	assert_int_equal(audit_verify(t->fd, &report, &err), -EBADMSG);
	assert_memory_equal(err.text, "verify audit: 000001.jsonl:1: ", 30);
}

static void a_full_segment_is_followed_by_the_next(void **state)
{
	const struct tree *t = *state;
	struct audit_found found = { 0 };
	struct audit *a = open_at(t, &found);
	struct stat st;
	uint64_t n = 0;

	while (audit_segment(a) == 1)
		assert_int_equal(append(a, BOOT_A, ++n), 1);
	assert_int_equal(fstatat(t->fd, "000001.jsonl", &st, 0), 0);
	assert_true(st.st_size <= AUDIT_SEGMENT_BYTES);
	a = audit_close(a);
	assert_int_equal(verified_lines(t), n);
	a = open_at(t, &found);
	assert_false(found.broken || found.repaired);
	assert_int_equal(append(a, BOOT_A, n), 0);     /* in the last segment */
	assert_int_equal(append(a, BOOT_A, n - 9), 0); /* in the one before */
	a = audit_close(a);
}

static void an_empty_last_segment_continues_the_one_before(void **state)
{
	const struct tree *t = *state;
	struct audit_found found = { 0 };
	struct audit *a = open_at(t, &found);

	assert_int_equal(append(a, BOOT_A, 1), 1);
	a = audit_close(a);
	tree_write(t, "000002.jsonl", ""); /* killed between making it and its first line */
	a = open_at(t, &found);
	assert_int_equal(append(a, BOOT_A, 2), 1);
	a = audit_close(a);
	assert_int_equal(verified_lines(t), 2);
}

static const struct audit_bounds all = { .bytes = UINT64_MAX, .age_us = UINT64_MAX };

/* Several segments with one entry each, as if they were full, the oldest a day older than the next. */
static struct audit *many_segments(const struct tree *t, unsigned n)
{
	struct audit_found found = { 0 };
	struct audit *a = NULL;

	for (unsigned i = 1; i <= n; i++) {
		struct timespec times[2] = { { .tv_sec = i * 86400 }, { .tv_sec = i * 86400 } };
		char name[AUDIT_SEGMENT_NAME] = "";

		tree_write(t, audit_segment_name(i, name), "");
		a = open_at(t, &found);
		assert_int_equal(append(a, BOOT_A, i), 1);
		assert_int_equal(utimensat(t->fd, name, times, 0), 0);
		if (i < n)
			a = audit_close(a);
	}
	return a;
}

static bool is_there(const struct tree *t, unsigned segment)
{
	char name[AUDIT_SEGMENT_NAME] = "";

	return faccessat(t->fd, audit_segment_name(segment, name), F_OK, 0) == 0;
}

static void what_is_over_the_bytes_goes_and_the_trail_says_so(void **state)
{
	const struct tree *t = *state;
	struct audit *a = many_segments(t, 6);
	struct audit_bounds bounds = all;
	struct audit_report report;
	struct audit_found found = { 0 };
	struct audit_entry e = { 0 };
	struct stat st;

	assert_int_equal(fstatat(t->fd, "000006.jsonl", &st, 0), 0);
	assert_int_equal(audit_cut(a, &bounds, 7 * 86400 * US_PER_S, &e, NULL), 0);
	bounds.bytes = (uint64_t)st.st_size * 4 + 10;
	assert_int_equal(audit_cut(a, &bounds, 7 * 86400 * US_PER_S, &e, NULL), 2);
	assert_string_equal(e.what, AUDIT_WHAT_CUT);
	assert_false(is_there(t, 1) || is_there(t, 2));
	assert_true(is_there(t, 3));
	assert_int_equal(audit_verify(t->fd, &report, NULL), 0);
	assert_int_equal(report.begin.n, 2);
	assert_int_equal(report.lines, 5); /* four and the cut */
	/* What is needed to know entries again stays, however small the bound. */
	bounds.bytes = 1;
	assert_int_equal(audit_cut(a, &bounds, 7 * 86400 * US_PER_S, &e, NULL), 2);
	assert_true(is_there(t, 5) && is_there(t, 6));
	assert_int_equal(audit_cut(a, &bounds, 7 * 86400 * US_PER_S, &e, NULL), 0);
	assert_int_equal(audit_verify(t->fd, &report, NULL), 0);
	assert_int_equal(report.begin.n, 4);
	a = audit_close(a);
	a = open_at(t, &found);
	assert_false(found.broken || found.repaired);
	assert_int_equal(append(a, BOOT_A, 6), 0);
	a = audit_close(a);
}

static void what_is_old_goes_one_segment_at_a_time(void **state)
{
	const struct tree *t = *state;
	struct audit *a = many_segments(t, 5);
	const struct audit_bounds bounds = { .bytes = UINT64_MAX, .age_us = 86400 * US_PER_S };
	uint64_t now_us = 4 * 86400 * US_PER_S + 1;
	struct audit_report report;
	struct audit_entry e = { 0 };

	assert_int_equal(audit_cut(a, &bounds, now_us, &e, NULL), 1);
	assert_int_equal(audit_cut(a, &bounds, now_us, &e, NULL), 1);
	assert_true(is_there(t, 3));
	assert_int_equal(audit_verify(t->fd, &report, NULL), 0);
	assert_int_equal(report.begin.n, 2);
	/* A clock that has gone mad costs one, and one that has not been set costs none. */
	assert_int_equal(audit_cut(a, &bounds, 86400 * US_PER_S * 40000, &e, NULL), 1);
	assert_true(is_there(t, 4));
	assert_int_equal(audit_cut(a, &bounds, 7, &e, NULL), 0);
	a = audit_close(a);
}

static void a_trail_that_is_broken_there_is_not_cut(void **state)
{
	const struct tree *t = *state;
	struct audit *a = many_segments(t, 4);
	const struct audit_bounds bounds = { .bytes = 1, .age_us = UINT64_MAX };
	struct audit_entry e = { 0 };

	tree_write(t, "000003.jsonl", "no line of a trail\n");
	assert_int_equal(audit_cut(a, &bounds, 0, &e, NULL), -EBADMSG);
	assert_true(is_there(t, 1) && is_there(t, 2));
	a = audit_close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_entry_is_written_once_whoever_sends_it_again,
						tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(the_trail_goes_on_where_it_was, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(files_are_for_the_group_to_read, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(a_torn_end_is_cut_off, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(a_break_is_told_and_carried_on_from, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(a_full_segment_is_followed_by_the_next, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(what_is_over_the_bytes_goes_and_the_trail_says_so,
						tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(what_is_old_goes_one_segment_at_a_time, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(a_trail_that_is_broken_there_is_not_cut, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(an_empty_last_segment_continues_the_one_before,
						tree_setup, tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
