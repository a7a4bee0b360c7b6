/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libpq-fe.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

/* PostgreSQL for programs that may block (steps), with an end to each call: over the server's Unix socket, as
 * one role, in one database. Nothing of the environment or of anybody's files counts.
 * Source: PostgreSQL manual, chapter "libpq". */

DEFINE_CLEANUP(PGresult *, PQclear);
#define _cleanup_result_ _cleanup_(PQclearp)
static inline void pg_closep(PGconn **conn)
{
	if (*conn)
		PQfinish(*conn);
}

struct pg_address {
	const char *socket_dir;
	uint32_t port;
	const char *database, *role;
	int credentials_fd;     /* of sys/credential.h */
	const char *credential; /* the role's password; "": the server knows us by our user */
};

/* Connects. lock_wait_ms bounds the wait for each lock; deadline_ns (CLOCK_BOOTTIME) bounds connecting and, told to
 * the server too, each statement. Returns 0; -EACCES: the server refuses us; -ENOTCONN: there is none,
 * or it is starting or stopping; -ETIMEDOUT: it does not answer; -errno of credential_read(). */
int pg_connect(const struct pg_address *a, uint32_t lock_wait_ms, uint64_t deadline_ns,
	       PGconn **ret, struct err *reterr) _warn_unused_;

/* Connects as a connection string says, over the network, too; nothing of the environment's passwords counts.
 * Resolving a name may take longer than deadline_ns. Returns as pg_connect(). */
int pg_connect_dsn(const char *dsn, uint64_t deadline_ns, PGconn **ret,
		   struct err *reterr) _warn_unused_;

/* Runs one statement; texts: its parameters $1 to $n, NULL-terminated, or NULL. Returns 0 with the
 * result, which has rows only where the statement gives some; -ETIMEDOUT: no answer by deadline_ns, and
 * the connection is of no more use; else as pg_fail(). */
int pg_ask(PGconn *conn, const char *sql, const char *const *texts, uint64_t deadline_ns,
	   PGresult **ret, struct err *reterr) _warn_unused_;

/* Runs a COPY ... FROM STDIN with these bytes. Returns as pg_ask(); -EBADMSG: data that is none. */
int pg_copy(PGconn *conn, const char *sql, const char *data, size_t length, uint64_t deadline_ns,
	    struct err *reterr) _warn_unused_;

/* What the server says in one line, cleaned. Returns -EBUSY: a lock was not had; -ETIMEDOUT; -EACCES; -ENOSPC;
 * -EROFS; -ENOENT: no such database, role or table; -EBADMSG: data that is none; -ENOTCONN: the server was
 * lost; -EIO. */
int pg_fail(PGconn *conn, const PGresult *res, struct err *reterr);
