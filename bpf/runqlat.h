/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/* Slot 0: up to 1 us; slot k: over 2^(k-1) up to 2^k us; the last one has no upper
 * bound. A power of two: a mask keeps an index inside. */
#define RUNQLAT_SLOTS     32
#define RUNQLAT_UNITS_MAX 256 /* cgroups counted by themselves; all else is "other" */

struct runqlat_hist {
	__u32 slots[RUNQLAT_SLOTS];
};
