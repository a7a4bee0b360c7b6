/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "model/message.h"

/* The last value and the 10 s aggregate of every signal of every entity. */

#define ROLLUP_SERIES_MAX  3072 /* 64 services with all their signals, and the host */
#define ROLLUP_INDEX_SIZE  8192 /* a power of two over twice that */
#define ROLLUP_INTERVAL_NS (10 * NS_PER_S)
#define ROLLUP_RECENT_S    60               /* seconds of which each is remembered */
#define ROLLUP_IDLE_NS     (600 * NS_PER_S) /* a series without a value for so long is forgotten */

struct series {
	struct rollup rollup; /* .n 0: nothing came since the last flush */
	enum source source;
	uint64_t t_ns; /* of the last value */
	float recent
		[ROLLUP_RECENT_S]; /* the last value of each second, at its number modulo the size;
					* NAN: there was none */
};

/* The value of a second (t_ns / NS_PER_S) of the last ROLLUP_RECENT_S. Returns false: there was none. */
bool series_value_at(const struct series *s, uint64_t second, double *ret);

struct rollup_table {
	uint32_t n;
	uint64_t n_refused; /* samples of a new series that found the table full */
	struct series *v;   /* dense, so that memory is touched only where used */
	uint16_t *index;    /* hash to 1 + place in v; 0: free */
};

int rollup_init(struct rollup_table *t, struct err *reterr) _warn_unused_;
void rollup_done(struct rollup_table *t);
void rollup_add(struct rollup_table *t, const struct sample *s, uint64_t wall_us);

/* Hands all that came since the last time to send(), at most FRAME_ROLLUPS_MAX at once, starts anew, and
 * forgets series that have been idle. */
void rollup_flush(struct rollup_table *t, uint64_t now_ns,
		  void (*send)(void *userdata, const struct rollups *batch), void *userdata);
