/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/migrate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "sys/pg.h"

/* Of all our runs in one database; any number that nobody else takes. */
#define LOCK_KEY "7020095312"

static const char table_sql[] = "CREATE TABLE IF NOT EXISTS schema_migrations ("
				" version integer PRIMARY KEY CHECK (version > 0),"
				" name text NOT NULL,"
				" sha256 text NOT NULL,"
				" applied_at timestamptz NOT NULL DEFAULT clock_timestamp())";

static bool is_good(const PGresult *res)
{
	ExecStatusType status = PQresultStatus(res);

	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
	       status == PGRES_EMPTY_QUERY;
}

/* Any number of statements. */
static int run(PGconn *conn, const char *sql, struct err *reterr)
{
	_cleanup_result_ PGresult *res = PQexec(conn, sql);

	return is_good(res) ? 0 : pg_fail(conn, res, reterr);
}

static int ask(PGconn *conn, const char *sql, PGresult **ret, struct err *reterr)
{
	_cleanup_result_ PGresult *res = PQexec(conn, sql);

	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		return pg_fail(conn, res, reterr);
	*ret = TAKE_PTR(res);
	return 0;
}

static int ask_text(PGconn *conn, const char *sql, char *ret, size_t size, struct err *reterr)
{
	_cleanup_result_ PGresult *res = NULL;
	int r = ask(conn, sql, &res, reterr);

	if (r < 0)
		return r;
	if (PQntuples(res) != 1)
		return err_set(reterr, -EIO, "one row expected, got %d", PQntuples(res));
	return str_copy(ret, size, PQgetvalue(res, 0, 0));
}

/* Row i of what was run is file i, unchanged. */
static int check_row(const PGresult *res, int i, const struct migrations *m, struct err *reterr)
{
	const char *number = PQgetvalue(res, i, 0);
	uint64_t version = 0;

	if (str_parse_u64(number, &version) < 0 || version != (uint64_t)i + 1)
		return err_set(reterr, -EBADMSG, "number %d was left out, %s was run", i + 1,
			       number);
	if (version > m->n)
		return err_set(reterr, -EBADMSG, "it is at %d, the files end at %u", PQntuples(res),
			       m->n);
	if (!str_equal(PQgetvalue(res, i, 1), m->v[i].sha256))
		return err_set(reterr, -EBADMSG, "'%04u_%s.up.sql' was changed after it was run",
			       m->v[i].version, m->v[i].name);
	return 0;
}

static int read_version(PGconn *conn, const struct migrations *m, uint32_t *ret_version,
			struct err *reterr)
{
	_cleanup_result_ PGresult *res = NULL;
	char is_there[8] = "";
	int r = ask_text(conn, "SELECT to_regclass('schema_migrations') IS NOT NULL", is_there,
			 sizeof(is_there), reterr);

	if (r == 0 && str_equal(is_there, "t"))
		r = ask(conn, "SELECT version, sha256 FROM schema_migrations ORDER BY version",
			&res, reterr);
	if (r < 0)
		return r;
	for (int i = 0; res && i < PQntuples(res); i++) {
		r = check_row(res, i, m, reterr);
		if (r < 0)
			return r;
	}
	*ret_version = res ? (uint32_t)PQntuples(res) : 0;
	return 0;
}

int migrate_read_version(PGconn *conn, const struct migrations *m, uint32_t *ret_version,
			 struct err *reterr)
{
	int r = read_version(conn, m, ret_version, reterr);

	return r < 0 ? err_wrap(reterr, r, "read version of database '%s'", PQdb(conn)) : 0;
}

static int begin(PGconn *conn, const struct migrate_request *rq, struct err *reterr)
{
	char sql[128] = "", got[8] = "";
	int r;

	str_append(sql, sizeof(sql),
		   "BEGIN; SET LOCAL lock_timeout = %u; SET LOCAL statement_timeout = %u",
		   rq->lock_timeout_ms, rq->statement_timeout_ms);
	r = run(conn, sql, reterr);
	if (r == 0)
		r = ask_text(conn, "SELECT pg_try_advisory_xact_lock(" LOCK_KEY ")", got,
			     sizeof(got), reterr);
	if (r == 0 && !str_equal(got, "t"))
		r = err_set(reterr, -EBUSY, "another run is under way");
	if (r == 0 && !rq->is_dry_run)
		r = run(conn, table_sql, reterr);
	return r;
}

