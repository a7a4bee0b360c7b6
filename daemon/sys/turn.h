/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "base/clock.h"

/* What one piece of work may take of a turn of the event loop before all others have had theirs. A step is a
 * file or two of a pseudo file system: some 20 us, so that the steps alone hold the 10 ms of the loop; the
 * span is for a host where they are slower. Ours. */
#define TURN_STEPS_MAX 64
#define TURN_SPAN_NS   (2 * NS_PER_MS)

/* The pause of who wants the next turn: as short as it can be said. */
#define TURN_AGAIN_NS NS_PER_US

struct turn {
	uint64_t end_ns;
	unsigned n_steps;
};

static inline struct turn turn_begin(void)
{
	return (struct turn){ .end_ns = clock_boot_ns() + TURN_SPAN_NS };
}

/* Counts one step. Returns false when it was the last one of this turn. */
static inline bool turn_goes_on(struct turn *t)
{
	return ++t->n_steps < TURN_STEPS_MAX && clock_boot_ns() < t->end_ns;
}
