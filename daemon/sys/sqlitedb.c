/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/sqlitedb.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "model/record.h"

#define SCHEMA_VERSION   2
#define APPLICATION_ID   0x61696f70 /* "aiop", in the file's head */
#define BUSY_MS          100        /* a person's sqlite3 shell may hold the lock */
#define OPEN_CHECK_NS    NS_PER_S   /* of looking for damage at start; later it is found by use */
#define OPEN_CHECK_STEPS 10000      /* virtual machine steps between looks at the clock */
#define WAL_SIZE_MAX     (16 << 20) /* bytes the log is cut to after a checkpoint */
#define PATH_SIZE        4096

static_assert(RECORD_KIND_INCIDENT == 1, "the schema and the statements say kind = 1");

/* Points are ordered by time first: they arrive in that order, so inserts and expiry touch few
 * pages (a key that began with the series would touch one page for each). 1048575 (0xfffff) is the
 * four last characters of an id, the shortest ending people may give. */
#define ROLLUP_COLUMNS                                                                  \
	"(wall_us INTEGER NOT NULL, series INTEGER NOT NULL, n INTEGER NOT NULL,"       \
	" min REAL NOT NULL, max REAL NOT NULL, sum REAL NOT NULL, last REAL NOT NULL," \
	" PRIMARY KEY(wall_us, series)) STRICT, WITHOUT ROWID;"
#define LONGER_SPANS                                                              \
	"CREATE TABLE minutes" ROLLUP_COLUMNS "CREATE TABLE hours" ROLLUP_COLUMNS \
	"INSERT INTO meta VALUES('minutes_until', '0'), ('hours_until', '0');"
