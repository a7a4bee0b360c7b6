/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/series.o */
/* The simulation that the rule's numbers come from: seven days of blocks of 10 s, of series of seven kinds
 * with nothing wrong, and then something wrong. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ops/rule.h"
#include "selftests/unit/series.h"

extern const struct rule_ops rule_anomaly;

#define BLOCK_NS (10 * NS_PER_S)
#define HOUR     360 /* blocks */
#define DAY      (24 * HOUR)

static const struct alert alert = { .threshold = 0, .z = 6, .m = 3, .n = 3, .clear_n = 3 };

struct world {
	uint64_t seed;
	double last;
	struct baseline baseline;
	struct rule_point points[3];
	uint32_t n, events;
	bool firing;
};

static double white(struct world *w, uint32_t i)
{
	(void)i;
	return 100 + 10 * series_normal(&w->seed);
}

/* Autocorrelated, as load is: .95 a second is .6 over a block. */
static double ar(struct world *w, uint32_t i)
{
	(void)i;
	w->last = 0.6 * w->last + 8 * series_normal(&w->seed);
	return 100 + w->last;
}

/* Up and down with the day, as a parabola for want of a sine. */
static double daily(struct world *w, uint32_t i)
{
	double x = (double)(i % DAY) / DAY;

	return 100 + 400 * x * (1 - x) + ar(w, i);
}

static double trend(struct world *w, uint32_t i)
{
	return ar(w, i) + 0.002 * i;
}

/* Heavy tails: one value in a hundred is far out. */
static double tails(struct world *w, uint32_t i)
{
	double v = white(w, i);

	return series_uniform(&w->seed) < 0.01 ? v + 200 : v;
}

/* Spikes of 20 s, some a day. */
static double spikes(struct world *w, uint32_t i)
{
	return white(w, i) + (i % 1777 < 2 ? 300 : 0);
}

/* Two minutes of work each hour. */
static double hourly(struct world *w, uint32_t i)
{
	return white(w, i) + (i % HOUR < 12 ? 300 : 0);
}

/* Half an hour each night, not always at the same minute. */
static double nightly(struct world *w, uint32_t i)
{
	uint32_t at = i % DAY - 2 * HOUR - 30 * (i / DAY % 5);

	return white(w, i) + (at < 180 ? 500 : 0);
}

static double constant(struct world *w, uint32_t i)
{
	(void)w;
	(void)i;
	return 5;
}

static double weekend(struct world *w, uint32_t i)
{
	return white(w, i) - (i / DAY % 7 >= 5 ? 60 : 0);
}

static void take(struct world *w, uint32_t i, double value)
{
	uint64_t t_ns = (1 + i) * BLOCK_NS;
	struct rule_window window = { .points = w->points, .baseline = &w->baseline };
	bool firing;

	if (w->n == 3)
		memmove(w->points, w->points + 1, 2 * sizeof(w->points[0]));
	w->n = w->n < 3 ? w->n + 1 : 3;
	w->points[w->n - 1] = (struct rule_point){ t_ns, value };
	window.n = w->n;
	baseline_learn(&w->baseline, false, value, t_ns, t_ns / NS_PER_US);
	firing = rule_anomaly.eval(&alert, &window, alert.threshold, w->firing, t_ns);
	w->events += firing && !w->firing;
	w->firing = firing;
}

static struct world live(double (*value)(struct world *, uint32_t), uint32_t n)
{
	struct world w = { .seed = 4711 };

	baseline_init(&w.baseline);
	for (uint32_t i = 0; i < n; i++)
		take(&w, i, value(&w, i));
	return w;
}

static void ordinary_life_is_no_anomaly(void **state)
{
	static double (*const kinds[])(struct world *,
				       uint32_t) = { white, ar,     daily,  trend,
						     tails, spikes, hourly, constant };

	(void)state;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		struct world w = live(kinds[k], 7 * DAY);

		if (w.events)
			fail_msg("kind %zu: %u events", k, w.events);
	}
}

static void a_nightly_job_is_known_from_the_second_night_on(void **state)
{
	struct world w = live(nightly, 21 * DAY);

	(void)state;
	assert_true(w.events <= 1);
}

static void the_working_week_is_known_from_the_second_week_on(void **state)
{
	struct world w = live(weekend, 7 * DAY + DAY / 2);
	uint32_t first = w.events;

	(void)state;
	w = live(weekend, 21 * DAY);
	assert_true(first <= 1);
	assert_true(w.events == first);
}

static uint32_t blocks_until(double shift)
{
	struct world w = live(ar, 3 * DAY);
	uint32_t i = 0;

	assert_int_equal(w.events, 0);
	for (; i < 60 && !w.firing; i++)
		take(&w, 3 * DAY + i, ar(&w, i) + shift);
	return i;
}

static void a_new_level_is_told_in_half_a_minute(void **state)
{
	(void)state;
	assert_true(blocks_until(100) <= 4); /* 10 standard deviations */
	assert_int_equal(blocks_until(15), 60);
}

static void it_ends_when_the_level_is_back(void **state)
{
	struct world w = live(white, 3 * DAY);

	(void)state;
	for (uint32_t i = 0; i < 30; i++)
		take(&w, 3 * DAY + i, 300);
	assert_true(w.firing);
	for (uint32_t i = 30; i < 34; i++)
		take(&w, 3 * DAY + i, 100);
	assert_false(w.firing);
}

static void the_first_day_is_for_learning(void **state)
{
	struct world w = live(white, DAY - HOUR);

	(void)state;
	for (uint32_t i = 0; i < 30; i++)
		take(&w, DAY - HOUR + i, 1000);
	assert_int_equal(w.events, 0);
}

static void a_series_costs_about_a_kibibyte(void **state)
{
	(void)state;
	assert_true(sizeof(struct baseline) <= 1040);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_life_is_no_anomaly),
		cmocka_unit_test(a_nightly_job_is_known_from_the_second_night_on),
		cmocka_unit_test(the_working_week_is_known_from_the_second_week_on),
		cmocka_unit_test(a_new_level_is_told_in_half_a_minute),
		cmocka_unit_test(it_ends_when_the_level_is_back),
		cmocka_unit_test(the_first_day_is_for_learning),
		cmocka_unit_test(a_series_costs_about_a_kibibyte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
