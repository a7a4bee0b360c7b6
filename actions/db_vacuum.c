/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "ops/action.h"
#include "sys/pgsession.h"

#define TIMEOUT_MS     300000 /* its unit's own is 330 s; a larger table needs a maintenance window */
#define SEEN_MAX_NS    (5 * NS_PER_S) /* a session tells its counts when it ends, or within a second */
#define POLL_NS        (100 * NS_PER_MS)
#define TABLE_NAME_MAX 160 /* two quoted identifiers and a dot */
#define SQL_MAX        (TABLE_NAME_MAX + 32)

static const struct param_spec params[] = {
	{ .name = "service", .type = PARAM_TYPE_SERVICE, .help = "service that is the database" },
	{ .name = "table",
	  .type = PARAM_TYPE_NAME,
	  .help = "table, or schema.table where the name is not the only one" },
	{ .name = NULL },
};

/* The table it was, and how often it had been vacuumed. */
struct before {
	uint32_t oid;
	uint64_t n_vacuums;
	char schema[POSTGRES_NAME_MAX], name[POSTGRES_NAME_MAX];
};

static const char find_sql[] =
	"SELECT c.oid, n.nspname, c.relname, coalesce(s.vacuum_count, 0),"
	" pg_has_role(c.relowner, 'USAGE') OR pg_has_role(d.datdba, 'USAGE')"
	" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	" JOIN pg_database d ON d.datname = current_database()"
	" LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid"
	" WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
	" AND ($1::text = c.relname OR $1::text = n.nspname || '.' || c.relname) LIMIT 2";

static const char count_sql[] = "SELECT vacuum_count FROM pg_stat_all_tables WHERE relid = $1::oid";

static int open_database(const struct action_context *c, PGconn **ret, struct err *reterr)
{
	return pg_connect_service(c->services, params_text(c->params, "service"), PG_ROLE_OWNER,
				  c->credentials_fd, c->deadline_ns, ret, reterr);
}

static int wrap(const struct action_context *c, int r, struct err *reterr)
{
	return err_wrap(reterr, r, "vacuum table '%s' of service '%s'",
			params_text(c->params, "table"), params_text(c->params, "service"));
}

static int read_before(const PGresult *res, struct before *ret, struct err *reterr)
{
	struct before b = { 0 };
	uint64_t oid = 0;

	if (str_parse_u64(PQgetvalue(res, 0, 0), &oid) < 0 || oid > UINT32_MAX ||
	    str_parse_u64(PQgetvalue(res, 0, 3), &b.n_vacuums) < 0 ||
	    str_copy(b.schema, sizeof(b.schema), PQgetvalue(res, 0, 1)) < 0 ||
	    str_copy(b.name, sizeof(b.name), PQgetvalue(res, 0, 2)) < 0)
		return err_set(reterr, -EBADMSG, "the server's answer makes no sense");
	b.oid = (uint32_t)oid;
	*ret = b;
	return 0;
}

/* The name is looked up; what goes into a statement is what the catalog has. */
static int find_table(const struct action_context *c, PGconn *conn, struct before *ret,
		      struct err *reterr)
{
	const char *const texts[] = { params_text(c->params, "table"), NULL };
	_cleanup_result_ PGresult *res = NULL;
	int r = pg_ask(conn, find_sql, texts, c->deadline_ns, &res, reterr);

	if (r < 0)
		return r;
	if (PQntuples(res) == 0)
		return err_set(reterr, -ENOENT, "there is no such table");
	if (PQntuples(res) > 1)
		return err_set(reterr, -EINVAL, "there is more than one: name its schema, too");
	/* The server would skip it with a warning. */
	if (!str_equal(PQgetvalue(res, 0, 4), "t"))
		return err_set(reterr, -EACCES, "role '%s' does not own it", PQuser(conn));
	return read_before(res, ret, reterr);
}

static int find(const struct action_context *c, struct before *ret, struct err *reterr)
{
	_cleanup_(pg_closep) PGconn *conn = NULL;
	int r = open_database(c, &conn, reterr);

	if (r == 0)
		r = find_table(c, conn, ret, reterr);
	return r < 0 ? wrap(c, r, reterr) : 0;
}

