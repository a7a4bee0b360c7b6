/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "selftests/unit/tree.h"
#include "sys/snapshot.h"

#define CONTENT "PGDMP of a kind"
#define WHOLE                                                                                          \
	"{\"file\": \"monday.dump\", \"sha256\": \"%s\", \"size_bytes\": %zu, \"database\": \"shop\"," \
	" \"schema_version\": 4, \"created_usec\": %d, \"server_version\": 150000}"

static void write_json(const struct tree *t, const char *name, const char *sha256, int created)
{
	char path[96] = "", text[512] = "";

	str_append(path, sizeof(path), "s/%s.json", name);
	str_append(text, sizeof(text), WHOLE, sha256, strlen(CONTENT), created);
	memcpy(strstr(text, "monday"), name, 6);
	tree_write(t, path, text);
}

static void write_snapshot(const struct tree *t, const char *name, int created)
{
	char sha256[SHA256_HEX_MAX] = "", path[96] = "";

	assert_int_equal(sha256_hex(CONTENT, strlen(CONTENT), sha256), 0);
	str_append(path, sizeof(path), "s/%s.dump", name);
	tree_write(t, path, CONTENT);
	write_json(t, name, sha256, created);
}

static int find(const struct tree *t, const char *name, struct snapshot *ret, struct err *err)
{
	return snapshot_find(t->fd, "/s", "shop", name, ret, err);
}

static int open_it(const struct tree *t, struct err *err)
{
	struct snapshot s = { 0 };
	int r = find(t, "monday", &s, err);

	return r < 0 ? r : snapshot_open(t->fd, "/s", &s, clock_boot_ns() + NS_PER_S, err);
}

static void need_root(void)
{
	if (geteuid() != 0) {
		print_message("not root: only root's own files are believed\n");
		skip();
	}
}

static void all_fields_are_read(void **state)
{
	static const char text[] =
		"{\"file\": \"a-b.c.dump\", \"sha256\":"
		" \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\","
		" \"size_bytes\": 12, \"database\": \"shop\", \"schema_version\": 3, \"created_usec\": 7}";
	struct snapshot s = { 0 };

	(void)state;
	assert_int_equal(snapshot_parse(text, strlen(text), &s, NULL), 0);
	assert_string_equal(s.name, "a-b.c");
	assert_string_equal(s.database, "shop");
	assert_int_equal(s.size_bytes, 12);
	assert_int_equal(s.schema_version, 3);
	assert_int_equal(s.created_wall_us, 7);
}

static void what_is_no_plain_name_is_refused(void **state)
{
	static const char *const names[] = { "../x.dump", "a/b.dump",  ".dump",    "x",
					     "x.sql",     ".x.dump",   "x y.dump", "",
					     "/etc.dump", "x.dump\\n", "-x.dump" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		struct snapshot s = { 0 };
		struct err err = { 0 };
		char text[256] = "";

		str_append(text, sizeof(text), "{\"file\": \"%s\"}", names[i]);
		assert_int_equal(snapshot_parse(text, strlen(text), &s, &err), -EINVAL);
		assert_non_null(strstr(err_text(&err), "field 'file'"));
		assert_string_equal(s.name, "");
	}
}

static void what_is_missing_or_out_of_range_is_named(void **state)
{
#define HEAD "{\"file\": \"x.dump\""
#define SUM  ", \"sha256\": \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""
	static const char *const cases[][2] = {
		{ HEAD "}", "sha256" },
		{ HEAD ", \"sha256\": \"ABC\"}", "sha256" },
		{ HEAD SUM "}", "database" },
		{ HEAD SUM ", \"database\": \"d\", \"size_bytes\": -1}", "size_bytes" },
		{ HEAD SUM ", \"database\": \"d\", \"size_bytes\": \"1\"}", "size_bytes" },
		{ HEAD SUM ", \"database\": \"d\", \"size_bytes\": 1, \"created_usec\": 1,"
			   " \"schema_version\": 4294967296}",
		  "schema_version" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct snapshot s = { 0 };
		struct err err = { 0 };

		assert_true(snapshot_parse(cases[i][0], strlen(cases[i][0]), &s, &err) < 0);
		assert_non_null(strstr(err_text(&err), cases[i][1]));
	}
}

static void the_newest_of_the_database_is_found(void **state)
{
	const struct tree *t = *state;
	struct snapshot s = { 0 };

	need_root();
	write_snapshot(t, "monday", 30);
	write_snapshot(t, "friday", 20);
	tree_write(t, "s/broken.json", "{");
	assert_int_equal(find(t, SNAPSHOT_NEWEST, &s, NULL), 0);
	assert_string_equal(s.name, "monday");
	assert_int_equal(find(t, "friday", &s, NULL), 0);
	assert_string_equal(s.name, "friday");
	assert_int_equal(snapshot_find(t->fd, "/s", "other", SNAPSHOT_NEWEST, &s, NULL), -ENOENT);
	assert_int_equal(snapshot_find(t->fd, "/s", "other", "friday", &s, NULL), -EBADMSG);
}

static void a_whole_one_is_opened_at_its_beginning(void **state)
{
	char text[64] = "";
	int fd;

	need_root();
	write_snapshot(*state, "monday", 1);
	fd = open_it(*state, NULL);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text)), strlen(CONTENT));
	(void)close(fd);
}

static void a_changed_or_cut_one_is_refused(void **state)
{
	struct err err = { 0 };

	need_root();
	write_snapshot(*state, "monday", 1);
	tree_write(*state, "s/monday.dump", "PGDMP of b kind");
	assert_int_equal(open_it(*state, &err), -EBADMSG);
	assert_non_null(strstr(err_text(&err), "not what it was"));
	tree_write(*state, "s/monday.dump", "PGDMP");
	assert_int_equal(open_it(*state, &err), -EBADMSG);
	assert_non_null(strstr(err_text(&err), "it has 5 bytes"));
}

static void what_others_may_write_to_is_refused(void **state)
{
	need_root();
	write_snapshot(*state, "monday", 1);
	tree_chmod(*state, "s/monday.dump", 0664);
	assert_int_equal(open_it(*state, NULL), -EPERM);
	tree_chmod(*state, "s/monday.dump", 0600);
	tree_chmod(*state, "s", 0777);
	assert_int_equal(open_it(*state, NULL), -EPERM);
}

static void a_link_is_not_followed(void **state)
{
	const struct tree *t = *state;

	need_root();
	write_snapshot(t, "monday", 1);
	tree_write(t, "elsewhere", CONTENT);
	assert_int_equal(unlinkat(t->fd, "s/monday.dump", 0), 0);
	tree_link(t, "s/monday.dump", "../elsewhere");
	assert_int_equal(open_it(t, NULL), -ELOOP);
	assert_int_equal(unlinkat(t->fd, "s/monday.dump", 0), 0);
	assert_int_equal(mkdirat(t->fd, "s/monday.dump", 0755), 0);
	assert_int_equal(open_it(t, NULL), -EBADMSG);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_fields_are_read),
		cmocka_unit_test(what_is_no_plain_name_is_refused),
		cmocka_unit_test(what_is_missing_or_out_of_range_is_named),
		TEST(the_newest_of_the_database_is_found),
		TEST(a_whole_one_is_opened_at_its_beginning),
		TEST(a_changed_or_cut_one_is_refused),
		TEST(what_others_may_write_to_is_refused),
		TEST(a_link_is_not_followed),
	};

	return cmocka_run_group_tests(tests, tree_become_root, NULL);
}
