/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/rule.h"

/* The short window, which ends the alert soon after the trouble: a twelfth of the long one.
 * Source: The Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts". */
#define SHORT_SHARE 12

static double measure_bad(const struct alert *alert, double bound, double value)
{
	return rule_is_bad(alert, value, bound) ? 1 : 0;
}

/* How many times too fast the budget burns, over the last span. What was not measured was good: an agent
 * that has just started knows of no outage. */
static double burn(const struct alert *alert, const struct rule_window *window, uint64_t span_ns,
		   uint64_t now_ns)
{
	double blocks = 60.0 * (double)span_ns / (double)alert->over_ns, bad = 0;

	for (uint32_t i = 0; i < window->n; i++)
		if (window->points[i].t_ns + span_ns > now_ns)
			bad += window->points[i].value;
	return bad / blocks / (1 - alert->objective);
}

static bool burn_rate_eval(const struct alert *alert, const struct rule_window *window,
			   double bound, bool firing, uint64_t now_ns)
{
	(void)bound;
	(void)firing;
	return burn(alert, window, alert->over_ns, now_ns) > alert->burn &&
	       burn(alert, window, alert->over_ns / SHORT_SHARE, now_ns) > alert->burn;
}

static double burn_rate_figure(const struct alert *alert, const struct rule_window *window,
			       double bound, uint64_t now_ns)
{
	(void)bound;
	return burn(alert, window, alert->over_ns, now_ns);
}

const struct rule_ops rule_burn_rate = {
	.name = "burn_rate",
	.summary = "fires when an error budget is used up too fast, over a long time and still",
	.source = "The Site Reliability Workbook, chapter 5, table 5-8",
	.block = RULE_BLOCK_MEAN,
	.blocks = 60,
	.looks_back = true,
	.measure = measure_bad,
	.eval = burn_rate_eval,
	.figure = burn_rate_figure,
};