static int note(PGconn *conn, const struct migration *v, bool is_up, struct err *reterr)
{
	const char *insert = "INSERT INTO schema_migrations (version, name, sha256)"
			     " VALUES ($1, $2, $3)";
	const char *delete = "DELETE FROM schema_migrations WHERE version = $1";
	char number[16] = "";
	const char *values[] = { number, v->name, v->sha256 };
	_cleanup_result_ PGresult *res = NULL;

	str_append(number, sizeof(number), "%u", v->version);
	res = PQexecParams(conn, is_up ? insert : delete, is_up ? 3 : 1, NULL, values, NULL, NULL,
			   0);
	if (!is_good(res))
		return pg_fail(conn, res, reterr);
	if (!str_equal(PQcmdTuples(res), "1"))
		return err_set(reterr, -EIO, "its row in schema_migrations is not there");
	return 0;
}

/* What is run must still be in the transaction that was begun, or it cannot fail as a whole. */
static int check_transaction(PGconn *conn, const char *id, struct err *reterr)
{
	char now[32] = "";
	int r = ask_text(conn, "SELECT pg_current_xact_id()::text", now, sizeof(now), reterr);

	if (r == 0 && !str_equal(now, id))
		r = err_set(reterr, -EBADMSG, "it ended the transaction");
	return r;
}

static int step(PGconn *conn, const struct migration *v, bool is_up, struct err *reterr)
{
	char id[32] = "";
	int r = ask_text(conn, "SELECT pg_current_xact_id()::text", id, sizeof(id), reterr);

	if (r == 0)
		r = run(conn, is_up ? v->up : v->down, reterr);
	if (r == 0)
		r = check_transaction(conn, id, reterr);
	if (r == 0)
		r = note(conn, v, is_up, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "run '%04u_%s.%s.sql'", v->version, v->name,
				is_up ? "up" : "down");
	return 0;
}

/* Goes from result.from_version to result.to_version. */
static int run_steps(PGconn *conn, const struct migrations *m, const struct migrate_request *rq,
		     struct migrate_result *result, struct err *reterr)
{
	bool is_up = result->to_version > result->from_version;

	for (uint32_t at = result->from_version; at != result->to_version;) {
		const struct migration *v = &m->v[is_up ? at : at - 1];
		int r;

		if (rq->told)
			rq->told(v, is_up, rq->userdata);
		r = rq->is_dry_run ? 0 : step(conn, v, is_up, reterr);
		if (r < 0)
			return r;
		at = is_up ? at + 1 : at - 1;
		result->n_steps++;
	}
	return 0;
}

/* COMMIT of a failed transaction succeeds and says ROLLBACK. */
static int commit(PGconn *conn, struct err *reterr)
{
	_cleanup_result_ PGresult *res = PQexec(conn, "COMMIT");

	if (!is_good(res))
		return pg_fail(conn, res, reterr);
	if (!str_equal(PQcmdStatus(res), "COMMIT"))
		return err_set(reterr, -EIO, "commit: the server answered %s", PQcmdStatus(res));
	return 0;
}

int migrate_run(PGconn *conn, const struct migrations *m, const struct migrate_request *request,
		struct migrate_result *ret, struct err *reterr)
{
	uint32_t to = request->to_version == MIGRATE_LATEST ? m->n : request->to_version;
	struct migrate_result result = { .to_version = to };
	int r;

	if (to > m->n)
		return err_set(reterr, -EINVAL, "migrate to %u: the files end at %u", to, m->n);
	if (PQtransactionStatus(conn) != PQTRANS_IDLE)
		return err_set(reterr, PQstatus(conn) == CONNECTION_OK ? -EINVAL : -ENOTCONN,
			       "migrate to %u: the connection is not ready", to);
	r = begin(conn, request, reterr);
	if (r == 0)
		r = read_version(conn, m, &result.from_version, reterr);
	if (r == 0)
		r = run_steps(conn, m, request, &result, reterr);
	if (r == 0 && result.n_steps > 0 && !request->is_dry_run)
		r = commit(conn, reterr);
	else
		(void)run(conn, "ROLLBACK", NULL);
	if (r < 0)
		return err_wrap(reterr, r, "migrate database '%s' to %u", PQdb(conn), to);
	*ret = result;
	return result.n_steps > 0;
}
