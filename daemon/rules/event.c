/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "ops/rule.h"

/* An event has no end of its own. The alert holds this long after the last one, so that a burst is told
 * once and what belongs to it (the unit's failure, the endpoint going down) finds the same incident. */
#define EVENT_HOLD_NS (10 * NS_PER_S)

static bool event_eval(const struct alert *alert, const struct rule_window *window, double bound,
		       bool firing, uint64_t now_ns)
{
	(void)firing;
	for (uint32_t i = window->n; i > 0; i--) {
		const struct rule_point *p = &window->points[i - 1];

		if (alert->below ? p->value >= bound : p->value <= bound)
			continue;
		return now_ns < p->t_ns || now_ns - p->t_ns < EVENT_HOLD_NS;
	}
	return false;
}

const struct rule_ops rule_event = {
	.name = "event",
	.summary = "fires when something happened and holds for 10 s after the last time",
	.source = "ours; the hold is the keep_firing_for of Prometheus' alerting rules",
	.eval = event_eval,
};