static const char schema[] =
	"PRAGMA auto_vacuum = INCREMENTAL;"
	"PRAGMA journal_mode = WAL;"
	"BEGIN;"
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE records(id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL,"
	" incident_id INTEGER NOT NULL, kind INTEGER NOT NULL, state INTEGER,"
	" wall_us INTEGER NOT NULL, entity TEXT NOT NULL, json TEXT NOT NULL) STRICT;"
	"CREATE INDEX records_incident ON records(incident_id, id);"
	"CREATE INDEX records_change ON records(incident_id, id) WHERE kind = 1;"
	"CREATE INDEX records_ending ON records(id & 1048575);"
	"CREATE TABLE series(id INTEGER PRIMARY KEY, signal TEXT NOT NULL, entity TEXT NOT NULL,"
	" last_us INTEGER NOT NULL, UNIQUE(signal, entity)) STRICT;"
	"CREATE TABLE points" ROLLUP_COLUMNS LONGER_SPANS
	"CREATE VIEW rollups AS SELECT signal, entity, wall_us, n, min, max, sum, last"
	" FROM points JOIN series ON series.id = points.series;"
	"INSERT INTO meta VALUES('schema_version', '2');"
	"PRAGMA application_id = 1634299760;"
	"PRAGMA user_version = 2;"
	"COMMIT;";

/* Of version 1, which had no longer spans: they are made of the points that are there. */
static const char upgrade_1[] = "BEGIN;" LONGER_SPANS
				"UPDATE meta SET value = '2' WHERE name = 'schema_version';"
				"PRAGMA user_version = 2;"
				"COMMIT;";

#define ROW_COLUMNS "r.id, r.parent_id, r.incident_id, r.wall_us, r.json"

#define STEPS_OF(table)                                                                             \
	"SELECT signal, entity, wall_us / ?5 * ?5 AS step, sum(n), min(min), max(max), sum(sum), 0" \
	" FROM " table " AS p CROSS JOIN series ON series.id = p.series WHERE wall_us >= ?1"        \
	" AND wall_us < ?2 AND (?3 IS NULL OR signal GLOB ?3) AND (?4 IS NULL OR entity = ?4)"      \
	" GROUP BY series.id, step ORDER BY signal, entity, step LIMIT ?6"

/* What is made again, because some of it came late, replaces what was there. */
#define ROLL(from, to)                                                                           \
	"INSERT OR REPLACE INTO " to " SELECT ?1, g.series, g.n, g.low, g.high, g.total, p.last" \
	" FROM (SELECT series, max(wall_us) AS newest, sum(n) AS n, min(min) AS low,"            \
	" max(max) AS high, sum(sum) AS total FROM " from                                        \
	" WHERE wall_us >= ?1 AND wall_us < ?2 GROUP BY series) AS g"                            \
	" JOIN " from " AS p ON p.wall_us = g.newest AND p.series = g.series"

#define EXPIRE_OF(table)                                                           \
	"DELETE FROM " table " WHERE (wall_us, series) IN (SELECT wall_us, series" \
	" FROM " table " WHERE wall_us < ?1 ORDER BY wall_us, series LIMIT ?2)"

static const char *const texts[_STATEMENT_MAX] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[ADD_RECORD] = "INSERT OR IGNORE INTO records VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[ADD_SERIES] = "INSERT INTO series(signal, entity, last_us) SELECT ?1, ?2, ?3"
		       " WHERE EXISTS (SELECT 1 FROM series WHERE signal = ?1 AND entity = ?2)"
		       " OR (SELECT count(*) FROM series) < ?4"
		       " ON CONFLICT DO UPDATE SET last_us = max(last_us, excluded.last_us)"
		       " RETURNING id",
	[ADD_POINT] = "INSERT INTO points VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"
		      " ON CONFLICT DO UPDATE SET n = n + excluded.n, min = min(min, excluded.min),"
		      " max = max(max, excluded.max), sum = sum + excluded.sum,"
		      " last = excluded.last",
	/* Walks the index from its end and stops at the limit; a GROUP BY would read all of it. */
	[LIST_INCIDENTS] =
		"SELECT " ROW_COLUMNS " FROM records AS r"
		" WHERE kind = 1 AND incident_id < ?1 AND id = (SELECT max(id)"
		" FROM records AS m WHERE kind = 1 AND m.incident_id = r.incident_id)"
		" AND wall_us >= ?2 AND (?3 IS NULL OR entity = ?3)"
		" AND (?4 < 0 OR state = ?4) ORDER BY incident_id DESC, id DESC LIMIT ?5",
	[LIST_INCIDENT] = "SELECT " ROW_COLUMNS " FROM records AS r"
			  " WHERE incident_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
	[GET_RECORD] = "SELECT " ROW_COLUMNS " FROM records AS r WHERE id = ?1",
	[LIST_POINTS] = "SELECT signal, entity, wall_us, n, min, max, sum, last FROM points"
			" CROSS JOIN series ON series.id = points.series WHERE wall_us >= ?1"
			" AND (?2 IS NULL OR signal = ?2) AND (?3 IS NULL OR entity = ?3)"
			" ORDER BY wall_us, series LIMIT ?4",
	[FIND_RECORDS] = "SELECT id FROM records WHERE (id & 1048575) = (?1 & 1048575)"
			 " AND (id & ?2) = ?1 ORDER BY id DESC LIMIT ?3",
	[FIND_INCIDENTS] = "SELECT id FROM records WHERE (id & 1048575) = (?1 & 1048575)"
			   " AND (id & ?2) = ?1 AND incident_id = id ORDER BY id DESC LIMIT ?3",
	[EXPIRE_RECORDS] = "DELETE FROM records WHERE id IN"
			   " (SELECT id FROM records WHERE id < ?1 ORDER BY id LIMIT ?2)",
	[STEP_POINTS] = STEPS_OF("points"),
	[STEP_MINUTES] = STEPS_OF("minutes"),
	[STEP_HOURS] = STEPS_OF("hours"),
	[NEXT_POINT] = "SELECT wall_us FROM points WHERE wall_us >= ?1 ORDER BY wall_us LIMIT 1",
	[NEXT_MINUTE] = "SELECT wall_us FROM minutes WHERE wall_us >= ?1 ORDER BY wall_us LIMIT 1",
	[ROLL_MINUTE] = ROLL("points", "minutes"),
	[ROLL_HOUR] = ROLL("minutes", "hours"),
	[GET_ROLLED] = "SELECT CAST(value AS INTEGER) FROM meta WHERE name = ?1",
	[SET_ROLLED] = "UPDATE meta SET value = ?2 WHERE name = ?1",
	[LOWER_ROLLED] =
		"UPDATE meta SET value = ?2 WHERE name = ?1 AND CAST(value AS INTEGER) > ?2",
	[EXPIRE_POINTS] = EXPIRE_OF("points"),
	[EXPIRE_MINUTES] = EXPIRE_OF("minutes"),
	[EXPIRE_HOURS] = EXPIRE_OF("hours"),
	[EXPIRE_SERIES] = "DELETE FROM series WHERE last_us < ?1",
};

