/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void a_pattern_matches_what_it_says(void **state)
{
	(void)state;
	assert_true(metrics_match("host.load1", "host.load1"));
	assert_false(metrics_match("host.load1", "host.load15"));
	assert_false(metrics_match("host.load15", "host.load1"));
	assert_true(metrics_match("*", "host.load1"));
	assert_true(metrics_match("host.*", "host.load1"));
	assert_true(metrics_match("*_pct", "unit.cpu_usage_pct"));
	assert_true(metrics_match("unit.*_pressure_*_pct", "unit.cpu_pressure_some_pct"));
	assert_false(metrics_match("unit.*_pressure_*_pct", "unit.cpu_usage_pct"));
	assert_true(metrics_match("a**", "a"));
	assert_false(metrics_match("", "a"));
}

static void points_of_a_series_are_together(void **state)
{
	struct entity a = entity_make(ENTITY_KIND_UNIT, "a.service"),
		      b = entity_make(ENTITY_KIND_UNIT, "b.service");
	const struct metrics_point p = { 1000000, 2.5, 1, 4 };
	_cleanup_json_ struct json_object *o = NULL;
	struct metrics_answer answer;

	(void)state;
	metrics_begin(&answer, 10);
	metrics_add(&answer, "unit.x", &a, &p);
	metrics_add(&answer, "unit.x", &a, &p);
	metrics_add(&answer, "unit.x", &b, &p);
	assert_int_equal(metrics_end(&answer, true, &o), 0);
	assert_string_equal(
		json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
		"{\"step_s\":10,\"series\":[{\"signal\":\"unit.x\",\"entity\":\"unit:a.service\","
		"\"points\":[[1000000,2.5,1.0,4.0],[1000000,2.5,1.0,4.0]]},"
		"{\"signal\":\"unit.x\",\"entity\":\"unit:b.service\","
		"\"points\":[[1000000,2.5,1.0,4.0]]}],\"more\":true}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pattern_matches_what_it_says),
		cmocka_unit_test(points_of_a_series_are_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
