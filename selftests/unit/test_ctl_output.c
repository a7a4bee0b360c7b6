/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/capture.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"
#include "ctl/output.h"
#include "selftests/unit/capture.h"

static const struct ctl text_mode = { .legend = true };
static const struct ctl json_mode = { .json = JSON_MODE_SHORT, .legend = true };

static void an_error_is_text_on_standard_error(void **state)
{
	struct capture c;
	int r;

	(void)state;
	capture_begin(&c);
	r = ctl_fail(&text_mode, CTL_NOT_FOUND, "list them", "no runbook '%s'", "x");
	capture_end(&c);
	assert_int_equal(r, CTL_NOT_FOUND);
	assert_string_equal(c.out, "");
	assert_string_equal(c.err, "aiopsctl: no runbook 'x'\nHint: list them\n");
}

static void quiet_leaves_out_the_hint(void **state)
{
	const struct ctl quiet = { .quiet = true };
	struct capture c;

	(void)state;
	capture_begin(&c);
	(void)ctl_fail(&quiet, CTL_FAILED, "list them", "no");
	ctl_hint(&json_mode, "not in JSON either");
	capture_end(&c);
	assert_string_equal(c.err, "aiopsctl: no\n");
}

static void an_error_is_one_json_object_on_standard_output(void **state)
{
	static const char *const words[] = { "failed",    "failed",
					     "usage",     "daemon-not-running",
					     "not-found", "refused",
					     "timeout",   "not-verified" };
	struct capture c;

	(void)state;
	for (int code = CTL_FAILED; code <= CTL_UNVERIFIED; code++) {
		char expected[128] = "";

		capture_begin(&c);
		assert_int_equal(ctl_fail(&json_mode, code, NULL, "a \"b\""), code);
		capture_end(&c);
		str_append(expected, sizeof(expected),
			   "{\"error\":{\"code\":\"%s\",\"message\":\"a \\\"b\\\"\"}}\n",
			   words[code]);
		assert_string_equal(c.out, expected);
		assert_string_equal(c.err, "");
	}
}

static void an_error_text_cannot_speak_to_the_terminal(void **state)
{
	struct err err = { 0 };
	struct capture c;

	(void)state;
	(void)err_set(&err, -EINVAL, "read '%s'", "\033]0;x\a\033[2J");
	capture_begin(&c);
	(void)ctl_fail_err(&text_mode, CTL_FAILED, NULL, &err);
	capture_end(&c);
	assert_string_equal(c.err, "aiopsctl: read '\\x1b]0;x\\x07\\x1b[2J'\n");
}

static void print_two(const struct ctl *ctl, struct capture *c)
{
	static const struct table_column columns[] = { { "NAME", false, true },
						       { "N", true, false } };
	struct table *t = table_new(ctl, columns, ELEMENTSOF(columns));

	table_row(t);
	table_cell(t, COLOUR_RED, "%s", "a\033[31mb");
	table_cell(t, COLOUR_NONE, "%d", 7);
	table_row(t);
	table_cell(t, COLOUR_NONE, "%s", "longer than the other name");
	table_cell(t, COLOUR_NONE, "%d", 123);
	table_cell(t, COLOUR_NONE, "%s", "one cell too many");
	capture_begin(c);
	table_print(t, "thing");
	capture_end(c);
}

static void a_table_is_aligned_and_counted(void **state)
{
	struct capture c;

	(void)state;
	print_two(&text_mode, &c);
	assert_string_equal(c.out, "NAME                          N\n"
				   "a\\x1b[31mb                    7\n"
				   "longer than the other name  123\n"
				   "\n2 things listed.\n");
}

static void a_table_without_legend_is_rows_only(void **state)
{
	const struct ctl bare = { .legend = false };
	struct capture c;

	(void)state;
	print_two(&bare, &c);
	assert_string_equal(c.out, "a\\x1b[31mb                    7\n"
				   "longer than the other name  123\n");
}

static void a_table_has_colour_only_where_it_is_on(void **state)
{
	const struct ctl colourful = { .legend = true, .colour = true };
	struct capture c;

	(void)state;
	print_two(&text_mode, &c);
	assert_null(strchr(c.out, '\033'));
	print_two(&colourful, &c);
	assert_non_null(strstr(c.out, "\033[1mNAME"));
	assert_non_null(strstr(c.out, "\033[31m"));
	assert_string_equal(colour_on(&text_mode, COLOUR_RED), "");
	assert_string_equal(colour_off(&text_mode), "");
}

