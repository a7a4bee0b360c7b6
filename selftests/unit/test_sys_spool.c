/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include "sys/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "selftests/unit/tree.h"

struct fixture {
	struct tree *tree;
	struct spool *spool;
	int dir_fd;
};

static int setup(void **state)
{
	static struct fixture f;
	struct err err = { 0 };

	f = (struct fixture){ 0 };
	assert_int_equal(tree_setup((void **)&f.tree), 0);
	f.dir_fd = fd_open_dir(AT_FDCWD, f.tree->path, &err);
	assert_true(f.dir_fd >= 0);
	assert_int_equal(spool_open(f.tree->path, 4 * SPOOL_SEGMENT_BYTES, &f.spool, &err), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->spool = spool_close(f->spool);
	(void)close(f->dir_fd);
	return tree_teardown((void **)&f->tree);
}

static void add(struct fixture *f, enum spool_lane lane, const char *text)
{
	const char *const row[SPOOL_COLUMNS] = { "p", "1", text };

	spool_add(f->spool, lane, row);
}

static int list(struct fixture *f, struct spool_segment all[static 64])
{
	int n = spool_list(f->dir_fd, all, 64, NULL);

	assert_true(n >= 0);
	return n;
}

static void a_row_is_a_line_that_copy_reads(void **state)
{
	struct fixture *f = *state;
	struct spool_segment all[64];
	char name[SPOOL_NAME_MAX], text[256] = "";

	add(f, SPOOL_TELEMETRY, "a\tb\nc\\d");
	assert_int_equal(spool_flush(f->spool, NULL), 0);
	assert_int_equal(list(f, all), 1);
	assert_true(all[0].lane == SPOOL_TELEMETRY && all[0].is_last);
	assert_true(fd_read_file(f->dir_fd, spool_name(all[0].lane, all[0].number, name), text,
				 sizeof(text)) > 0);
	assert_string_equal(text, "p\t1\ta\\tb\\nc\\\\d\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\n");
}

static void names_are_parsed_back_and_others_are_none_of_ours(void **state)
{
	char name[SPOOL_NAME_MAX];
	enum spool_lane lane = _SPOOL_LANE_MAX;
	uint64_t number = 0;

	(void)state;
	assert_int_equal(spool_parse_name(spool_name(SPOOL_RECORDS, 77, name), &lane, &number), 0);
	assert_true(lane == SPOOL_RECORDS && number == 77);
	assert_int_equal(spool_parse_name("records-4d.seg", &lane, &number), -EINVAL);
	assert_int_equal(spool_parse_name("records-000000000000004d.seg.tmp", &lane, &number),
			 -EINVAL);
	assert_int_equal(spool_parse_name("other-000000000000004d.seg", &lane, &number), -EINVAL);
}

/* One segment's worth of rows. */
static void fill(struct fixture *f, enum spool_lane lane)
{
	char text[SPOOL_LINE_MAX / 2];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	for (unsigned i = 0; i < 62; i++)
		add(f, lane, text);
	assert_int_equal(spool_flush(f->spool, NULL), 0);
}

static void the_oldest_telemetry_makes_room_then_records_audit_never(void **state)
{
	struct fixture *f = *state;
	struct spool_segment all[64];
	int n, audit = 0, records = 0;

	fill(f, SPOOL_AUDIT);
	fill(f, SPOOL_AUDIT);
	fill(f, SPOOL_RECORDS);
	for (unsigned i = 0; i < 6; i++)
		fill(f, SPOOL_TELEMETRY);
	n = list(f, all);
	for (int i = 0; i < n; i++) {
		audit += all[i].lane == SPOOL_AUDIT;
		records += all[i].lane == SPOOL_RECORDS;
	}
	assert_true(audit == 2 && records == 1 && n <= 4);
	assert_true(spool_stats(f->spool)->dropped[SPOOL_TELEMETRY] >= 4 * 62);
	assert_true(spool_stats(f->spool)->rows[SPOOL_TELEMETRY] == 6 * 62);
	for (unsigned i = 0; i < 6; i++)
		fill(f, SPOOL_AUDIT);
	fill(f, SPOOL_RECORDS);
	assert_true(spool_stats(f->spool)->dropped[SPOOL_RECORDS] == 62);
	assert_true(spool_stats(f->spool)->dropped[SPOOL_AUDIT] == 0);
}

static void what_is_being_sent_is_not_removed(void **state)
{
	struct fixture *f = *state;
	struct spool_segment all[64];
	char name[SPOOL_NAME_MAX];
	int fd;

	fill(f, SPOOL_TELEMETRY);
	assert_int_equal(list(f, all), 1);
	fd = openat(f->dir_fd, spool_name(all[0].lane, all[0].number, name), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && flock(fd, LOCK_EX) == 0);
	for (unsigned i = 0; i < 6; i++)
		fill(f, SPOOL_TELEMETRY);
	assert_int_equal(faccessat(f->dir_fd, name, F_OK, 0), 0);
	assert_true(spool_stats(f->spool)->dropped[SPOOL_TELEMETRY] > 0);
	(void)close(fd);
}

static void numbers_rise_over_a_restart(void **state)
{
	struct fixture *f = *state;
	struct spool_segment all[64];

	fill(f, SPOOL_RECORDS);
	f->spool = spool_close(f->spool);
	assert_int_equal(spool_open(f->tree->path, SPOOL_BYTES_MAX, &f->spool, NULL), 0);
	add(f, SPOOL_RECORDS, "again");
	assert_int_equal(spool_flush(f->spool, NULL), 0);
	assert_int_equal(list(f, all), 2);
	assert_true(all[0].number < all[1].number && !all[0].is_last && all[1].is_last);
}

static void without_a_directory_nothing_is_spooled(void **state)
{
	struct spool *s = NULL;

	(void)state;
	assert_int_equal(spool_open("/nonexistent/spool", 1, &s, NULL), -ENOENT);
}

static void rows_are_whole_lines_of_all_columns(void **state)
{
	static const char row[] = "a\tb\tc\td\te\tf\tg\th\ti\tj\n";
	char text[512] = "";
	size_t rows = 0, skip = 0, n = sizeof(row) - 1;

	(void)state;
	str_append(text, sizeof(text), "%s%s%s", row, row, "a\tb");
	assert_int_equal(spool_rows(text, strlen(text), &rows, &skip), 2 * n);
	assert_true(rows == 2 && skip == 0);
	assert_int_equal(spool_rows("a\tb\n", 4, &rows, &skip), 0);
	assert_true(rows == 0 && skip == 4);
	text[2] = '\xff';
	assert_int_equal(spool_rows(text, strlen(text), &rows, &skip), 0);
	assert_true(skip == n);
	assert_int_equal(spool_rows("", 0, &rows, &skip), 0);
	assert_true(rows == 0 && skip == 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_row_is_a_line_that_copy_reads),
		TEST(the_oldest_telemetry_makes_room_then_records_audit_never),
		TEST(what_is_being_sent_is_not_removed),
		TEST(numbers_rise_over_a_restart),
		cmocka_unit_test(names_are_parsed_back_and_others_are_none_of_ours),
		cmocka_unit_test(without_a_directory_nothing_is_spooled),
		cmocka_unit_test(rows_are_whole_lines_of_all_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
