/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/alert.h"
#include "model/sample.h"

/* A detection algorithm: pure, over the last samples of one signal of one entity. */

struct rule_point {
	uint64_t t_ns;
	double value;
};

/* The window the engine keeps for one (alert, entity), oldest first. */
struct rule_window {
	uint32_t n;
	struct rule_point points[ALERT_WINDOW_MAX];
};

struct rule_ops {
	const char *name;
	const char *summary;
	const char *source;
	/* firing: the alert's present state; bound: the alert's threshold resolved for this entity.
	 * Returns 1 to fire (or go on firing), 0 for clear. */
	bool (*eval)(const struct alert *alert, const struct rule_window *window, double bound,
		     bool firing, uint64_t now_ns);
};

extern const struct rule_ops *const rule_registry[]; /* generated; ends with NULL */
const struct rule_ops *rule_find(const char *name);
