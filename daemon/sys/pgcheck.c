/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/pgcheck.h"

#include <errno.h>

#include "base/str.h"
#include "sys/pg.h"

#define TABLES_MAX "1000" /* looked into for a row, where none is required */

/* Not what migrations note down of themselves. */
static const char user_tables[] =
	" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	" WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
	" AND c.relname <> 'schema_migrations'";

int pgcheck_use_schema(PGconn *conn, uint64_t deadline_ns, struct err *reterr)
{
	_cleanup_result_ PGresult *res = NULL;

	return pg_ask(conn,
		      "SELECT set_config('search_path', '\"$user\", public', false),"
		      " set_config('client_min_messages', 'warning', false)",
		      NULL, deadline_ns, &res, reterr);
}

static int run(PGconn *conn, const char *sql, uint64_t deadline_ns, struct err *reterr)
{
	_cleanup_result_ PGresult *res = NULL;

	return pg_ask(conn, sql, NULL, deadline_ns, &res, reterr);
}

/* Returns 1; 0: it is empty; -errno. table: quoted, as the server gives it. */
static int has_row(PGconn *conn, const char *table, uint64_t deadline_ns, struct err *reterr)
{
	char sql[256] = "";
	_cleanup_result_ PGresult *res = NULL;
	int r;

	str_append(sql, sizeof(sql), "SELECT 1 FROM %s LIMIT 1", table);
	r = pg_ask(conn, sql, NULL, deadline_ns, &res, reterr);
	return r < 0 ? r : PQntuples(res);
}

/* The names need no quotes: services.d allows no others. */
static int check_required(PGconn *conn, const struct table_list *required, uint64_t deadline_ns,
			  struct err *reterr)
{
	for (uint32_t i = 0; i < required->n; i++) {
		int r = has_row(conn, required->v[i], deadline_ns, reterr);

		if (r < 0)
			return err_wrap(reterr, r == -ENOENT ? -EIO : r, "look into table '%s'",
					required->v[i]);
		if (r == 0)
			return err_set(reterr, -EIO, "table '%s' is empty", required->v[i]);
	}
	return 0;
}

static int check_any(PGconn *conn, uint64_t deadline_ns, struct err *reterr)
{
	char sql[512] = "SELECT c.oid::regclass";
	_cleanup_result_ PGresult *res = NULL;
	int r;

	str_append(sql, sizeof(sql), "%s ORDER BY c.reltuples DESC LIMIT " TABLES_MAX, user_tables);
	r = pg_ask(conn, sql, NULL, deadline_ns, &res, reterr);
	for (int i = 0; r == 0 && i < PQntuples(res); i++) {
		r = has_row(conn, PQgetvalue(res, i, 0), deadline_ns, reterr);
		if (r > 0)
			return 0;
	}
	return r < 0 ? r : err_set(reterr, -EIO, "no table of it has a row");
}

int pgcheck_rows(PGconn *conn, const struct table_list *required, uint64_t deadline_ns,
		 struct pgcheck *ret, struct err *reterr)
{
	char sql[512] = "SELECT count(*), coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint";
	_cleanup_result_ PGresult *res = NULL;
	uint64_t n_tables = 0, n_rows = 0;
	int r;

	str_append(sql, sizeof(sql), "%s", user_tables);
	/* A restored database has no statistics, and bad plans until it has. */
	r = run(conn, "ANALYZE", deadline_ns, reterr);
	if (r == 0)
		r = required->n > 0 ? check_required(conn, required, deadline_ns, reterr) :
				      check_any(conn, deadline_ns, reterr);
	if (r == 0)
		r = pg_ask(conn, sql, NULL, deadline_ns, &res, reterr);
	if (r < 0)
		return r;
	if (str_parse_u64(PQgetvalue(res, 0, 0), &n_tables) < 0 || n_tables > UINT32_MAX ||
	    str_parse_u64(PQgetvalue(res, 0, 1), &n_rows) < 0)
		return err_set(reterr, -EBADMSG, "count rows: the answer is no number");
	*ret = (struct pgcheck){ (uint32_t)n_tables, n_rows };
	return 0;
}
