/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <cmocka.h>

#include "base/str.h"
#include "recorder/template.h"

static void check(const char *line, const char *expected)
{
	char buf[TEMPLATE_TEXT_MAX] = "";

	assert_string_equal(template_mask(line, buf), expected);
}

static void numbers_with_their_units_are_masked(void **state)
{
	(void)state;
	check("took 15ms, 3.5 MiB, 1,024 pages, 20% -7",
	      "took <NUM>ms, <NUM> MiB, <NUM> pages, <NUM> <NUM>");
	check("worker[4711] exit=139", "worker[<NUM>] exit=<NUM>");
	check("status=2/INVALIDARGUMENT", "status=<NUM>/INVALIDARGUMENT");
}

static void digits_inside_a_word_are_part_of_it(void **state)
{
	(void)state;
	check("eth0 and sda1 on node_3", "eth0 and sda1 on node_3");
}

static void addresses_are_masked_with_their_ports(void **state)
{
	(void)state;
	check("accept 10.0.0.7:5123 failed", "accept <IP>:<NUM> failed");
	check("from fe80::1 and [::1]:80", "from <IP> and [<IP>]:<NUM>");
	check("2001:db8:0:1:2:3:4:5 is up", "<IP> is up");
	check("version 1.2.3 of std::vector", "version <NUM> of std::vector");
}

static void times_are_masked(void **state)
{
	(void)state;
	check("2026-01-31T12:34:56.789Z start", "<TIME> start");
	check("2026-01-31 12:34:56,123 start", "<TIME> start");
	check("at 12:34:56+02:00 and 9:15.", "at <TIME> and <TIME>.");
	check("on 2026-01-31: done", "on <TIME>: done");
}

static void identifiers_are_masked(void **state)
{
	(void)state;
	check("id 123e4567-e89b-12d3-a456-426614174000 gone", "id <UUID> gone");
	check("at 0xdeadBEEF commit 5f3a9c1e77", "at <HEX> commit <HEX>");
	check("dead cafe added", "dead cafe added");
}

static void paths_urls_and_mails_are_masked(void **state)
{
	(void)state;
	check("open /var/lib/x.db: denied", "open <PATH>: denied");
	check("open ../x/y and ~/z.", "open <PATH> and <PATH>.");
	check("GET https://a.example/x?y=1 by joe@a.example", "GET <URL> by <MAIL>");
	check("and/or n/a", "and/or n/a");
}

static void quoted_text_is_masked_but_no_apostrophe(void **state)
{
	(void)state;
	check("user 'joe' said \"rm -rf /\"", "user \"<STR>\" said \"<STR>\"");
	check("can't open, won't retry", "can't open, won't retry");
}

static void control_characters_are_escaped(void **state)
{
	(void)state;
	check("red \033[31m text\r\n", "red \\x1b[<NUM>m text\\x0d\\x0a");
	check("bad \xff byte", "bad \\xff byte");
}

static void a_long_line_is_cut(void **state)
{
	char line[4096], buf[TEMPLATE_TEXT_MAX] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(line) - 1; i += 2)
		memcpy(line + i, "1 ", 2);
	line[sizeof(line) - 1] = '\0';
	assert_true(strlen(template_mask(line, buf)) < TEMPLATE_TEXT_MAX);
	memset(line, 'x', sizeof(line) - 1);
	assert_int_equal(strlen(template_mask(line, buf)), TEMPLATE_TEXT_MAX - 1);
}

static struct templates *all_of(const char *const *lines, size_t n)
{
	struct templates *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	for (size_t i = 0; i < n; i++)
		templates_add(t, lines[i], LOG_INFO);
	return t;
}

static void lines_that_differ_in_what_varies_are_one_template(void **state)
{
	static const char *const lines[] = { "accept 10.0.0.7:1 failed", "accept 10.0.0.8:2 failed",
					     "accept 10.0.0.9:3 failed" };
	_cleanup_free_ struct templates *t = all_of(lines, ELEMENTSOF(lines));

	(void)state;
	assert_int_equal(t->n, 1);
	assert_int_equal(t->v[0].lines_count, 3);
}

static void words_that_differ_become_a_star(void **state)
{
	static const char *const lines[] = { "session opened for user alice now",
					     "session opened for user bob now" };
	_cleanup_free_ struct templates *t = all_of(lines, ELEMENTSOF(lines));

	(void)state;
	assert_int_equal(t->n, 1);
	assert_string_equal(t->v[0].text, "session opened for user <*> now");
}

static void unlike_lines_stay_apart(void **state)
{
	static const char *const lines[] = { "started listener", "stopped listener", "x",
					     "started" };
	_cleanup_free_ struct templates *t = all_of(lines, ELEMENTSOF(lines));

	(void)state;
	assert_int_equal(t->n, 4);
}

static void the_most_severe_and_frequent_come_first(void **state)
{
	_cleanup_free_ struct templates *t = calloc(1, sizeof(*t));

	(void)state;
	assert_non_null(t);
	for (int i = 0; i < 5; i++)
		templates_add(t, "hello there", LOG_INFO);
	templates_add(t, "out of memory", LOG_ERR);
	templates_add(t, "disk is slow", LOG_WARNING);
	templates_add(t, "bye now all", LOG_INFO);
	templates_sort(t);
	assert_string_equal(t->v[0].text, "out of memory");
	assert_string_equal(t->v[1].text, "disk is slow");
	assert_string_equal(t->v[2].text, "hello there");
	assert_int_equal(t->error_lines_count, 1);
	assert_int_equal(t->lines_count, 8);
}

static void a_full_table_counts_what_has_no_room(void **state)
{
	_cleanup_free_ struct templates *t = calloc(1, sizeof(*t));

	(void)state;
	assert_non_null(t);
	for (int i = 0; i < TEMPLATES_MAX + 10; i++) {
		char line[32] = "";

		str_append(line, sizeof(line), "%c%c word", 'a' + i / 26, 'a' + i % 26);
		templates_add(t, line, LOG_INFO);
	}
	assert_int_equal(t->n, TEMPLATES_MAX);
	assert_int_equal(t->overflow_count, 10);
	assert_int_equal(t->lines_count, TEMPLATES_MAX + 10);
}

static void an_empty_line_is_a_template_too(void **state)
{
	static const char *const lines[] = { "", " ", "\t" };
	_cleanup_free_ struct templates *t = all_of(lines, ELEMENTSOF(lines));

	(void)state;
	assert_int_equal(t->n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_with_their_units_are_masked),
		cmocka_unit_test(digits_inside_a_word_are_part_of_it),
		cmocka_unit_test(addresses_are_masked_with_their_ports),
		cmocka_unit_test(times_are_masked),
		cmocka_unit_test(identifiers_are_masked),
		cmocka_unit_test(paths_urls_and_mails_are_masked),
		cmocka_unit_test(quoted_text_is_masked_but_no_apostrophe),
		cmocka_unit_test(control_characters_are_escaped),
		cmocka_unit_test(a_long_line_is_cut),
		cmocka_unit_test(lines_that_differ_in_what_varies_are_one_template),
		cmocka_unit_test(words_that_differ_become_a_star),
		cmocka_unit_test(unlike_lines_stay_apart),
		cmocka_unit_test(the_most_severe_and_frequent_come_first),
		cmocka_unit_test(a_full_table_counts_what_has_no_room),
		cmocka_unit_test(an_empty_line_is_a_template_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
