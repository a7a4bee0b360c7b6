/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ops/rule.h"

extern const struct rule_ops rule_threshold;

static bool eval(const struct alert *a, const char *values, bool firing)
{
	struct rule_point p[ALERT_WINDOW_MAX];
	struct rule_window w = { .points = p };

	for (; *values; values++)
		p[w.n++] = (struct rule_point){ .value = *values - '0' };
	return rule_threshold.eval(a, &w, a->threshold, firing, 0);
}

static const struct alert three_of_five = { .threshold = 5,
					    .clear_ratio = 0.8,
					    .m = 3,
					    .n = 5,
					    .clear_n = 3 };

static void fires_at_the_mth_bad_value_of_n(void **state)
{
	(void)state;
	assert_false(eval(&three_of_five, "", false));
	assert_false(eval(&three_of_five, "66", false));
	assert_true(eval(&three_of_five, "666", false));
	assert_true(eval(&three_of_five, "61616", false));
	assert_false(eval(&three_of_five, "61161", false));
}

static void forgets_what_is_older_than_n_values(void **state)
{
	(void)state;
	assert_false(eval(&three_of_five, "6611111", false));
	assert_false(eval(&three_of_five, "66111116", false));
}

static void takes_the_bound_itself_as_good(void **state)
{
	(void)state;
	assert_false(eval(&three_of_five, "555", false));
}

static void goes_on_firing_between_the_two_bounds(void **state)
{
	(void)state;
	assert_true(eval(&three_of_five, "66655555", true));
	assert_false(eval(&three_of_five, "666444", true));
}

static void clears_after_enough_good_values_in_a_row(void **state)
{
	(void)state;
	assert_true(eval(&three_of_five, "66611", true));
	assert_true(eval(&three_of_five, "666116", true));
	assert_false(eval(&three_of_five, "666111", true));
}

static void looks_the_other_way_for_below(void **state)
{
	const struct alert a = {
		.threshold = 5, .below = 1, .clear_ratio = 1, .m = 2, .n = 2, .clear_n = 1
	};

	(void)state;
	assert_true(eval(&a, "44", false));
	assert_false(eval(&a, "45", false));
	assert_false(eval(&a, "446", true));
}

static void does_not_clear_on_fewer_values_than_it_needs(void **state)
{
	(void)state;
	assert_true(eval(&three_of_five, "11", true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_at_the_mth_bad_value_of_n),
		cmocka_unit_test(forgets_what_is_older_than_n_values),
		cmocka_unit_test(takes_the_bound_itself_as_good),
		cmocka_unit_test(goes_on_firing_between_the_two_bounds),
		cmocka_unit_test(clears_after_enough_good_values_in_a_row),
		cmocka_unit_test(looks_the_other_way_for_below),
		cmocka_unit_test(does_not_clear_on_fewer_values_than_it_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
