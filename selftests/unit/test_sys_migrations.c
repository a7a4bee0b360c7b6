/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "selftests/unit/tree.h"
#include "sys/migrate.h"

static void refuses(const struct tree *t, const char *text)
{
	_cleanup_(migrations_done) struct migrations m = { 0 };
	struct err err = { 0 };

	assert_int_equal(migrations_load(t->fd, &m, &err), -EBADMSG);
	if (!strstr(err.text, text))
		fail_msg("'%s' is not in '%s'", text, err.text);
	assert_null(m.v);
}

static void an_empty_directory_has_none(void **state)
{
	_cleanup_(migrations_done) struct migrations m = { 0 };
	const struct tree *t = *state;

	tree_write(t, "README", "not SQL");
	tree_write(t, ".hidden.sql", "SELECT 1");
	assert_int_equal(migrations_load(t->fd, &m, NULL), 0);
	assert_int_equal(m.n, 0);
}

static void both_ways_are_read_in_order_of_their_number(void **state)
{
	_cleanup_(migrations_done) struct migrations m = { 0 };
	const struct tree *t = *state;

	tree_write(t, "0002_b.down.sql", "DROP TABLE b;\n");
	tree_write(t, "0002_b.up.sql", "CREATE TABLE b ();\n");
	tree_write(t, "0001_a_table.up.sql", "CREATE TABLE a ();\n");
	tree_write(t, "0001_a_table.down.sql", "DROP TABLE a;\n");
	assert_int_equal(migrations_load(t->fd, &m, NULL), 0);
	assert_int_equal(m.n, 2);
	assert_int_equal(m.v[0].version, 1);
	assert_string_equal(m.v[0].name, "a_table");
	assert_string_equal(m.v[1].up, "CREATE TABLE b ();\n");
	assert_string_equal(m.v[1].down, "DROP TABLE b;\n");
	assert_int_equal(strlen(m.v[1].sha256), 64);
	assert_string_not_equal(m.v[0].sha256, m.v[1].sha256);
}

static void a_gap_is_refused(void **state)
{
	const struct tree *t = *state;

	tree_write(t, "0002_b.up.sql", "");
	tree_write(t, "0002_b.down.sql", "");
	refuses(t, "number 1 has no way up");
}

static void a_missing_way_down_is_refused(void **state)
{
	const struct tree *t = *state;

	tree_write(t, "0001_a.up.sql", "");
	refuses(t, "number 1 has no way down");
}

static void two_of_one_number_are_refused(void **state)
{
	const struct tree *t = *state;

	tree_write(t, "0001_a.up.sql", "");
	tree_write(t, "0001_b.up.sql", "");
	refuses(t, "number 1 is taken by");
}

static void odd_names_are_refused(void **state)
{
	static const char *const names[] = { "1_a.up.sql",    "00001_a.up.sql", "0001_A.up.sql",
					     "0001-a.up.sql", "0001_.up.sql",   "0001_a.sql",
					     "0000_a.up.sql", "0257_a.up.sql",  "0001_a b.up.sql",
					     "+001_a.up.sql", "x.sql",          "0001_.down.sql" };
	const struct tree *t = *state;

	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		tree_write(t, names[i], "");
		refuses(t, names[i]);
		assert_int_equal(unlinkat(t->fd, names[i], 0), 0);
	}
}

static void a_file_may_not_end_its_transaction(void **state)
{
	static const char *const texts[] = { "COMMIT;", "SELECT 1;\n  rollback;", "Savepoint a;",
					     "START TRANSACTION;", "\n\n\tABORT" };
	_cleanup_(migrations_done) struct migrations m = { 0 };
	const struct tree *t = *state;

	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		tree_write(t, "0001_a.up.sql", texts[i]);
		refuses(t, "the transaction is not the file's");
	}
	tree_write(t, "0001_a.down.sql", "");
	tree_write(t, "0001_a.up.sql", "CREATE TABLE a (x int)\nON COMMIT DROP;\ncommitted");
	assert_int_equal(migrations_load(t->fd, &m, NULL), 0);
}

static void what_is_not_text_is_refused(void **state)
{
	const struct tree *t = *state;

	tree_write(t, "0001_a.up.sql", "SELECT '\xff';");
	refuses(t, "not clean UTF-8");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_empty_directory_has_none),
		TEST(both_ways_are_read_in_order_of_their_number),
		TEST(a_gap_is_refused),
		TEST(a_missing_way_down_is_refused),
		TEST(two_of_one_number_are_refused),
		TEST(odd_names_are_refused),
		TEST(a_file_may_not_end_its_transaction),
		TEST(what_is_not_text_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
