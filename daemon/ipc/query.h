/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ipc/http.h"
#include "model/entity.h"

/* What stands behind the '?' of a request. Each returns -EINVAL, which is 400, with the parameter's name. */

/* Refuses a parameter that is none of known[] (ends with NULL): a misspelt filter would filter nothing.
 * Returns 0; -EINVAL. */
int query_check(const struct http_request *rq, const char *const known[],
		struct err *reterr) _warn_unused_;

struct query_range {
	const char *name;
	uint64_t min, max;
};

/* A number. Returns 0, *ret unchanged where it is not given; -EINVAL. */
int query_u64(const struct http_request *rq, const struct query_range *range, uint64_t *ret,
	      struct err *reterr) _warn_unused_;

/* Which incidents: since_usec, until_usec, limit, unit or entity, state. */
struct query_incidents {
	uint64_t since_us, until_us; /* 0: all */
	uint64_t rows_max;
	struct entity entity;
	bool has_entity;
	int state; /* enum incident_state; -1: all */
};

/* Fills *ret, whose rows_max is the default before; at most limit_max rows. Returns 0; -EINVAL. */
int query_incidents_parse(const struct http_request *rq, uint64_t limit_max,
			  struct query_incidents *ret, struct err *reterr) _warn_unused_;

/* "unit=NAME" or "entity=KIND:NAME". Returns 1; 0 where neither is given; -EINVAL. */
int query_entity(const struct http_request *rq, struct entity *ret,
		 struct err *reterr) _warn_unused_;
