/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rate, absence, burn_rate, forecast, burst: over windows of blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ops/rule.h"

extern const struct rule_ops rule_rate, rule_absence, rule_burn_rate, rule_forecast, rule_burst;

#define MINUTE_NS (60 * NS_PER_S)
#define HOUR_NS   (60 * MINUTE_NS)

/* n points, each span after the one before it; the last is now. */
static struct rule_point points[RULE_BLOCKS_MAX];
static struct rule_window window = { .points = points };
static struct baseline baseline;

static uint64_t fill(uint64_t span_ns, uint32_t n, double (*value)(uint32_t i))
{
	for (uint32_t i = 0; i < n; i++)
		points[i] = (struct rule_point){ (100 + i) * span_ns, value(i) };
	window.n = n;
	baseline_init(&baseline);
	window.baseline = &baseline;
	return n ? points[n - 1].t_ns : 0;
}

static double by_two(uint32_t i)
{
	return 2 * i;
}

static double reset_half_way(uint32_t i)
{
	return i < 30 ? 1000 + i : i - 30;
}

static double constant(uint32_t i)
{
	(void)i;
	return 7;
}

static const struct alert rate = { .over_ns = HOUR_NS, .threshold = 100, .clear_ratio = 0.5 };

static void a_counter_that_grows_by_more_fires(void **state)
{
	uint64_t now_ns = fill(MINUTE_NS, 61, by_two);

	(void)state;
	assert_true(rule_rate.eval(&rate, &window, 100, false, now_ns));
	assert_true(rule_rate.figure(&rate, &window, 100, now_ns) == 120);
	assert_false(rule_rate.eval(&rate, &window, 120, false, now_ns));
	/* Half an hour later without a value half of it is over. */
	assert_true(rule_rate.figure(&rate, &window, 100, now_ns + HOUR_NS / 2) == 60);
	assert_true(rule_rate.eval(&rate, &window, 100, true, now_ns + HOUR_NS / 2));
	assert_false(rule_rate.eval(&rate, &window, 100, true, now_ns + HOUR_NS));
}

static void a_counter_that_was_reset_counts_from_0(void **state)
{
	uint64_t now_ns = fill(MINUTE_NS, 61, reset_half_way);

	(void)state;
	assert_true(rule_rate.figure(&rate, &window, 0, now_ns) == 29 + 30);
}

static void a_counter_that_stands_still_is_told_after_the_whole_time(void **state)
{
	const struct alert a = { .over_ns = HOUR_NS, .below = 1, .clear_ratio = 1 };
	uint64_t now_ns = fill(MINUTE_NS, 60, constant);

	(void)state;
	assert_false(rule_rate.eval(&a, &window, 1, false, now_ns));
	now_ns = fill(MINUTE_NS, 61, constant);
	assert_true(rule_rate.eval(&a, &window, 1, false, now_ns));
}

static void silence_is_told_when_its_time_is_over(void **state)
{
	const struct alert a = { .over_ns = MINUTE_NS };
	uint64_t now_ns = fill(NS_PER_S, 1, constant);

	(void)state;
	assert_false(rule_absence.eval(&a, &window, 0, false, now_ns));
	assert_false(rule_absence.eval(&a, &window, 0, false, now_ns + MINUTE_NS - 1));
	assert_true(rule_absence.eval(&a, &window, 0, false, now_ns + MINUTE_NS));
	assert_true(rule_absence.figure(&a, &window, 0, now_ns + MINUTE_NS) == 60);
	window.n = 0;
	assert_false(rule_absence.eval(&a, &window, 0, false, now_ns + HOUR_NS));
}

/* 99.9 % over an hour at 14.4 times: 51.84 s of outage, and 4.32 s of it within 5 minutes. */
static const struct alert page = { .over_ns = HOUR_NS,
				   .objective = 0.999,
				   .burn = 14.4,
				   .below = 1 };
static uint32_t bad_from, bad_to;

static double outage(uint32_t i)
{
	return i >= bad_from && i < bad_to ? 0.5 : 0;
}

static bool burns(uint32_t from, uint32_t to)
{
	uint64_t now_ns;

	bad_from = from;
	bad_to = to;
	now_ns = fill(MINUTE_NS, 60, outage);
	return rule_burn_rate.eval(&page, &window, 0.5, false, now_ns);
}

static void a_budget_burns_over_the_long_and_the_short_window(void **state)
{
	(void)state;
	assert_true(rule_burn_rate.measure(&page, 0.5, 0) == 1);
	assert_true(rule_burn_rate.measure(&page, 0.5, 1) == 0);
	assert_false(burns(59, 60)); /* 30 s of an hour are within it */
	assert_true(burns(58, 60));  /* 60 s are not */
	assert_true(burns(54, 56));
	assert_false(burns(53, 55)); /* over for more than 5 minutes */
}

