/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sys/pg.h"
#include "sys/spool.h"

/* Sends one host's spool to the fleet's database: each row once, whatever breaks when. How far a segment is
 * stands in the database, in the transaction that took its rows; here nothing is remembered. May block. */

#define SHIP_CHUNK_BYTES (256 * 1024)    /* of one transaction */
#define SHIP_ANSWER_NS   (10 * NS_PER_S) /* a server that says nothing for so long is away */

struct ship_stats {
	uint64_t rows, transactions, bytes;
	uint64_t refused_rows; /* that the database would not take, or that were no rows */
};

struct ship {
	int spool_fd;
	char host[256];
	const char *dsn; /* borrowed; a secret */
	PGconn *conn;    /* NULL: not connected */
	int host_id;
	uint64_t partitions_ns; /* when they were made last; 0: not yet */
	struct ship_stats stats;
};

/* Opens the spool, makes it where there is none. Returns 0; -errno. */
int ship_init(struct ship *s, const char *spool_dir, const char *host, const char *dsn,
	      struct err *reterr) _warn_unused_;
void ship_done(struct ship *s);

/* Sends all there is, audit first, then records, then telemetry; connects where that is needed. Returns
 * rows sent; -errno: the connection is given up, and called again it goes on where it was. */
int ship_run(struct ship *s, struct err *reterr) _warn_unused_;
void ship_disconnect(struct ship *s);
