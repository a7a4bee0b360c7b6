/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "model/alert.h"

/* The key `tests` of an alert's file:
 *
 *   tests:
 *     - name: three bad answers of five
 *       of: endpoint:web           # default: something of the signal's kind
 *       every: 500ms               # between two values, default 1s
 *       values: "1x10 0x3 1x10"    # see below
 *       until: 20s                 # default: the end of the values
 *       fires: 6s                  # a time or a list; absent: never
 *       clears: 8s
 *
 * A value is V or VxN (N times), V+SxN (N values, each S more than the one before; V-SxN less), V~DxN (N
 * values of at most D beside V, the same each time), _ or _xN (none). (...)xN repeats. The first is at 0,
 * on a Monday at 00:00 UTC. */

#define ALERT_TESTS_MAX       16
#define ALERT_TEST_VALUES_MAX 1000000
#define ALERT_TEST_EVENTS_MAX 16
#define ALERT_TEST_TEXT_MAX   1024

struct alert_test {
	char name[160];
	struct entity entity;
	uint64_t every_ns, until_ns;
	uint64_t fires_ns[ALERT_TEST_EVENTS_MAX], clears_ns[ALERT_TEST_EVENTS_MAX];
	uint32_t n_fires, n_clears;
	char values[ALERT_TEST_TEXT_MAX];
	uint32_t n_values;
};

struct alert_tests {
	uint32_t n;
	struct alert_test v[ALERT_TESTS_MAX];
};

/* Reads the tests of an alert's file; none is no error. Returns 0; -EINVAL, -EBADMSG, -E2BIG with
 * FILE:LINE:COLUMN. */
int alert_tests_parse(const char *file_name, const char *text, size_t length,
		      struct alert_tests *ret, struct err *reterr) _warn_unused_;

/* Writes the values, NAN for none, to ret[0..max-1]; ret may be NULL to count them only. Returns how many
 * there are; -EINVAL with where the text is wrong; -E2BIG for more than max. */
ssize_t alert_test_expand(const char *values, double *ret, size_t max,
			  struct err *reterr) _warn_unused_;
