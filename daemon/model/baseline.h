/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What a series is usually like: its level over the last 6 hours, and how far it went in each hour of
 * the week. About 1 KiB a series; kept only where an alert asks for it.
 *
 * Hours are of UTC. That clocks are set forward and back does no harm, as the hours beside count, too. */

#define BASELINE_RECENT_MAX  72                           /* one of 5 min for 6 h */
#define BASELINE_RECENT_NS   (UINT64_C(300) * 1000000000) /* netdata trains on 6 h, too */
#define BASELINE_HOURS_MAX   168                          /* hours of a week */
#define BASELINE_PERSIST_MAX 3                            /* blocks that make a level */
#define BASELINE_LEARN_HOURS 24                           /* a day and night must have been seen */

struct baseline {
	float recent[BASELINE_RECENT_MAX];
	uint32_t n_recent, n_hours; /* ever seen; hours begun */
	uint64_t recent_due_ns;
	float median, spread;           /* of recent */
	float peak[BASELINE_HOURS_MAX]; /* the farthest level held for 3 blocks; NAN: none */
	float last_week;                /* what peak of the present hour was before */
	float persist[BASELINE_PERSIST_MAX];
	uint32_t n_persist;
	int32_t hour; /* of the week, -1 before the first value */
};

void baseline_init(struct baseline *b);

/* Takes the value of one block. below: the side that is watched. */
void baseline_learn(struct baseline *b, bool below, double value, uint64_t now_ns,
		    uint64_t wall_us);

/* Has it seen enough to say what is unusual? */
bool baseline_is_ready(const struct baseline *b);

/* Distance from the median of the last 6 hours in robust standard deviations, positive on the side that
 * is watched. A series that stands still has a spread of 1 % of its level all the same. */
double baseline_z(const struct baseline *b, bool below, double value);

/* Did it go about as far at this time yesterday or a week ago (or an hour beside), or in two or more of
 * the last 24 hours? Then it is a job that runs at its time. */
bool baseline_is_ordinary(const struct baseline *b, bool below, double value);
