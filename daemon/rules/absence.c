/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "ops/rule.h"

static uint64_t silent_ns(const struct rule_window *window, uint64_t now_ns)
{
	uint64_t last_ns = window->n > 0 ? window->points[window->n - 1].t_ns : now_ns;

	return now_ns > last_ns ? now_ns - last_ns : 0;
}

static bool absence_eval(const struct alert *alert, const struct rule_window *window, double bound,
			 bool firing, uint64_t now_ns)
{
	(void)bound;
	(void)firing;
	return silent_ns(window, now_ns) >= alert->over_ns;
}

static double absence_figure(const struct alert *alert, const struct rule_window *window,
			     double bound, uint64_t now_ns)
{
	(void)alert;
	(void)bound;
	return (double)(silent_ns(window, now_ns) / NS_PER_S);
}

/* What was never seen is not missed: a window begins with the first value. */
const struct rule_ops rule_absence = {
	.name = "absence",
	.summary = "fires when no value has come for a time",
	.source = "Prometheus, absent_over_time(); Nagios, freshness_threshold",
	.block = RULE_BLOCK_NONE,
	.timed = true,
	.eval = absence_eval,
	.figure = absence_figure,
};
