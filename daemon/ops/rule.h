/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/alert.h"
#include "model/baseline.h"
#include "model/sample.h"

/* A detection algorithm: pure, over what was measured of one signal of one entity. */

/* What a point of the window is. A long look back would not fit as single values, so that they are put
 * together, block by block; a block is a sixtieth of the alert's 'over' unless the rule says another. */
enum rule_block {
	RULE_BLOCK_NONE, /* each value as it comes: the last 'of' or 'clear_for' */
	RULE_BLOCK_LAST, /* the last value of each block */
	RULE_BLOCK_MEAN, /* their mean; blocks without values are left out */
	RULE_BLOCK_RATE, /* of an event: how many a second, 0 where there was none; else their mean */
};

#define RULE_BLOCKS_MAX 61 /* of 'over', and the one before it, to see what changed since */

struct rule_point {
	uint64_t t_ns; /* of a block: its end */
	double value;
};

/* What the engine keeps for one (alert, entity), oldest first. */
struct rule_window {
	uint32_t n;
	const struct rule_point *points;
	const struct baseline *baseline; /* where the rule wants one */
};

struct rule_ops {
	const char *name;
	const char *summary;
	const char *source;
	enum rule_block block;
	uint64_t block_ns; /* 0: a sixtieth of 'over', but at least a second */
	uint32_t blocks;   /* kept; 0: RULE_BLOCKS_MAX */
	bool baseline;     /* keep one, and have it learn each block */
	bool timed;        /* looked at each second, also when no value comes */
	/* It speaks of minutes or hours that are over, so that a repair cannot end it: what was repaired
	 * is not judged by it, nor is it told a second time. */
	bool looks_back;
	/* What a value counts as before it goes into its block; NULL: itself. */
	double (*measure)(const struct alert *alert, double bound, double value);
	/* firing: the alert's present state; bound: the alert's threshold resolved for this entity.
	 * Returns 1 to fire (or go on firing), 0 for clear. */
	bool (*eval)(const struct alert *alert, const struct rule_window *window, double bound,
		     bool firing, uint64_t now_ns);
	/* What {value} of the alert's text stands for; NULL: the last point. */
	double (*figure)(const struct alert *alert, const struct rule_window *window, double bound,
			 uint64_t now_ns);
};

/* A value equal to the bound is on the good side, whichever way the alert looks. */
static inline bool rule_is_bad(const struct alert *alert, double value, double bound)
{
	return alert->below ? value < bound : value > bound;
}

extern const struct rule_ops *const rule_registry[]; /* generated; ends with NULL */
const struct rule_ops *rule_find(const char *name);
