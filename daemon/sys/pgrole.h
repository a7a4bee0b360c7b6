/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libpq-fe.h>
#include <stdint.h>

#include "base/err.h"

/* May our own role give that one another password? Not to a superuser, a replica or itself. Returns 0; -ENOENT:
 * no such role; -EPERM: not that one; -EACCES: we lack CREATEROLE; -errno of pg_ask(). */
int pg_check_password(PGconn *conn, const char *role, uint64_t deadline_ns,
		      struct err *reterr) _warn_unused_;

/* Checks the same and does it. What goes to the server, and may come into its log, is the SCRAM verifier,
 * never the password. Returns 0; as above. */
int pg_set_password(PGconn *conn, const char *role, const char *password, uint64_t deadline_ns,
		    struct err *reterr) _warn_unused_;