static int check(const struct action_context *c, struct err *reterr)
{
	struct before b;

	return find(c, &b, reterr);
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	struct before b = { 0 };
	int r = find(c, &b, reterr);

	memcpy(undo, &b, sizeof(b));
	return r < 0 ? r : (int)sizeof(b);
}

static int format_vacuum(PGconn *conn, const struct before *b, char sql[static SQL_MAX],
			 struct err *reterr)
{
	char *schema = PQescapeIdentifier(conn, b->schema, strlen(b->schema));
	char *name = PQescapeIdentifier(conn, b->name, strlen(b->name));
	bool ok = schema && name && strlen(schema) + strlen(name) < TABLE_NAME_MAX;

	sql[0] = '\0';
	if (ok)
		str_append(sql, SQL_MAX, "VACUUM (ANALYZE) %s.%s", schema, name);
	PQfreemem(schema);
	PQfreemem(name);
	return ok ? 0 : err_set(reterr, -EINVAL, "its name cannot be quoted");
}

static int vacuum(const struct action_context *c, const struct before *b, struct err *reterr)
{
	_cleanup_(pg_closep) PGconn *conn = NULL;
	_cleanup_result_ PGresult *res = NULL;
	struct before now = { 0 };
	char sql[SQL_MAX];
	int r = open_database(c, &conn, reterr);

	if (r == 0)
		r = find_table(c, conn, &now, reterr);
	if (r == 0 && now.oid != b->oid)
		r = err_set(reterr, -ESTALE, "it is another table now");
	if (r == 0)
		r = format_vacuum(conn, &now, sql, reterr);
	return r < 0 ? r : pg_ask(conn, sql, NULL, c->deadline_ns, &res, reterr);
}

static int apply(const struct action_context *c, struct err *reterr)
{
	struct before b;
	int r;

	if (c->dry_run) {
		str_append(c->text, c->text_size, "would vacuum table '%s'",
			   params_text(c->params, "table"));
		return 0;
	}
	memcpy(&b, c->undo, sizeof(b));
	r = vacuum(c, &b, reterr);
	if (r < 0)
		return wrap(c, r, reterr);
	str_append(c->text, c->text_size, "vacuumed table '%s'", params_text(c->params, "table"));
	return 0;
}

/* Returns 0; -EIO: it was not vacuumed; -errno. */
static int wait_counted(const struct action_context *c, const struct before *b, struct err *reterr)
{
	uint64_t end_ns = clock_boot_ns() + SEEN_MAX_NS, n = 0;
	_cleanup_(pg_closep) PGconn *conn = NULL;
	char oid[16] = "";
	const char *const texts[] = { oid, NULL };
	int r = open_database(c, &conn, reterr);

	str_append(oid, sizeof(oid), "%" PRIu32, b->oid);
	while (r == 0) {
		_cleanup_result_ PGresult *res = NULL;

		r = pg_ask(conn, count_sql, texts, c->deadline_ns, &res, reterr);
		if (r == 0 && (PQntuples(res) != 1 || str_parse_u64(PQgetvalue(res, 0, 0), &n) < 0))
			return err_set(reterr, -ESTALE, "the table is no more");
		if (r == 0 && n > b->n_vacuums)
			return 0;
		if (r == 0 && clock_boot_ns() >= end_ns)
			return err_set(reterr, -EIO, "the server has not counted it");
		if (r == 0)
			clock_sleep_ns(POLL_NS);
	}
	return r;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	struct before b;
	int r;

	memcpy(&b, c->undo, sizeof(b));
	r = wait_counted(c, &b, reterr);
	return r < 0 ? wrap(c, r, reterr) : 0;
}

const struct action_ops action_db_vacuum = {
	.name = "db.vacuum",
	.summary = "clear a table of dead rows and count it anew",
	.source = "PostgreSQL manual, VACUUM; pg_stat_all_tables.vacuum_count",
	.params = params,
	.target = "service",
	.risk = RISK_DISRUPTIVE,
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.cooldown_ms = 60000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
};
