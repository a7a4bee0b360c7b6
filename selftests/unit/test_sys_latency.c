/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/latency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void adds_up_all_cpus(void **state)
{
	const struct latency_hist per_cpu[2] = { { .slots = { 1, 2 } }, { .slots = { 10, 0, 7 } } };
	struct latency_hist sum;

	(void)state;
	latency_sum(per_cpu[0].slots, 2, LATENCY_SLOTS, sum.slots);
	assert_int_equal(sum.slots[0], 11);
	assert_int_equal(sum.slots[1], 2);
	assert_int_equal(sum.slots[2], 7);
	assert_int_equal(sum.slots[3], 0);
}

static void a_counter_that_wrapped_still_counts(void **state)
{
	const struct latency_hist before = { .slots = { UINT32_MAX, 5 } };
	const struct latency_hist after = { .slots = { 2, 6 } };
	struct latency_hist diff;

	(void)state;
	assert_int_equal(latency_diff(before.slots, after.slots, LATENCY_SLOTS, diff.slots), 4);
	assert_int_equal(diff.slots[0], 3);
	assert_int_equal(diff.slots[1], 1);
}

static void quantiles_are_within_their_slot(void **state)
{
	struct latency_hist hist = { 0 };

	(void)state;
	assert_float_equal(latency_quantile_us(&hist, 0.99), 0, 1e-9);
	hist.slots[4] = 90;  /* over 8 up to 16 us */
	hist.slots[10] = 10; /* over 512 up to 1024 us */
	assert_float_equal(latency_quantile_us(&hist, 0.45), 12, 1e-9);
	assert_float_equal(latency_quantile_us(&hist, 0.90), 16, 1e-9);
	assert_float_equal(latency_quantile_us(&hist, 0.95), 768, 1e-9);
	assert_float_equal(latency_quantile_us(&hist, 1), 1024, 1e-9);
}

static void one_sample_is_its_own_quantile(void **state)
{
	struct latency_hist hist = { 0 };

	(void)state;
	hist.slots[0] = 1;
	assert_true(latency_quantile_us(&hist, 0.99) > 0.9);
	assert_true(latency_quantile_us(&hist, 0.99) <= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_up_all_cpus),
		cmocka_unit_test(a_counter_that_wrapped_still_counts),
		cmocka_unit_test(quantiles_are_within_their_slot),
		cmocka_unit_test(one_sample_is_its_own_quantile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