static void an_empty_table_says_so(void **state)
{
	static const struct table_column columns[] = { { "NAME", false, true } };
	struct capture c;

	(void)state;
	capture_begin(&c);
	table_print(table_new(&text_mode, columns, 1), "incident");
	capture_end(&c);
	assert_string_equal(c.out, "0 incidents listed.\n");
}

static void a_text_is_broken_between_words(void **state)
{
	static const struct {
		const char *text;
		size_t width, length, skip;
	} cases[] = {
		{ "one two", 0, 7, 0 },          { "one two", 7, 7, 0 },
		{ "one two", 6, 3, 1 },          { "one two", 3, 3, 1 },
		{ "abcdefgh", 3, 3, 0 },         { "", 5, 0, 0 },
		{ "a\nb c", 5, 1, 1 },           { "\xc3\xa4\xc3\xb6 x", 2, 4, 1 },
		{ "\xc3\xa4\xc3\xb6", 1, 2, 0 }, { "ab cd ef", 5, 5, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		size_t skip = 7;

		assert_int_equal(text_break(cases[i].text, cases[i].width, &skip), cases[i].length);
		assert_int_equal(skip, cases[i].skip);
	}
}

static void a_long_line_is_whole_without_a_terminal(void **state)
{
	struct capture c;

	(void)state;
	capture_begin(&c);
	ctl_print_wrapped(&text_mode, COLOUR_NONE, 30,
			  "a text that is longer than what remains of 80");
	capture_end(&c);
	assert_string_equal(c.out, "a text that is longer than what remains of 80\n");
	assert_int_equal(ctl_width(&text_mode), 0);
}

static void reads_members_of_any_answer(void **state)
{
	_cleanup_json_ struct json_object *o = NULL;
	static const char text[] = "{\"s\":\"x\",\"i\":7,\"d\":0.5,\"n\":null,\"a\":[1]}";

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), &o, NULL), 0);
	assert_string_equal(json_text(o, "s", "-"), "x");
	assert_string_equal(json_text(o, "i", "-"), "-");
	assert_string_equal(json_text(o, "n", "-"), "-");
	assert_string_equal(json_text(o, "absent", "-"), "-");
	assert_string_equal(json_text(NULL, "s", "-"), "-");
	assert_string_equal(json_text(json_member(o, "a"), "s", "-"), "-");
	assert_int_equal(json_int(o, "i"), 7);
	assert_int_equal(json_int(o, "absent"), 0);
	assert_true(json_number(o, "d") > 0.49 && json_number(o, "d") < 0.51);
}

static void says_how_long_ago(void **state)
{
	uint64_t now_us = clock_wall_us();
	char buf[AGO_MAX] = "";

	(void)state;
	assert_non_null(strstr(format_ago(now_us - 3600 * US_PER_S, buf), " ago"));
	assert_int_equal(strncmp(format_ago(now_us + 3600 * US_PER_S, buf), "in ", 3), 0);
}

static void nobody_is_asked_without_a_terminal_or_for_json(void **state)
{
	const struct ctl yes = { .yes = true };
	struct capture c;
	int text, json, sure;

	(void)state;
	capture_begin(&c);
	text = ctl_confirm(&text_mode, "Really?");
	json = ctl_confirm(&json_mode, "Really?");
	sure = ctl_confirm(&yes, "Really?");
	capture_end(&c);
	assert_int_equal(text, -ENOTTY);
	assert_int_equal(json, -ENOTTY);
	assert_int_equal(sure, 1);
	assert_string_equal(c.err, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_is_text_on_standard_error),
		cmocka_unit_test(quiet_leaves_out_the_hint),
		cmocka_unit_test(an_error_is_one_json_object_on_standard_output),
		cmocka_unit_test(an_error_text_cannot_speak_to_the_terminal),
		cmocka_unit_test(a_table_is_aligned_and_counted),
		cmocka_unit_test(a_table_without_legend_is_rows_only),
		cmocka_unit_test(a_table_has_colour_only_where_it_is_on),
		cmocka_unit_test(an_empty_table_says_so),
		cmocka_unit_test(a_text_is_broken_between_words),
		cmocka_unit_test(a_long_line_is_whole_without_a_terminal),
		cmocka_unit_test(reads_members_of_any_answer),
		cmocka_unit_test(says_how_long_ago),
		cmocka_unit_test(nobody_is_asked_without_a_terminal_or_for_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
