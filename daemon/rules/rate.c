/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/rule.h"

/* How much the counter grew within 'over'. After a reset it has grown from 0. */
static double rate_figure(const struct alert *alert, const struct rule_window *window, double bound,
			  uint64_t now_ns)
{
	uint64_t from_ns = now_ns > alert->over_ns ? now_ns - alert->over_ns : 0;
	double grown = 0;

	(void)bound;
	for (uint32_t i = 1; i < window->n; i++) {
		const struct rule_point *p = &window->points[i];

		if (p->t_ns > from_ns)
			grown += p->value >= p[-1].value ? p->value - p[-1].value : p->value;
	}
	return grown;
}

/* To say that it grew too little takes the whole time. */
static bool has_seen_enough(const struct alert *alert, const struct rule_window *window,
			    uint64_t now_ns)
{
	return !alert->below ||
	       (window->n > 0 && window->points[0].t_ns + alert->over_ns <= now_ns);
}

static bool rate_eval(const struct alert *alert, const struct rule_window *window, double bound,
		      bool firing, uint64_t now_ns)
{
	double grown = rate_figure(alert, window, bound, now_ns);

	return has_seen_enough(alert, window, now_ns) &&
	       rule_is_bad(alert, grown, firing ? bound * alert->clear_ratio : bound);
}

const struct rule_ops rule_rate = {
	.name = "rate",
	.summary = "fires when a counter grew by more (or less) than a bound within a time",
	.source = "Prometheus, increase(): a counter that falls was reset and counts from 0",
	.block = RULE_BLOCK_LAST,
	.looks_back = true,
	.eval = rate_eval,
	.figure = rate_figure,
};
