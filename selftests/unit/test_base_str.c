/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

static void copies_and_says_when_it_cut(void **state)
{
	char buf[4] = "";

	(void)state;
	assert_int_equal(str_copy(buf, sizeof(buf), "abc"), 0);
	assert_string_equal(buf, "abc");
	assert_int_equal(str_copy(buf, sizeof(buf), "abcd"), -ENAMETOOLONG);
	assert_string_equal(buf, "abc");
}

static void appends_within_bounds(void **state)
{
	char buf[8] = "";

	(void)state;
	for (int i = 0; i < 5; i++)
		str_append(buf, sizeof(buf), "%d-", i);
	assert_string_equal(buf, "0-1-2-3");
}

static void parses_whole_numbers_only(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "+1", "0x10", "1e3", "one", "-" };
	uint64_t u = 0;
	int64_t i = 0;

	(void)state;
	assert_int_equal(str_parse_u64("18446744073709551615", &u), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(str_parse_u64("18446744073709551616", &u), -ERANGE);
	assert_int_equal(str_parse_i64("-9223372036854775808", &i), 0);
	assert_true(i == INT64_MIN);
	for (size_t k = 0; k < ELEMENTSOF(bad); k++) {
		assert_int_equal(str_parse_u64(bad[k], &u), -EINVAL);
		assert_int_equal(str_parse_i64(bad[k], &i), -EINVAL);
	}
}

static void parses_numbers_but_not_infinity(void **state)
{
	double d = 0;

	(void)state;
	assert_int_equal(str_parse_double("-1.5e3", &d), 0);
	assert_true(d == -1500);
	assert_int_equal(str_parse_double("1e999", &d), -ERANGE);
	assert_int_equal(str_parse_double("inf", &d), -EINVAL);
	assert_int_equal(str_parse_double("nan", &d), -EINVAL);
	assert_int_equal(str_parse_double("0x1p3", &d), -EINVAL);
}

static void parses_spans_with_units(void **state)
{
	uint64_t ns = 0;

	(void)state;
	assert_int_equal(str_parse_span_ns("250ms", &ns), 0);
	assert_true(ns == 250 * NS_PER_MS);
	assert_int_equal(str_parse_span_ns("5min", &ns), 0);
	assert_true(ns == 300 * NS_PER_S);
	assert_int_equal(str_parse_span_ns("7", &ns), 0);
	assert_true(ns == 7 * NS_PER_S);
	assert_int_equal(str_parse_span_ns("5m", &ns), -EINVAL);
	assert_int_equal(str_parse_span_ns("-5s", &ns), -EINVAL);
	assert_int_equal(str_parse_span_ns("18446744073709551615h", &ns), -ERANGE);
}

static void tells_clean_utf8_from_what_is_not(void **state)
{
	static const char *const clean[] = { "",
					     "plain",
					     "tab\there",
					     "\xc3\xbc",
					     "\xe2\x82\xac",
					     "\xf0\x9f\x98\x80",
					     "\xf4\x8f\xbf\xbf" };
	static const char *const dirty[] = {
		"\x1b[31m",         "line\nbreak",  "\x7f",         "\xc2\x9b",
		"\xc0\x80",         "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80", "\xe2\x82",     "\x80",         "\xf0\x8f\xbf\xbf"
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(clean); i++)
		assert_true(str_is_clean_utf8(clean[i], strlen(clean[i])));
	for (size_t i = 0; i < ELEMENTSOF(dirty); i++)
		assert_false(str_is_clean_utf8(dirty[i], strlen(dirty[i])));
	assert_false(str_is_clean_utf8("a\0b", 3));
}

static void escapes_each_byte_to_what_a_terminal_survives(void **state)
{
	(void)state;
	for (unsigned c = 1; c < 256; c++) {
		char src[2] = { (char)c, '\0' }, dst[16] = "";

		(void)str_escape(dst, sizeof(dst), src);
		assert_true(str_is_clean_utf8(dst, strlen(dst)));
		assert_true(strlen(dst) == 1 || strlen(dst) == 4);
	}
}

static void never_cuts_an_escape_in_half(void **state)
{
	char dst[6] = "";

	(void)state;
	assert_string_equal(str_escape(dst, sizeof(dst), "a\x1b\x1b"), "a\\x1b");
}

static void knows_unit_names(void **state)
{
	static const char *const good[] = { "a.service", "getty@tty1.service", "-.slice",
					    "dev-sda.device", "x\\x2dy.mount" };
	static const char *const bad[] = { "",
					   "a",
					   ".service",
					   "../x.service",
					   "a/b.service",
					   "a b.service",
					   "a.service\n",
					   "a.sh",
					   "a.service;x",
					   "\xc3\xbc.service" };
	char longest[300] = "";

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(good); i++)
		assert_true(str_is_unit_name(good[i]));
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		assert_false(str_is_unit_name(bad[i]));
	memset(longest, 'a', 248);
	str_append(longest, sizeof(longest), ".service");
	assert_false(str_is_unit_name(longest));
	assert_true(str_is_unit_name(longest + 1));
}

static void makes_different_hex128_each_time(void **state)
{
	char a[STR_HEX128_MAX] = "", b[STR_HEX128_MAX] = "";

	(void)state;
	assert_int_equal(str_random_hex128(a), 0);
	assert_int_equal(str_random_hex128(b), 0);
	assert_true(str_is_hex128(a) && str_is_hex128(b));
	assert_string_not_equal(a, b);
	assert_false(str_is_hex128("0123456789ABCDEF0123456789ABCDEF"));
	assert_false(str_is_hex128("0123456789abcdef0123456789abcdef0"));
}

static void writes_numbers_for_people(void **state)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 1, "1" },
		{ 2.01429, "2.01" },
		{ 0.000123456, "0.000123" },
		{ 88.25, "88.2" },
		{ 999.6, "1000" },
		{ 1234.5, "1234" },
		{ -12.345, "-12.3" },
		{ 1e6, "1000000" },
		{ 16777216, "16777216" },
		{ 7654321.4, "7654321" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		char buf[STR_NUMBER_MAX];

		assert_string_equal(str_number(cases[i].v, buf), cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_and_says_when_it_cut),
		cmocka_unit_test(appends_within_bounds),
		cmocka_unit_test(parses_whole_numbers_only),
		cmocka_unit_test(parses_numbers_but_not_infinity),
		cmocka_unit_test(parses_spans_with_units),
		cmocka_unit_test(tells_clean_utf8_from_what_is_not),
		cmocka_unit_test(escapes_each_byte_to_what_a_terminal_survives),
		cmocka_unit_test(never_cuts_an_escape_in_half),
		cmocka_unit_test(knows_unit_names),
		cmocka_unit_test(makes_different_hex128_each_time),
		cmocka_unit_test(writes_numbers_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