static void what_was_not_measured_was_good(void **state)
{
	uint64_t now_ns;

	(void)state;
	bad_from = 0;
	bad_to = 1;
	now_ns = fill(MINUTE_NS, 1, outage);
	assert_false(rule_burn_rate.eval(&page, &window, 0.5, false, now_ns));
}

static const struct alert full = { .over_ns = 6 * HOUR_NS,
				   .within_ns = 24 * HOUR_NS,
				   .threshold = 1,
				   .from = 0.6 };

static double fills(uint32_t i)
{
	return 0.7 + 0.001 * i; /* 1 % an hour: 0.759 now, full in 24.1 hours */
}

static double fills_faster(uint32_t i)
{
	return 0.7 + 0.002 * i;
}

/* A backup writes for an hour of the six, and its file goes. */
static double sawtooth(uint32_t i)
{
	return i >= 50 ? 0.7 + 0.02 * (i - 50) : 0.7;
}

static double stopped(uint32_t i)
{
	return i < 45 ? 0.6 + 0.005 * i : 0.825;
}

static double noisy(uint32_t i)
{
	return fills_faster(i) + (i % 7 == 3 ? 0.15 : 0) - (i % 2 ? 0.002 : 0);
}

static bool fills_up(double (*value)(uint32_t), uint32_t n, bool firing)
{
	uint64_t now_ns = fill(6 * MINUTE_NS, n, value);

	return rule_forecast.eval(&full, &window, 1, firing, now_ns);
}

static void says_how_many_hours_are_left(void **state)
{
	uint64_t now_ns = fill(6 * MINUTE_NS, 60, fills);
	double hours = rule_forecast.figure(&full, &window, 1, now_ns);

	(void)state;
	assert_true(hours > 24.0 && hours < 24.2);
	assert_false(fills_up(fills, 60, false));
	assert_true(fills_up(fills, 60, true)); /* clears at twice the time */
	assert_true(fills_up(fills_faster, 60, false));
	assert_true(fills_up(noisy, 60, false));
}

static void does_not_guess(void **state)
{
	(void)state;
	assert_false(fills_up(fills_faster, 29, false));
	assert_true(fills_up(fills_faster, 30, false));
	assert_false(fills_up(sawtooth, 60, false));
	assert_false(fills_up(stopped, 60, false));
}

static void what_is_empty_may_fill(void **state)
{
	struct alert a = full;
	uint64_t now_ns = fill(6 * MINUTE_NS, 60, fills_faster);

	(void)state;
	a.from = 0.9;
	assert_false(rule_forecast.eval(&a, &window, 1, false, now_ns));
}

static const struct alert storm = { .factor = 10,
				    .threshold = 5,
				    .clear_ratio = 1,
				    .m = 1,
				    .clear_n = 5 };

static double quiet_then_storm(uint32_t i)
{
	return i < 60 ? i % 3 : 50;
}

static double quiet_then_little(uint32_t i)
{
	return i < 60 ? 0.01 : 4;
}

static double busy_then_more(uint32_t i)
{
	return i < 60 ? 40 + i % 5 : 300;
}

static double storm_over(uint32_t i)
{
	return i < 40 ? i % 3 : i < 50 ? 60 : 1;
}

static bool storms(double (*value)(uint32_t), uint32_t n, bool firing)
{
	uint64_t now_ns = fill(MINUTE_NS, n, value);

	return rule_burst.eval(&storm, &window, 5, firing, now_ns);
}

static void a_burst_is_many_times_its_own_past_and_over_the_floor(void **state)
{
	(void)state;
	assert_true(storms(quiet_then_storm, 61, false));
	assert_false(storms(quiet_then_storm, 60, false));
	assert_false(storms(quiet_then_little, 61, false));
	assert_false(storms(busy_then_more, 61, false));
	assert_false(storms(quiet_then_storm, 20, false));
}

static void a_burst_ends_after_enough_quiet_blocks(void **state)
{
	(void)state;
	assert_true(storms(storm_over, 50, true));
	assert_true(storms(storm_over, 54, true));
	assert_false(storms(storm_over, 55, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_counter_that_grows_by_more_fires),
		cmocka_unit_test(a_counter_that_was_reset_counts_from_0),
		cmocka_unit_test(a_counter_that_stands_still_is_told_after_the_whole_time),
		cmocka_unit_test(silence_is_told_when_its_time_is_over),
		cmocka_unit_test(a_budget_burns_over_the_long_and_the_short_window),
		cmocka_unit_test(what_was_not_measured_was_good),
		cmocka_unit_test(says_how_many_hours_are_left),
		cmocka_unit_test(does_not_guess),
		cmocka_unit_test(what_is_empty_may_fill),
		cmocka_unit_test(a_burst_is_many_times_its_own_past_and_over_the_floor),
		cmocka_unit_test(a_burst_ends_after_enough_quiet_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
