/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"
#include "ctl/since.h"

#define NOW_S UINT64_C(1769860830) /* 2026-01-31 12:00:30 UTC */

static void set_zone(const char *zone)
{
	assert_int_equal(setenv("TZ", zone, 1), 0);
	tzset();
}

static uint64_t parse_s(const char *text)
{
	uint64_t us = 0;

	assert_int_equal(since_parse(text, NOW_S * US_PER_S, &us), 0);
	return us / US_PER_S;
}

static void a_span_is_that_long_ago(void **state)
{
	(void)state;
	assert_int_equal(parse_s("90"), NOW_S - 90);
	assert_int_equal(parse_s("90s"), NOW_S - 90);
	assert_int_equal(parse_s("10min"), NOW_S - 600);
	assert_int_equal(parse_s("2h"), NOW_S - 7200);
	assert_int_equal(parse_s("0"), NOW_S);
}

static void a_span_longer_than_time_is_its_beginning(void **state)
{
	(void)state;
	assert_int_equal(parse_s("5000000h"), 0);
}

static void days_begin_at_the_local_midnight(void **state)
{
	(void)state;
	set_zone("UTC");
	assert_int_equal(parse_s("today"), NOW_S - 12 * 3600 - 30);
	assert_int_equal(parse_s("yesterday"), NOW_S - 36 * 3600 - 30);
	set_zone("XYZ-2"); /* two hours east */
	assert_int_equal(parse_s("today"), NOW_S - 14 * 3600 - 30);
	set_zone("UTC");
}

static void yesterday_is_right_where_a_day_has_23_hours(void **state)
{
	uint64_t us = 0;

	(void)state;
	set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	/* 2026-03-30 12:00 CEST; the clocks went forward on the 29th */
	assert_int_equal(since_parse("yesterday", UINT64_C(1774864800) * US_PER_S, &us), 0);
	assert_int_equal(us / US_PER_S, UINT64_C(1774738800)); /* 2026-03-29 00:00 CET */
	set_zone("UTC");
}

static void reads_dates_as_local_time(void **state)
{
	(void)state;
	set_zone("UTC");
	assert_int_equal(parse_s("2026-01-31"), NOW_S - 12 * 3600 - 30);
	assert_int_equal(parse_s("2026-01-31 12:00"), NOW_S - 30);
	assert_int_equal(parse_s("2026-01-31 12:00:30"), NOW_S);
	set_zone("XYZ-2");
	assert_int_equal(parse_s("2026-01-31 14:00:30"), NOW_S);
	set_zone("UTC");
}

static void reads_seconds_since_the_epoch(void **state)
{
	(void)state;
	assert_int_equal(parse_s("@0"), 0);
	assert_int_equal(parse_s("@1769860830"), NOW_S);
}

static void refuses_everything_else(void **state)
{
	static const char *const bad[] = {
		"",           "soon",       "-5min",
		"5 min",      "5x",         "1d",
		"@",          "@-1",        "@1.5",
		"2026-02-30", "2026-13-01", "2026-01-31 25:00",
		"1969-12-01", "31.01.2026", "2026-01-31 12:00:30 UTC",
		"Today",      "todayx",     "@99999999999999999999",
		"today ",     "2026-01",    "99999999999999999999",
	};

	(void)state;
	set_zone("UTC");
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		uint64_t us = 7;

		assert_true(since_parse(bad[i], NOW_S * US_PER_S, &us) < 0);
		assert_int_equal(us, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_span_is_that_long_ago),
		cmocka_unit_test(a_span_longer_than_time_is_its_beginning),
		cmocka_unit_test(days_begin_at_the_local_midnight),
		cmocka_unit_test(yesterday_is_right_where_a_day_has_23_hours),
		cmocka_unit_test(reads_dates_as_local_time),
		cmocka_unit_test(reads_seconds_since_the_epoch),
		cmocka_unit_test(refuses_everything_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
