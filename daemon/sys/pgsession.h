/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "model/service.h"
#include "sys/pg.h"

/* Sessions of a managed database, and the two ways to end what they do. A pid alone names nobody: the server
 * gives it to the next one. Source: PostgreSQL manual, pg_stat_activity, "Server Signaling Functions". */

enum pg_role {
	PG_ROLE_OPERATOR, /* looks at sessions and ends them, nothing else */
	PG_ROLE_OWNER,
};

/* Connects to the database of a service in services.d as one of its roles. Returns 0; -ENOENT: no such
 * service; -EOPNOTSUPP: it is no database, or has no such role; -errno of pg_connect(). */
int pg_connect_service(const struct services *services, const char *service, enum pg_role role,
		       int credentials_fd, uint64_t deadline_ns, PGconn **ret,
		       struct err *reterr) _warn_unused_;

/* The same, of a database whose settings are at hand, as from an undo record. */
int pg_connect_database(const struct database *d, enum pg_role role, int credentials_fd,
			uint64_t deadline_ns, PGconn **ret, struct err *reterr) _warn_unused_;

/* What it was when it was chosen. */
struct pg_session {
	uint32_t pid;
	uint64_t backend_start_us; /* since the epoch */
	uint64_t query_start_us;   /* of the query it runs, or of its last; 0: it has run none */
	bool is_active;
	bool is_client;     /* not a background worker, an autovacuum, a WAL sender */
	bool is_privileged; /* its role is a superuser or may replicate */
	char kind[32], role[POSTGRES_NAME_MAX], database[POSTGRES_NAME_MAX];
};

enum pg_signal {
	PG_SIGNAL_CANCEL,    /* the query that it runs since query_start_us, no later one */
	PG_SIGNAL_TERMINATE, /* the session */
};

/* Which session of which service, and how to reach it. */
struct pg_session_ask {
	const struct services *services;
	const char *service;
	const char *session; /* "PID:BACKEND_START_US", as PARAM_TYPE_PROCESS has validated it */
	int credentials_fd;
	uint64_t deadline_ns; /* CLOCK_BOOTTIME */
};

/* Each of these refuses an operator's role that may more than it needs. */

/* Returns 1; 0: there is nothing left to end; -EPERM: it is not one to be ended; -errno. */
int pg_session_choose(const struct pg_session_ask *a, enum pg_signal signal, struct pg_session *ret,
		      struct err *reterr) _warn_unused_;

/* Looks for it and tells it, by one statement. Returns 1; 0: there was nothing left to tell; -errno. */
int pg_session_tell(const struct pg_session_ask *a, enum pg_signal signal,
		    const struct pg_session *s, struct err *reterr) _warn_unused_;

/* Waits until what was told it has come to its end. Returns 0; -ETIMEDOUT: it goes on; -errno. */
int pg_session_wait_over(const struct pg_session_ask *a, enum pg_signal signal,
			 const struct pg_session *s, struct err *reterr) _warn_unused_;

/* May it be ended? Returns 0; -EPERM with the reason. Pure. */
int pg_session_check(const struct pg_session *s, const char *database,
		     struct err *reterr) _warn_unused_;
