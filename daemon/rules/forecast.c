/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "base/clock.h"
#include "base/median.h"
#include "ops/rule.h"

#define POINTS_MAX 60
#define SLOPES_MAX (POINTS_MAX * (POINTS_MAX - 1) / 2)

/* Half of 'over' must have been seen. Ours: the estimate stands when 29 % of the points lie, so that a
 * temporary file of a sixth of the time must find enough others. */
#define POINTS_MIN 30

/* It must still grow: the last quarter alone says about the same. Source: oomd, pressure_rising_beyond, a
 * long look and a short one. */
#define RECENT_POINTS 15

/* It clears when this many times the time is left. Source: netdata, disks.conf, out_of_disk_space_time:
 * warns under 8 h and clears over 48 h; ours is nearer, as the slope is robust already. */
#define CLEAR_RATIO 2

static double hours(uint64_t t_ns)
{
	return (double)t_ns / (3600.0 * (double)NS_PER_S);
}

/* Theil and Sen: the median of the slopes between all pairs, per hour. Source: Sen, JASA 63(324), 1968. */
static double robust_slope(const struct rule_point *p, uint32_t n)
{
	double slopes[SLOPES_MAX];
	size_t k = 0;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = i + 1; j < n; j++)
			if (p[j].t_ns > p[i].t_ns)
				slopes[k++] = (p[j].value - p[i].value) /
					      hours(p[j].t_ns - p[i].t_ns);
	return median_of(slopes, k);
}

/* Hours until the value is at the bound at this slope; infinite where it goes the other way. */
static double hours_left(const struct alert *alert, double value, double bound, double slope)
{
	double way = bound - value;

	if (rule_is_bad(alert, value, bound) || way == 0)
		return 0;
	return way / slope > 0 ? way / slope : INFINITY;
}

static double forecast_figure(const struct alert *alert, const struct rule_window *window,
			      double bound, uint64_t now_ns)
{
	uint32_t n = window->n < POINTS_MAX ? window->n : POINTS_MAX;
	const struct rule_point *p = window->points + (window->n - n);
	uint32_t recent = n < RECENT_POINTS ? n : RECENT_POINTS;
	double all, late;

	(void)now_ns;
	if (n < POINTS_MIN)
		return INFINITY;
	all = hours_left(alert, p[n - 1].value, bound, robust_slope(p, n));
	late = hours_left(alert, p[n - 1].value, bound, robust_slope(p + n - recent, recent));
	return all > late ? all : late;
}

static bool forecast_eval(const struct alert *alert, const struct rule_window *window, double bound,
			  bool firing, uint64_t now_ns)
{
	double within = hours(alert->within_ns) * (firing ? CLEAR_RATIO : 1);

	if (window->n == 0 || !rule_is_bad(alert, window->points[window->n - 1].value, alert->from))
		return false;
	return forecast_figure(alert, window, bound, now_ns) < within;
}

const struct rule_ops rule_forecast = {
	.name = "forecast",
	.summary =
		"fires when a value will reach a bound within a time, at the rate of the last hours",
	.source = "Sen 1968 (slope); node-mixin, NodeFilesystemSpaceFillingUp (slope and level)",
	.block = RULE_BLOCK_LAST,
	.blocks = POINTS_MAX,
	.looks_back = true,
	.eval = forecast_eval,
	.figure = forecast_figure,
};
