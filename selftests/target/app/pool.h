/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/err.h"

/* Connections to PostgreSQL that nobody waits for: each query is answered from the event loop, within its
 * time, whatever becomes of the server. A lost server is tried again by itself. */

#define POOL_CONNECTIONS_MAX 32
#define POOL_QUEUE_MAX       128 /* queries that wait for a connection */
#define POOL_PARAMS_MAX      8

struct pool_config {
	const char *host, *name, *user,
		*password; /* the host is an address or a directory: no resolver */
	uint16_t port;
	unsigned connections_max;
	uint32_t connect_timeout_ms, wait_timeout_ms, query_timeout_ms;
};

struct pool_query {
	const char *sql; /* lives for ever */
	unsigned n_params;
	const char *params[POOL_PARAMS_MAX]; /* copied; NULL is NULL */
};

/* code: 0 with the result; -EIO with the result, whose SQLSTATE says why; without a result -ENOTCONN
 * (the server was lost or cannot be reached), -ETIMEDOUT, -ECANCELED. cause: for a log. */
typedef void pool_done_fn(int code, const PGresult *res, const char *cause, void *userdata);

struct pool_state {
	unsigned connections, busy, queued; /* connections: that are open */
	uint64_t lost, failed_connects, timeouts, refused;
};

struct pool;

int pool_new(sd_event *event, const struct pool_config *config, struct pool **ret,
	     struct err *reterr) _warn_unused_;

/* What still waits is told -ECANCELED. */
struct pool *pool_free(struct pool *p);

/* done is called once, later and from the loop, if this returns 0.
 * Returns 0; -ENOTCONN while the server cannot be reached; -EBUSY with the queue full; -ENOMEM. */
int pool_run(struct pool *p, const struct pool_query *q, pool_done_fn *done, void *userdata,
	     struct err *reterr) _warn_unused_;

void pool_read_state(const struct pool *p, struct pool_state *ret);
