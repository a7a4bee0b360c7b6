/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: gen/registry_rule.o */
/* The shipped alerts do what their own tests say, and the language of those tests. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "engine/engine.h"

static struct alert_tests tests;

static uint32_t run_file(const char *path)
{
	_cleanup_free_ char *text = malloc(YAML_TEXT_MAX);
	struct alert a = { 0 };
	struct err err = { 0 };
	ssize_t length;
	uint32_t n_fires = 0;

	assert_non_null(text);
	length = fd_read_file(AT_FDCWD, path, text, YAML_TEXT_MAX);
	assert_true(length > 0);
	if (alert_parse(path, text, (size_t)length, &a, &err) < 0 ||
	    alert_tests_parse(path, text, (size_t)length, &tests, &err) < 0)
		fail_msg("%s", err_text(&err));
	for (uint32_t i = 0; i < tests.n; i++) {
		if (engine_test_alert(&a, &tests.v[i], &err) < 0)
			fail_msg("%s: %s: %s", a.id, tests.v[i].name, err_text(&err));
		n_fires += tests.v[i].n_fires;
	}
	if (tests.n < 2 || n_fires == 0)
		fail_msg("%s: one test that fires and one that does not are wanted", a.id);
	return tests.n;
}

static void every_shipped_alert_passes_its_tests(void **state)
{
	glob_t found = { 0 };

	(void)state;
	assert_int_equal(glob("runbooks/alerts/*.yaml", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		(void)run_file(found.gl_pathv[i]);
	globfree(&found);
}

static void expect(const char *text, size_t n, const double *values)
{
	double v[32];
	struct err err = { 0 };

	assert_int_equal(alert_test_expand(text, v, 32, &err), n);
	for (size_t i = 0; i < n; i++)
		assert_true(isnan(values[i]) ? isnan(v[i]) : v[i] == values[i]);
}

static void values_are_written_short(void **state)
{
	(void)state;
	expect("1 2.5 -3", 3, (const double[]){ 1, 2.5, -3 });
	expect("0x3 7", 4, (const double[]){ 0, 0, 0, 7 });
	expect("1+2x3 5-1x2", 5, (const double[]){ 1, 3, 5, 5, 4 });
	expect("1 _x2 1", 4, (const double[]){ 1, NAN, NAN, 1 });
	expect("(1 0x2)x2 4", 7, (const double[]){ 1, 0, 0, 1, 0, 0, 4 });
}

static void noise_stays_within_its_bounds(void **state)
{
	double v[1000], low = 10, high = 10;

	(void)state;
	assert_int_equal(alert_test_expand("10~2x1000", v, 1000, NULL), 1000);
	for (size_t i = 0; i < 1000; i++) {
		low = v[i] < low ? v[i] : low;
		high = v[i] > high ? v[i] : high;
	}
	assert_true(low >= 8 && low < 8.1 && high <= 12 && high > 11.9);
}

static void wrong_values_are_refused(void **state)
{
	static const char *const wrong[] = { "",   "x",     "1x",  "1y",   "1+",    "(1",
					     "1)", "((1))", "--1", "1x-1", "0x1e9", "1x33" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
		assert_true(alert_test_expand(wrong[i], NULL, 32, NULL) < 0);
}

#define HEAD                                                                                    \
	"id: hot\nsummary: x\nseverity: info\nsignal: unit.heat_pct\nrule: threshold\nfor: 2\n" \
	"above: 5\nreason: x\nsource: x\ntests:\n- name: it gets hot\n"

static void check(const char *text, const char *message)
{
	struct alert a = { 0 };
	struct err err = { 0 };

	assert_int_equal(alert_parse("a.yaml", text, strlen(text), &a, NULL), 0);
	assert_int_equal(alert_tests_parse("a.yaml", text, strlen(text), &tests, &err), 0);
	assert_int_equal(engine_test_alert(&a, &tests.v[0], &err), message ? -EBADMSG : 0);
	if (message)
		assert_string_equal(err_text(&err), message);
}

static void a_test_says_what_is_other_than_expected(void **state)
{
	(void)state;
	check(HEAD "  values: 0x5 9x5 0x5\n  fires: 6s\n  clears: 11s\n", NULL);
	check(HEAD "  values: 0x5 9x5\n", "it fires at 6s, expected never");
	check(HEAD "  values: 0x5 9x5\n  fires: 7s\n", "it fires at 6s, expected at 7s");
	check(HEAD "  values: 0x5\n  fires: 7s\n", "it does not fire at 7s");
	check(HEAD "  values: 9x5\n  fires: 1s\n  clears: 9s\n", "it does not clear at 9s");
	check(HEAD "  values: (9x5 0x5)x2\n  fires: 1s\n  clears: [6s, 16s]\n",
	      "it fires at 11s, expected no more");
	check(HEAD "  values: (9x5 0x5)x2\n  fires: [1s, 11s]\n  clears: [6s, 16s]\n", NULL);
}

static void refuse(const char *text, const char *message)
{
	struct err err = { 0 };

	assert_true(alert_tests_parse("a.yaml", text, strlen(text), &tests, &err) < 0);
	if (strncmp(err_text(&err), message, strlen(message)) != 0)
		fail_msg("got %s; expected %s", err_text(&err), message);
}

static void a_test_that_is_wrong_is_refused_with_its_place(void **state)
{
	(void)state;
	refuse(HEAD "  values: 1z\n", "a.yaml:12:11: no values, or not at 'z'");
	refuse(HEAD "  values: 1\n  fires: soon\n", "a.yaml:13:10: expected a time such as 90s");
	refuse(HEAD "  values: 1\n  every: 2h\n", "a.yaml:13:10: expected a time of 1ms to 1h");
	refuse(HEAD "  values: 1\n  of: nothing:x\n", "a.yaml:13:7: ");
	refuse(HEAD "  value: 1\n", "a.yaml:12:10: unknown key 'value'");
	refuse(HEAD "  values: 1x2000000\n", "a.yaml:12:11: more than 1000000 values");
}

int main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(every_shipped_alert_passes_its_tests),
		cmocka_unit_test(values_are_written_short),
		cmocka_unit_test(noise_stays_within_its_bounds),
		cmocka_unit_test(wrong_values_are_refused),
		cmocka_unit_test(a_test_says_what_is_other_than_expected),
		cmocka_unit_test(a_test_that_is_wrong_is_refused_with_its_place),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}
