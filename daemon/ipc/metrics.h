/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ipc/query.h"
#include "model/sample.h"

/* GET /v1/metrics/query: one question and one shape of answer for the last minute, which the agent has in
 * memory, and for all before, which the recorder has on the disk. */

#define METRICS_STARS_MAX 3 /* of a pattern: each may multiply the work of matching */

struct query_metrics {
	uint64_t since_us, until_us; /* 0: not given */
	uint64_t step_s;             /* 0: not given */
	uint64_t rows_max;
	const char *signal; /* a name, or a pattern with '*'; NULL: all */
	struct entity entity;
	bool has_entity;
};

/* Fills *ret, whose rows_max is the default and the most before. Returns 0; -EINVAL. */
int query_metrics_parse(const struct http_request *rq, struct query_metrics *ret,
			struct err *reterr) _warn_unused_;

/* Is the name what the pattern says? '*' stands for any characters. */
bool metrics_match(const char *pattern, const char *name);

/* {"step_s": N, "series": [{"signal", "entity", "points": [[time_usec, mean, min, max], ...]}], "more": B} */
struct metrics_answer {
	struct json_object *root, *series, *points;
	char signal[SIGNAL_NAME_MAX];
	struct entity entity;
	int r;
};

struct metrics_point {
	uint64_t wall_us;
	double mean, min, max;
};

void metrics_begin(struct metrics_answer *a, uint64_t step_s);
/* Points of a series come one after another. Failures are kept for metrics_end(). */
void metrics_add(struct metrics_answer *a, const char *signal, const struct entity *entity,
		 const struct metrics_point *p);
/* Hands over the answer. Returns 0; -ENOMEM. Frees what it does not hand over. */
int metrics_end(struct metrics_answer *a, bool more, struct json_object **ret) _warn_unused_;
