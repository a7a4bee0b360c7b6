/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ops/inspector.h"

/* The inspections under way, here and at other processes: each ends once, by its answer or by its
 * deadline. */

#define INSPECTIONS_MAX 64
/* The inspector's own, and what the way to another process may take. */
#define INSPECTION_DEADLINE_NS (INSPECTOR_DEADLINE_NS + NS_PER_S / 2)

struct inspection {
	uint64_t id; /* 0: free */
	uint64_t deadline_ns;
	uint32_t n_items;
	bool is_own; /* answered in this process */
};

struct inspections {
	struct inspection v[INSPECTIONS_MAX];
};

/* Returns 0; -EBUSY when there are too many. */
int inspections_begin(struct inspections *all, uint64_t id, bool is_own,
		      uint64_t now_ns) _warn_unused_;
/* True if it is under way and nobody else was asked: an answer from outside is a lie. */
bool inspections_is_own(const struct inspections *all, uint64_t id);
/* True if one more item of this inspection may be taken: it is under way and has not had too many. */
bool inspections_take_item(struct inspections *all, uint64_t id);
/* True if it was under way. */
bool inspections_end(struct inspections *all, uint64_t id);
/* The id of one that is overdue, now ended; 0: none. */
uint64_t inspections_expire(struct inspections *all, uint64_t now_ns);
/* When the next one is due; CLOCK_NEVER_NS. */
uint64_t inspections_next_ns(const struct inspections *all);
