/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libpq-fe.h>
#include <stdint.h>

#include "base/err.h"
#include "model/service.h"

/* What a database holds, counted by the server itself. */
struct pgcheck {
	uint32_t n_tables;
	uint64_t n_rows; /* of all, as ANALYZE estimates them */
};

/* A step's connection looks in pg_catalog only; from here on it finds and makes what has no schema where any client
 * of the database does. Source: PostgreSQL manual, search_path, its default. */
int pgcheck_use_schema(PGconn *conn, uint64_t deadline_ns, struct err *reterr) _warn_unused_;

/* Has the server count, and looks that each required table is there and has a row; where none is required, that
 * any has one. Returns 0; -EIO with the table that is not so; -errno of pg_ask(). */
int pgcheck_rows(PGconn *conn, const struct table_list *required, uint64_t deadline_ns,
		 struct pgcheck *ret, struct err *reterr) _warn_unused_;
