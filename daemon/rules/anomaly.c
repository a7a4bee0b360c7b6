/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "ops/rule.h"

/* It goes on until the distance is half of what it took. Ours: hysteresis. */
#define CLEAR_RATIO 0.5

static bool is_unlike(const struct alert *alert, const struct rule_window *window, double bound,
		      double value, bool firing)
{
	double z = alert->z * (firing ? CLEAR_RATIO : 1);

	return rule_is_bad(alert, value, bound) &&
	       baseline_z(window->baseline, alert->below, value) >= z;
}

/* Firing wants the last 'for' blocks unlike, clearing wants the last 'clear_for' like the rest. */
static bool anomaly_eval(const struct alert *alert, const struct rule_window *window, double bound,
			 bool firing, uint64_t now_ns)
{
	uint32_t wanted = firing ? alert->clear_n : alert->m, unlike = 0;

	(void)now_ns;
	if (!window->baseline || !baseline_is_ready(window->baseline) || window->n < wanted)
		return firing;
	for (uint32_t i = window->n - wanted; i < window->n; i++)
		unlike += is_unlike(alert, window, bound, window->points[i].value, firing);
	if (firing)
		return unlike > 0;
	return unlike == wanted && !baseline_is_ordinary(window->baseline, alert->below,
							 window->points[window->n - 1].value);
}

static double anomaly_figure(const struct alert *alert, const struct rule_window *window,
			     double bound, uint64_t now_ns)
{
	(void)alert;
	(void)bound;
	(void)now_ns;
	return window->n > 0 ? window->points[window->n - 1].value : 0;
}

const struct rule_ops rule_anomaly = {
	.name = "anomaly",
	.summary = "fires when a value is unlike its last 6 hours, and this hour of the week",
	.source =
		"median and MAD with persistence; simulated on seven kinds of series, see its test",
	.block = RULE_BLOCK_MEAN,
	.block_ns = 10 * NS_PER_S,
	.baseline = true,
	.looks_back = true,
	.eval = anomaly_eval,
	.figure = anomaly_figure,
};
