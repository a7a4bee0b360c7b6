/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
/* Tools are shells here: what a hostile document could make of a tool is tried on purpose. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "selftests/unit/tree.h"
#include "sys/convert.h"

static char text[256];

/* What a shell makes of a file. Returns convert_file()'s answer; its text is in text. */
static int run(const struct tree *t, const char *script)
{
	const struct converter tool = {
		".x", { "/bin/bash", "--norc", "-c", script, NULL }, "bash", .deadline_ms = 2000
	};
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *made = NULL;
	struct err err = { 0 };
	size_t size = 0;
	int r;

	tree_write(t, "source", "first line\nsecond\n");
	fd = openat(t->fd, "source", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	r = convert_file(&tool, fd, &made, &size, &err);
	assert_true(r == 0 || err.text[0]);
	text[0] = '\0';
	if (made)
		(void)str_copy(text, sizeof(text), made);
	return r;
}

static void a_tool_reads_the_file_and_its_output_is_the_text(void **state)
{
	assert_int_equal(run(*state, "read -r a; echo \"$a\""), 0);
	assert_string_equal(text, "first line\n");
}

static void control_characters_become_spaces(void **state)
{
	assert_int_equal(run(*state, "printf 'a\\fb\\tc\\033'"), 0);
	assert_string_equal(text, "a b c ");
}

static void what_is_no_utf8_is_refused(void **state)
{
	assert_int_equal(run(*state, "printf '\\377\\376'"), -EBADMSG);
}

static void a_tool_that_fails_gives_nothing(void **state)
{
	assert_int_equal(run(*state, "echo half of it; exit 3"), -EBADMSG);
	assert_string_equal(text, "");
}

static void a_tool_that_is_not_there_is_named(void **state)
{
	static const struct converter tool = { .suffix = ".x",
					       .argv = { "/nonexistent/tool", NULL },
					       .package = "nothing" };
	struct err err = { 0 };
	size_t size;
	char *made;

	(void)state;
	assert_false(convert_is_here(&tool));
	assert_int_equal(convert_file(&tool, 0, &made, &size, &err), -ENOENT);
	assert_non_null(strstr(err.text, "package nothing"));
}

static void a_tool_without_end_is_ended(void **state)
{
	assert_int_equal(run(*state, "while :; do :; done"), -ETIME);
}

static void a_text_without_end_is_cut_off(void **state)
{
	assert_int_equal(
		run(*state,
		    "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done"),
		-EFBIG);
}

static void a_tool_has_no_network(void **state)
{
	assert_int_equal(run(*state, "exec 2>&1; exec 3<>/dev/tcp/127.0.0.1/1; true"), 0);
	assert_non_null(strstr(text, "Operation not permitted"));
}

static void a_tool_can_make_and_remove_no_file(void **state)
{
	const struct tree *t = *state;
	char script[512] = "";

	str_append(script, sizeof(script),
		   "exec 2>&1; cd %s || exit; echo x >new; >source; rm source; "
		   "mv source other; mkdir d; ln -s a b; true",
		   t->path);
	assert_int_equal(run(t, script), 0);
	assert_non_null(strstr(text, "new: Operation not permitted"));
	assert_int_equal(faccessat(t->fd, "source", F_OK, 0), 0);
	assert_int_not_equal(faccessat(t->fd, "new", F_OK, 0), 0);
	assert_int_not_equal(faccessat(t->fd, "other", F_OK, 0), 0);
	assert_int_not_equal(faccessat(t->fd, "d", F_OK, 0), 0);
	assert_int_not_equal(faccessat(t->fd, "b", F_OK, AT_SYMLINK_NOFOLLOW), 0);
}

static void a_tool_writes_into_no_file_that_is_there(void **state)
{
	const struct tree *t = *state;
	char script[256] = "", left[64] = "";

	tree_write(t, "victim", "whole");
	str_append(script, sizeof(script), "echo x 1<>%s/victim; true", t->path);
	(void)run(t, script);
	assert_true(fd_read_file(t->fd, "victim", left, sizeof(left)) > 0);
	assert_string_equal(left, "whole");
}

static void a_tool_sees_no_other_descriptor_and_no_environment(void **state)
{
	assert_int_equal(setenv("AIOPS_SECRET", "x", 1), 0);
	assert_int_equal(
		run(*state,
		    "echo \"[$AIOPS_SECRET]\"; for f in /proc/self/fd/*; do echo ${f##*/}; done"),
		0);
	assert_int_equal(strncmp(text, "[]\n0\n1\n2\n", 9), 0);
	assert_null(strstr(text, "\n9\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_tool_reads_the_file_and_its_output_is_the_text),
		TEST(control_characters_become_spaces),
		TEST(what_is_no_utf8_is_refused),
		TEST(a_tool_that_fails_gives_nothing),
		TEST(a_tool_that_is_not_there_is_named),
		TEST(a_tool_without_end_is_ended),
		TEST(a_text_without_end_is_cut_off),
		TEST(a_tool_has_no_network),
		TEST(a_tool_can_make_and_remove_no_file),
		TEST(a_tool_writes_into_no_file_that_is_there),
		TEST(a_tool_sees_no_other_descriptor_and_no_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
