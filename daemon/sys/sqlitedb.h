/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sqlite3.h>
#include <stdint.h>

#include "base/err.h"

/* The database under store_sqlite: its schema, its statements and SQLite's errors as ours. */

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	ADD_RECORD,
	ADD_SERIES,
	ADD_POINT,
	LIST_INCIDENTS,
	LIST_INCIDENT,
	GET_RECORD,
	LIST_POINTS,
	STEP_POINTS, /* in the order of enum store_span, as those below */
	STEP_MINUTES,
	STEP_HOURS,
	NEXT_POINT,
	NEXT_MINUTE,
	ROLL_MINUTE,
	ROLL_HOUR,
	GET_ROLLED,
	SET_ROLLED,
	LOWER_ROLLED,
	FIND_RECORDS,
	FIND_INCIDENTS,
	EXPIRE_RECORDS,
	EXPIRE_POINTS,
	EXPIRE_MINUTES,
	EXPIRE_HOURS,
	EXPIRE_SERIES,
	_STATEMENT_MAX,
};

struct sqlite {
	sqlite3 *db;
	sqlite3_stmt *statements[_STATEMENT_MAX]; /* prepared on first use */
	uint64_t check_until_ns;
};

/* Opens or creates it and looks for damage. Returns 0; -EUCLEAN; other -errno. */
int sqlitedb_open(const char *path, struct sqlite **ret, struct err *reterr) _warn_unused_;
struct sqlite *sqlitedb_close(struct sqlite *q);
/* Renames the file and its log to PATH.damaged. Returns 0; -errno. */
int sqlitedb_put_aside(const char *path, struct err *reterr) _warn_unused_;

/* The statement, reset and without bindings. Returns 0; -errno. */
int sqlitedb_get(struct sqlite *q, enum statement i, sqlite3_stmt **ret,
		 struct err *reterr) _warn_unused_;
/* Runs a statement whose rows do not matter and resets it. Returns 0; -errno. */
int sqlitedb_run(struct sqlite *q, sqlite3_stmt *s, const char *what,
		 struct err *reterr) _warn_unused_;
/* Both, for a statement without bindings. */
int sqlitedb_do(struct sqlite *q, enum statement i, const char *what, struct err *reterr);
int sqlitedb_read_number(struct sqlite *q, const char *sql, int64_t *ret,
			 struct err *reterr) _warn_unused_;
/* "what: cause" for a result code. Returns the negative errno. */
int sqlitedb_fail(struct sqlite *q, int rc, const char *what, struct err *reterr);

static inline void sqlite_bind_text(sqlite3_stmt *s, int i, const char *text)
{
	(void)sqlite3_bind_text(s, i, text, -1, SQLITE_STATIC);
}

static inline void sqlite_bind_u64(sqlite3_stmt *s, int i, uint64_t v)
{
	(void)sqlite3_bind_int64(s, i, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}