static int errno_of(sqlite3 *db, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CONSTRAINT:
		return -EINVAL;
	default:
		return db && sqlite3_system_errno(db) == ENOSPC ? -ENOSPC : -EIO;
	}
}

int sqlitedb_fail(struct sqlite *q, int rc, const char *what, struct err *reterr)
{
	return err_set(reterr, errno_of(q->db, rc), "%s: %s", what,
		       q->db ? sqlite3_errmsg(q->db) : sqlite3_errstr(rc));
}

static int execute(struct sqlite *q, const char *sql, const char *what, struct err *reterr)
{
	int rc = sqlite3_exec(q->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : sqlitedb_fail(q, rc, what, reterr);
}

int sqlitedb_read_number(struct sqlite *q, const char *sql, int64_t *ret, struct err *reterr)
{
	sqlite3_stmt *s = NULL;
	int r = 0, rc = sqlite3_prepare_v2(q->db, sql, -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(s, 0);
	else
		r = sqlitedb_fail(q, rc, "read history", reterr);
	(void)sqlite3_finalize(s);
	return r;
}

int sqlitedb_get(struct sqlite *q, enum statement i, sqlite3_stmt **ret, struct err *reterr)
{
	int rc;

	if (!q->statements[i]) {
		rc = sqlite3_prepare_v3(q->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
					&q->statements[i], NULL);
		if (rc != SQLITE_OK)
			return sqlitedb_fail(q, rc, "prepare history statement", reterr);
	}
	(void)sqlite3_reset(q->statements[i]);
	(void)sqlite3_clear_bindings(q->statements[i]);
	*ret = q->statements[i];
	return 0;
}

int sqlitedb_run(struct sqlite *q, sqlite3_stmt *s, const char *what, struct err *reterr)
{
	int rc, r = 0;

	do
		rc = sqlite3_step(s);
	while (rc == SQLITE_ROW);
	if (rc != SQLITE_DONE)
		r = sqlitedb_fail(q, rc, what, reterr);
	(void)sqlite3_reset(s);
	return r;
}

int sqlitedb_do(struct sqlite *q, enum statement i, const char *what, struct err *reterr)
{
	sqlite3_stmt *s;
	int r = sqlitedb_get(q, i, &s, reterr);

	return r < 0 ? r : sqlitedb_run(q, s, what, reterr);
}

struct sqlite *sqlitedb_close(struct sqlite *q)
{
	if (!q)
		return NULL;
	for (size_t i = 0; i < _STATEMENT_MAX; i++)
		(void)sqlite3_finalize(q->statements[i]);
	(void)sqlite3_close(q->db);
	free(q);
	return NULL;
}
DEFINE_CLEANUP(struct sqlite *, sqlitedb_close);

static int on_check_progress(void *userdata)
{
	const struct sqlite *q = userdata;

	return clock_boot_ns() >= q->check_until_ns;
}

/* Looks for damage, but not for longer than OPEN_CHECK_NS: a big history must not delay the start.
 * Returns 0; -EUCLEAN. */
static int check_damage(struct sqlite *q, struct err *reterr)
{
	sqlite3_stmt *s = NULL;
	int rc, r = 0;

	q->check_until_ns = clock_boot_ns() + OPEN_CHECK_NS;
	sqlite3_progress_handler(q->db, OPEN_CHECK_STEPS, on_check_progress, q);
	rc = sqlite3_prepare_v2(q->db, "PRAGMA quick_check(1)", -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW && !str_equal((const char *)sqlite3_column_text(s, 0), "ok"))
		r = err_set(reterr, -EUCLEAN, "check history: %s", sqlite3_column_text(s, 0));
	else if (rc != SQLITE_ROW && (rc & 0xff) != SQLITE_INTERRUPT)
		r = sqlitedb_fail(q, rc, "check history", reterr);
	(void)sqlite3_finalize(s);
	sqlite3_progress_handler(q->db, 0, NULL, NULL);
	return r;
}

static int check_schema(struct sqlite *q, struct err *reterr)
{
	int64_t version = 0, application = 0;
	int r;

	r = sqlitedb_read_number(q, "PRAGMA user_version", &version, reterr);
	if (r < 0)
		return r;
	r = sqlitedb_read_number(q, "PRAGMA application_id", &application, reterr);
	if (r < 0)
		return r;
	if (version == 0 && application == 0)
		return execute(q, schema, "create history", reterr);
	if (version == 1 && application == APPLICATION_ID) {
		r = execute(q, upgrade_1, "upgrade history", reterr);
		version = SCHEMA_VERSION;
	}
	if (r < 0)
		return r;
	if (version != SCHEMA_VERSION || application != APPLICATION_ID)
		return err_set(reterr, -EUCLEAN,
			       "open history: schema version %" PRId64 " of application %#" PRIx64
			       " is not ours",
			       version, (uint64_t)application);
	return check_damage(q, reterr);
}

static int set_up(struct sqlite *q, const char *path, struct err *reterr)
{
	char pragmas[192] = "";
	int r, rc;

	rc = sqlite3_open_v2(path, &q->db,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
				     SQLITE_OPEN_EXRESCODE,
			     NULL);
	if (rc != SQLITE_OK)
		return sqlitedb_fail(q, rc, "open history", reterr);
	(void)sqlite3_busy_timeout(q->db, BUSY_MS);
	r = check_schema(q, reterr);
	if (r < 0)
		return r;
	str_append(pragmas, sizeof(pragmas),
		   "PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = %d;"
		   "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;",
		   WAL_SIZE_MAX);
	return execute(q, pragmas, "set up history", reterr);
}

int sqlitedb_open(const char *path, struct sqlite **ret, struct err *reterr)
{
	_cleanup_(sqlitedb_closep) struct sqlite *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return err_set(reterr, -ENOMEM, "open history '%s': Out of memory", path);
	r = set_up(q, path, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "open '%s'", path);
	*ret = TAKE_PTR(q);
	return 0;
}

int sqlitedb_put_aside(const char *path, struct err *reterr)
{
	char from[PATH_SIZE] = "", to[PATH_SIZE] = "";

	str_append(to, sizeof(to), "%s.damaged", path);
	if (rename(path, to) < 0 && errno != ENOENT)
		return err_set(reterr, -errno, "put damaged history '%s' aside: %s", path,
			       strerror(errno));
	/* The log belongs to the damaged file: applied to a new one it would damage that too. */
	str_append(from, sizeof(from), "%s-wal", path);
	str_append(to, sizeof(to), "-wal");
	if (rename(from, to) < 0 && errno != ENOENT)
		return err_set(reterr, -errno, "put damaged history '%s' aside: %s", from,
			       strerror(errno));
	from[0] = '\0';
	str_append(from, sizeof(from), "%s-shm", path);
	(void)unlink(from);
	return 0;
}
