/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "selftests/target/app/measure.h"

static void nothing_measured_is_nothing(void **state)
{
	struct measure m = { 0 };

	(void)state;
	assert_int_equal(measure_permille_us(&m, 990), 0);
	assert_true(measure_healthy_pct(&m) == 0);
}

static void percentiles_are_by_nearest_rank(void **state)
{
	struct measure m = { 0 };

	(void)state;
	/* 1 to 2000, in an order that is not theirs. */
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(measure_add(&m, i * 7 % 2000 + 1, true, 1000), 0);
	assert_int_equal(measure_permille_us(&m, 500), 1000);
	assert_int_equal(measure_permille_us(&m, 990), 1980);
	assert_int_equal(measure_permille_us(&m, 1000), 2000);
	assert_int_equal(measure_permille_us(&m, 0), 1);
	assert_true(measure_healthy_pct(&m) == 50.0);
	measure_done(&m);
}

static void an_error_is_not_healthy_however_fast(void **state)
{
	struct measure m = { 0 };

	(void)state;
	assert_int_equal(measure_add(&m, 1, false, 1000), 0);
	assert_int_equal(measure_add(&m, 1000, true, 1000), 0);
	assert_int_equal(measure_add(&m, 1001, true, 1000), 0);
	assert_int_equal(measure_add(&m, UINT64_MAX, true, 1000), 0);
	assert_int_equal(m.errors, 1);
	assert_true(measure_healthy_pct(&m) == 25.0);
	assert_int_equal(measure_permille_us(&m, 1000), UINT32_MAX);
	measure_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_measured_is_nothing),
		cmocka_unit_test(percentiles_are_by_nearest_rank),
		cmocka_unit_test(an_error_is_not_healthy_however_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
