/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/rule.h"

static bool has_m_of_n_bad(const struct alert *alert, const struct rule_window *window,
			   double bound)
{
	uint32_t first = window->n > alert->n ? window->n - alert->n : 0, bad = 0;

	for (uint32_t i = first; i < window->n; i++)
		bad += rule_is_bad(alert, window->points[i].value, bound);
	return bad >= alert->m;
}

/* Hysteresis in value (clear_ratio) and in time (clear_n): a value that swings around the bound neither
 * clears nor fires again. */
static bool has_recovered(const struct alert *alert, const struct rule_window *window, double bound)
{
	double clear_bound = bound * alert->clear_ratio;

	if (window->n < alert->clear_n)
		return false;
	for (uint32_t i = window->n - alert->clear_n; i < window->n; i++)
		if (rule_is_bad(alert, window->points[i].value, clear_bound))
			return false;
	return true;
}

static bool threshold_eval(const struct alert *alert, const struct rule_window *window,
			   double bound, bool firing, uint64_t now_ns)
{
	(void)now_ns;
	return firing ? !has_recovered(alert, window, bound) : has_m_of_n_bad(alert, window, bound);
}

const struct rule_ops rule_threshold = {
	.name = "threshold",
	.summary = "fires when M of the last N values are over (or under) a bound",
	.source = "monit(1), FAULT TOLERANCE; netdata, health reference, hysteresis",
	.eval = threshold_eval,
};
