/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include "sys/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "selftests/unit/tree.h"

#define OLD_S 1000000 /* 1970: before any limit here */
#define NOW_S 2000000

static const char *const any_gz[] = { "*.gz", NULL };

static void write_aged(const struct tree *t, const char *path, int64_t wall_s)
{
	const struct timespec times[2] = { { .tv_sec = wall_s }, { .tv_sec = wall_s } };

	tree_write(t, path, "some bytes");
	assert_int_equal(utimensat(t->fd, path, times, 0), 0);
}

static bool is_there(const struct tree *t, const char *path)
{
	return faccessat(t->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct sweep_rules rules_of(const char *const *patterns, bool do_remove)
{
	return (struct sweep_rules){ .patterns = patterns,
				     .before_wall_s = NOW_S,
				     .remove = do_remove,
				     .deadline_ns = clock_boot_ns() + 60 * NS_PER_S };
}

static void removes_what_is_old_and_named_so_at_every_depth(void **state)
{
	const struct tree *t = *state;
	struct sweep_rules rules = rules_of(any_gz, true);
	struct sweep_count count = { 0 };

	write_aged(t, "var/log/app/a.gz", OLD_S);
	write_aged(t, "var/log/app/sub/sub/b.gz", OLD_S);
	write_aged(t, "var/log/app/young.gz", NOW_S);
	write_aged(t, "var/log/app/app.log", OLD_S);
	write_aged(t, "var/log/app/.hidden.gz", OLD_S);
	assert_int_equal(sweep_dir(t->fd, "/var/log/app", &rules, &count, NULL), 0);
	assert_int_equal(count.n, 2);
	assert_false(is_there(t, "var/log/app/a.gz"));
	assert_false(is_there(t, "var/log/app/sub/sub/b.gz"));
	assert_true(is_there(t, "var/log/app/young.gz"));
	assert_true(is_there(t, "var/log/app/app.log"));
	assert_true(is_there(t, "var/log/app/.hidden.gz"));
	assert_true(is_there(t, "var/log/app/sub/sub"));
}

static void counts_and_removes_nothing_when_only_asked_to_look(void **state)
{
	const struct tree *t = *state;
	struct sweep_rules rules = rules_of(NULL, false);
	struct sweep_count count = { 0 };

	write_aged(t, "var/tmp/a", OLD_S);
	assert_int_equal(sweep_dir(t->fd, "/var/tmp", &rules, &count, NULL), 0);
	assert_int_equal(count.n, 1);
	assert_true(count.bytes > 0);
	assert_true(is_there(t, "var/tmp/a"));
}

static void follows_no_symlink_neither_below_nor_in_its_own_path(void **state)
{
	const struct tree *t = *state;
	struct sweep_rules rules = rules_of(NULL, true);
	struct sweep_count count = { 0 };
	struct err err = { 0 };

	write_aged(t, "etc/keep/passwd", OLD_S);
	write_aged(t, "var/tmp/mine/a", OLD_S);
	tree_link(t, "var/tmp/mine/out", "../../../etc/keep");
	tree_link(t, "var/tmp/mine/file", "../../../etc/keep/passwd");
	tree_link(t, "var/tmp/link", "../../etc/keep");
	assert_int_equal(sweep_dir(t->fd, "/var/tmp/mine", &rules, &count, NULL), 0);
	assert_int_equal(count.n, 1);
	assert_int_equal(sweep_dir(t->fd, "/var/tmp/link", &rules, &count, &err), -ELOOP);
	assert_non_null(strstr(err_text(&err), "/var/tmp/link"));
	assert_true(is_there(t, "etc/keep/passwd"));
	assert_true(is_there(t, "var/tmp/mine/file"));
}

static void refuses_a_path_that_is_short_relative_or_leads_out(void **state)
{
	static const char *const paths[] = { "/", "/etc", "etc/keep", "", "/var/../../../etc" };
	const struct tree *t = *state;
	struct sweep_rules rules = rules_of(NULL, true);

	write_aged(t, "etc/keep/a", OLD_S);
	write_aged(t, "var/a", OLD_S);
	for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
		struct sweep_count count = { 0 };

		assert_true(sweep_dir(t->fd, paths[i], &rules, &count, NULL) < 0);
		assert_int_equal(count.n, 0);
	}
	assert_true(is_there(t, "etc/keep/a"));
}

static void leaves_what_is_in_use_or_has_another_name(void **state)
{
	const struct tree *t = *state;
	struct sweep_rules rules = rules_of(NULL, true);
	struct sweep_count count = { 0 };

	write_aged(t, "var/tmp/used", OLD_S);
	write_aged(t, "var/tmp/twice", OLD_S);
	assert_int_equal(linkat(t->fd, "var/tmp/twice", t->fd, "other", 0), 0);
	{
		_cleanup_close_ int fd = openat(t->fd, "var/tmp/used", O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		assert_int_equal(sweep_dir(t->fd, "/var/tmp", &rules, &count, NULL), 0);
		assert_int_equal(count.n, 0);
		assert_int_equal(count.n_open, 1);
	}
	assert_int_equal(sweep_dir(t->fd, "/var/tmp", &rules, &count, NULL), 0);
	assert_int_equal(count.n, 1);
	assert_false(is_there(t, "var/tmp/used"));
	assert_true(is_there(t, "var/tmp/twice"));
}

static void stops_at_its_deadline(void **state)
{
	const struct tree *t = *state;
	struct sweep_rules rules = rules_of(NULL, true);
	struct sweep_count count = { 0 };

	rules.deadline_ns = 0;
	write_aged(t, "var/tmp/a", OLD_S);
	assert_int_equal(sweep_dir(t->fd, "/var/tmp", &rules, &count, NULL), -ETIMEDOUT);
	assert_true(is_there(t, "var/tmp/a"));
}

/* ---- the journal --------------------------------------------------------------------------------- */

#define SEQNUM "0123456789abcdef0123456789abcdef"
#define FIRST  "var/j/m/system@" SEQNUM "-0000000000000001-0005000000000001.journal"
#define SECOND "var/j/m/user-1000@" SEQNUM "-0000000000000001-0005000000000002.journal"
#define THIRD  "var/j/m/system@0005000000000003-0123456789abcdef.journal~"

static void vacuums_the_oldest_archived_journals_only(void **state)
{
	static const char *const stay[] = { "var/j/m/system.journal",
					    "var/j/m/user-1000.journal",
					    "var/j/m/system@5.journal",
					    "var/j/m/@" SEQNUM
					    "-0000000000000001-0005000000000001.journal",
					    "var/j/m/system@" SEQNUM "-1-2.journal",
					    "var/j/m/note" };
	const struct tree *t = *state;
	struct sweep_count count = { 0 };
	struct stat st = { 0 };

	for (size_t i = 0; i < ELEMENTSOF(stay); i++)
		tree_write(t, stay[i], "x");
	tree_write(t, FIRST, "x");
	tree_write(t, SECOND, "x");
	tree_write(t, THIRD, "x");
	assert_int_equal(fstatat(t->fd, FIRST, &st, 0), 0);
	/* Room for one of them. */
	assert_int_equal(sweep_journal(t->fd, "/var/j/m", (uint64_t)st.st_blocks * 512, false,
				       &count, NULL),
			 0);
	assert_int_equal(count.n, 2);
	assert_true(is_there(t, FIRST));
	assert_int_equal(sweep_journal(t->fd, "/var/j/m", (uint64_t)st.st_blocks * 512, true,
				       &count, NULL),
			 0);
	assert_false(is_there(t, FIRST));
	assert_false(is_there(t, SECOND));
	assert_true(is_there(t, THIRD));
	assert_int_equal(sweep_journal(t->fd, "/var/j/m", 0, true, &count, NULL), 0);
	assert_false(is_there(t, THIRD));
	for (size_t i = 0; i < ELEMENTSOF(stay); i++)
		assert_true(is_there(t, stay[i]));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(removes_what_is_old_and_named_so_at_every_depth),
		TEST(counts_and_removes_nothing_when_only_asked_to_look),
		TEST(follows_no_symlink_neither_below_nor_in_its_own_path),
		TEST(refuses_a_path_that_is_short_relative_or_leads_out),
		TEST(leaves_what_is_in_use_or_has_another_name),
		TEST(stops_at_its_deadline),
		TEST(vacuums_the_oldest_archived_journals_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
