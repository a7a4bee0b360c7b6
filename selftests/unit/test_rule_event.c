/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ops/rule.h"

extern const struct rule_ops rule_event;

static const struct alert alert = { .threshold = 0, .m = 1, .n = 1, .clear_n = 1 };

static bool eval_at(uint64_t t_s, double value, bool firing, uint64_t now_s)
{
	const struct rule_point p = { t_s * NS_PER_S, value };
	const struct rule_window w = { .n = 1, .points = &p };

	return rule_event.eval(&alert, &w, 0, firing, now_s * NS_PER_S);
}

static void fires_when_it_happened(void **state)
{
	(void)state;
	assert_true(eval_at(100, 4711, false, 100));
}

static void does_not_fire_without_one(void **state)
{
	struct rule_window none = { 0 };

	(void)state;
	assert_false(rule_event.eval(&alert, &none, 0, false, 0));
	assert_false(eval_at(100, 0, false, 100));
}

static void holds_and_then_ends_by_itself(void **state)
{
	(void)state;
	assert_true(eval_at(100, 4711, true, 109));
	assert_false(eval_at(100, 4711, true, 110));
}

static void looks_behind_values_that_are_no_event(void **state)
{
	const struct rule_point p[] = { { 100 * NS_PER_S, 7 }, { 101 * NS_PER_S, 0 } };
	const struct rule_window w = { .n = 2, .points = p };

	(void)state;
	assert_true(rule_event.eval(&alert, &w, 0, false, 102 * NS_PER_S));
}

static void takes_a_time_ahead_of_now_as_now(void **state)
{
	(void)state;
	assert_true(eval_at(100, 1, false, 99));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_when_it_happened),
		cmocka_unit_test(does_not_fire_without_one),
		cmocka_unit_test(holds_and_then_ends_by_itself),
		cmocka_unit_test(looks_behind_values_that_are_no_event),
		cmocka_unit_test(takes_a_time_ahead_of_now_as_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
