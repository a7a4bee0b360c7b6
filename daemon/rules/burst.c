/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/median.h"
#include "ops/rule.h"

/* Half of 'over' must have been seen before anything can be unlike it. */
#define HISTORY_MIN 30

/* More than noise: this many robust standard deviations over the median. Source: our simulation of seven
 * days of series of seven kinds: at 6 no false event, at 4 some. */
#define SPREADS_MIN 6

static bool is_burst(const struct alert *alert, double value, double bound, double median,
		     double spread)
{
	return value > bound && value > alert->factor * median &&
	       value > median + SPREADS_MIN * spread;
}

static bool is_unlike(const struct alert *alert, const struct rule_window *window, double bound,
		      uint32_t first)
{
	double v[RULE_BLOCKS_MAX], median, spread;

	for (uint32_t i = 0; i < first; i++)
		v[i] = window->points[i].value;
	median = median_of(v, first);
	spread = median_spread(v, first, median);
	for (uint32_t i = first; i < window->n; i++)
		if (!is_burst(alert, window->points[i].value, bound, median, spread))
			return false;
	return true;
}

static bool burst_eval(const struct alert *alert, const struct rule_window *window, double bound,
		       bool firing, uint64_t now_ns)
{
	uint32_t wanted = firing ? alert->clear_n : alert->m, n = window->n;

	(void)now_ns;
	if (n < HISTORY_MIN + wanted || n > RULE_BLOCKS_MAX)
		return false;
	if (!firing)
		return is_unlike(alert, window, bound, n - alert->m) &&
		       !baseline_is_ordinary(window->baseline, false, window->points[n - 1].value);
	/* It goes on until that many blocks in a row are under its floor or like the rest. */
	for (uint32_t i = 0; i < wanted; i++) {
		struct rule_window until = { .n = n - i, .points = window->points };

		if (is_unlike(alert, &until, bound * alert->clear_ratio, n - i - 1))
			return true;
	}
	return false;
}

const struct rule_ops rule_burst = {
	.name = "burst",
	.summary = "fires when something happens many times more often than it did before",
	.source = "netdata, tcp_resets.conf: over 10 times the rate of before, and over a floor",
	.block = RULE_BLOCK_RATE,
	.baseline = true,
	.timed = true,
	.eval = burst_eval,
};
