/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/* Slot 0: up to 1 us; slot k: over 2^(k-1) up to 2^k us; the last one has no upper
 * bound. A power of two: a mask keeps an index inside. */
#define LATENCY_SLOTS     32
#define LATENCY_UNITS_MAX 64 /* cgroups counted by themselves; all else is "other" */

struct latency_hist {
	__u32 slots[LATENCY_SLOTS];
};

/* What took time, all of it together, and what of it failed. */
struct latency_counts {
	struct latency_hist hist;
	__u32 total_us, errors;
};

#define LATENCY_COST_SHARE 128 /* one run in so many is measured; a power of two */
