/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/capture.o */
#include "base/args.h"

#include <errno.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#include "base/str.h"
#include "selftests/unit/capture.h"

static const char help[] = "aiops-thing [--root DIR] VERB";
static const char *root;
static bool check;
static const struct arg args[] = { { "root", &root, NULL }, { "check", NULL, &check }, { 0 } };
static struct capture said;

static int parse(int argc, char **argv)
{
	int r;

	root = "/";
	check = false;
	optind = 0;
	capture_begin(&said);
	r = args_parse(argc, argv, args, help);
	capture_end(&said);
	return r;
}

#define PARSE(...) parse(ELEMENTSOF(((char *[]){ __VA_ARGS__ })), (char *[]){ __VA_ARGS__, NULL })

static void takes_options_up_to_the_first_argument(void **state)
{
	(void)state;
	assert_int_equal(PARSE("x"), 1);
	assert_string_equal(root, "/");
	assert_int_equal(PARSE("x", "--root", "/a", "--check", "run", "--root"), 4);
	assert_string_equal(root, "/a");
	assert_true(check);
	assert_int_equal(PARSE("x", "--root=/b"), 2);
	assert_string_equal(root, "/b");
	assert_false(check);
}

static void answers_help_and_version_itself(void **state)
{
	(void)state;
	assert_int_equal(PARSE("x", "--help"), 0);
	assert_string_equal(said.out, "aiops-thing [--root DIR] VERB\n");
	assert_int_equal(PARSE("x", "--check", "--version"), 0);
	assert_string_equal(said.out, "aiops-thing " AIOPS_VERSION "\n");
}

static void says_what_is_wrong(void **state)
{
	(void)state;
	assert_int_equal(PARSE("x", "--wrong"), -EINVAL);
	assert_non_null(strstr(said.err, "--wrong"));
	assert_int_equal(PARSE("x", "--root"), -EINVAL);
	assert_int_equal(PARSE("x", "--check=1"), -EINVAL);
	capture_begin(&said);
	assert_int_equal(args_refuse(help), EX_USAGE);
	capture_end(&said);
	assert_string_equal(said.err, "aiops-thing: see aiops-thing --help\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_options_up_to_the_first_argument),
		cmocka_unit_test(answers_help_and_version_itself),
		cmocka_unit_test(says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
