/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "base/clock.h"
#include "base/sealed.h"
#include "base/str.h"

/* What callers asked for under a key of their own ("Idempotency-Key:"), so that asking again does nothing
 * again. Kept in PATH_EXEC_DIR/idempotency: it outlives the process. Pure, but for what store.h does. */

#define IDEMPOTENCY_ROWS_MAX 512 /* when all are live, a request with a new key is refused */
#define IDEMPOTENCY_KEY_MAX  128 /* characters */
#define IDEMPOTENCY_SPAN_NS  (24 * 3600 * NS_PER_S)

struct idempotency_row {
	char asked[SHA256_HEX_MAX];   /* who and by which key */
	char request[SHA256_HEX_MAX]; /* for what */
	char attempt[STR_HEX128_MAX];
	uint32_t is_done; /* boolean: the attempt is, or was, on record */
	uint64_t t_ns;    /* CLOCK_BOOTTIME */
};

struct idempotency {
	struct sealed_head head;
	char boot_id[STR_HEX128_MAX]; /* CLOCK_BOOTTIME means nothing in another boot */
	uint32_t n;
	struct idempotency_row v[IDEMPOTENCY_ROWS_MAX];
};

/* One request with a key. */
struct idempotency_ask {
	char asked[SHA256_HEX_MAX], request[SHA256_HEX_MAX];
};

/* who: each has keys of their own; request: all that makes it the same one. Returns 0; -EINVAL: no such key; -ENOMEM. */
int idempotency_ask(const char *who, const char *key, const char *request,
		    struct idempotency_ask *ret, struct err *reterr) _warn_unused_;

/* The row of an earlier request with this key. Returns 1; 0: there is none; -EEXIST: it was for something
 * else. */
int idempotency_find(struct idempotency *t, const struct idempotency_ask *ask, uint64_t now_ns,
		     struct idempotency_row **ret, struct err *reterr) _warn_unused_;

/* Adds one. Returns 0; -EBUSY: full. */
int idempotency_add(struct idempotency *t, const struct idempotency_ask *ask, const char *attempt,
		    uint64_t now_ns, struct idempotency_row **ret,
		    struct err *reterr) _warn_unused_;
void idempotency_remove(struct idempotency *t, struct idempotency_row *row);
