/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/pgswap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/fd.h"
#include "sys/pg.h"
#include "sys/pgsession.h"

#define KEY_DIGITS   16
#define LOCK_WAIT_MS "15000" /* what a dead one began last: CREATE or DROP DATABASE, or a commit */
#define LOCK_CLASS   "702009531" /* ours among advisory locks; any number that nobody else takes */
#define TELL_NS      (100 * NS_PER_MS)
/* The server waits up to 5 s for sessions to go. Source: PostgreSQL procarray.c, CountOtherDBBackends(). */
#define BUSY_TRIES 2

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

int pgswap_name(const struct database *d, const char *key, struct pgswap *ret, struct err *reterr)
{
	struct pgswap s = { .database = *d };

	if (strlen(d->name) > PGSWAP_NAME_MAX)
		return err_set(reterr, -ENAMETOOLONG,
			       "name a database beside '%s': its name has more than %d letters",
			       d->name, PGSWAP_NAME_MAX);
	str_append(s.aside, sizeof(s.aside), "%s_aiops_%.*s", d->name, KEY_DIGITS, key);
	str_append(s.next, sizeof(s.next), "%s_new", s.aside);
	*ret = s;
	return 0;
}

/* ---- statements ---- */

static int ask(PGconn *conn, const char *sql, const char *const *texts, uint64_t deadline_ns,
	       PGresult **ret, struct err *reterr)
{
	return pg_ask(conn, sql, texts, deadline_ns, ret, reterr);
}

static int tell(PGconn *conn, const char *sql, uint64_t deadline_ns, struct err *reterr)
{
	_cleanup_result_ PGresult *res = NULL;

	return ask(conn, sql, NULL, deadline_ns, &res, reterr);
}

/* Runs each statement that the server makes of the texts: it knows best how to quote. */
static int tell_made(PGconn *conn, const char *sql, const char *const *texts, uint64_t deadline_ns,
		     struct err *reterr)
{
	_cleanup_result_ PGresult *res = NULL;
	int r = ask(conn, sql, texts, deadline_ns, &res, reterr);

	for (int i = 0; r == 0 && i < PQntuples(res); i++)
		r = tell(conn, PQgetvalue(res, i, 0), deadline_ns, reterr);
	return r;
}

static int read_number(const PGresult *res, int row, int column, uint64_t max, uint64_t *ret,
		       struct err *reterr)
{
	int r = str_parse_u64(PQgetvalue(res, row, column), ret);

	if (r == 0 && *ret > max)
		r = -ERANGE;
	return r < 0 ? err_set(reterr, -EBADMSG, "the server's answer is no number") : 0;
}

static int connect_maintenance(const struct database *d, enum pg_role role, int credentials_fd,
			       uint64_t deadline_ns, PGconn **ret, struct err *reterr)
{
	struct database there = *d;

	(void)str_copy(there.name, sizeof(there.name), d->maintenance_name);
	return pg_connect_database(&there, role, credentials_fd, deadline_ns, ret, reterr);
}

int pgswap_open(const struct pgswap *s, int credentials_fd, uint64_t deadline_ns, PGconn **ret,
		struct err *reterr)
{
	const char *const texts[] = { s->database.name, NULL };
	_cleanup_(pg_closep) PGconn *conn = NULL;
	_cleanup_result_ PGresult *res = NULL;
	int r = connect_maintenance(&s->database, PG_ROLE_OWNER, credentials_fd, deadline_ns, &conn,
				    reterr);

	if (r == 0)
		r = tell(conn, "SET lock_timeout = " LOCK_WAIT_MS, deadline_ns, reterr);
	if (r == 0)
		r = ask(conn, "SELECT pg_advisory_lock(" LOCK_CLASS ", hashtext($1::text))", texts,
			deadline_ns, &res, reterr);
	if (r < 0)
		return r == -EBUSY ? err_set(reterr, r,
					     "another restore of '%s' is under way in the server",
					     s->database.name) :
				     r;
	*ret = TAKE_PTR(conn);
	return 0;
}

/* ---- what there is ---- */

static const char look_sql[] =
	"SELECT d.oid, CASE WHEN pg_get_userbyid(d.datdba) = current_user"
	" THEN pg_database_size(d.oid) ELSE 0 END,"
	" current_setting('server_version_num')::int / 10000,"
	" (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid),"
	" (SELECT count(*) FROM pg_database o WHERE o.datname LIKE $2::text),"
	" pg_get_userbyid(d.datdba) = current_user,"
	" (SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user),"
	" coalesce(to_jsonb(d)->>'datlocprovider', 'c') = 'c',"
	" pg_tablespace_location(d.dattablespace)"
	" FROM pg_database d WHERE d.datname = $1::text";

/* NAME\_aiops\_%, for LIKE. */
static void format_pattern(const struct database *d, char *buf, size_t size)
{
	buf[0] = '\0';
	for (const char *c = d->name; *c; c++)
		str_append(buf, size, *c == '_' ? "\\%c" : "%c", *c);
	str_append(buf, size, "\\_aiops\\_%%");
}

static bool is_true(const PGresult *res, int column)
{
	return str_equal(PQgetvalue(res, 0, column), "t");
}

static int check_rights(const struct pgswap *s, const PGresult *res, uint64_t n_aside,
			struct err *reterr)
{
	const char *name = s->database.name, *owner = s->database.owner;

	if (!is_true(res, 5))
		return err_set(reterr, -EACCES, "database '%s' is not owned by '%s'", name, owner);
	if (!is_true(res, 6))
		return err_set(reterr, -EACCES, "role '%s' has not CREATEDB", owner);
	if (!is_true(res, 7))
		return err_set(reterr, -EOPNOTSUPP,
			       "database '%s' has a locale that is not the C library's", name);
	if (n_aside >= PGSWAP_ASIDE_MAX)
		return err_set(reterr, -EDQUOT,
			       "%" PRIu64 " databases '%s_aiops_*' are kept: drop one first",
			       n_aside, name);
	return 0;
}

/* Only a role with pg_read_all_settings is told where the data are. */
static int ask_data_directory(const struct pgswap *s, int credentials_fd, uint64_t deadline_ns,
			      char *ret, size_t size)
{
	_cleanup_(pg_closep) PGconn *conn = NULL;
	_cleanup_result_ PGresult *res = NULL;
	enum pg_role role = s->database.operator[0] ? PG_ROLE_OPERATOR : PG_ROLE_OWNER;
	int r = connect_maintenance(&s->database, role, credentials_fd, deadline_ns, &conn, NULL);

	if (r == 0)
		r = ask(conn, "SELECT setting FROM pg_settings WHERE name = 'data_directory'", NULL,
			deadline_ns, &res, NULL);
	if (r == 0 && PQntuples(res) == 1)
		r = str_copy(ret, size, PQgetvalue(res, 0, 0));
	return r;
}

/* The server may see other paths than this host: then nobody says. */
static uint64_t read_free_bytes(const struct pgswap *s, const char *location, int root_fd,
				int credentials_fd, uint64_t deadline_ns)
{
	char path[SERVICE_PATH_MAX] = "";
	_cleanup_close_ int fd = -EBADF;
	struct statvfs st = { 0 };

	if (str_copy(path, sizeof(path), location) < 0 ||
	    (!path[0] &&
	     ask_data_directory(s, credentials_fd, deadline_ns, path, sizeof(path)) < 0))
		return UINT64_MAX;
	fd = path[0] == '/' ? openat(root_fd, path + 1, O_PATH | O_DIRECTORY | O_CLOEXEC) : -EBADF;
	if (fd < 0 || fstatvfs(fd, &st) < 0)
		return UINT64_MAX;
	return (uint64_t)st.f_bavail * st.f_frsize;
}

int pgswap_look(PGconn *conn, struct pgswap *s, int root_fd, int credentials_fd,
		uint64_t deadline_ns, struct pgswap_facts *ret, struct err *reterr)
{
	char pattern[2 * POSTGRES_NAME_MAX + 16];
	const char *const texts[] = { s->database.name, pattern, NULL };
	uint64_t oid = 0, bytes = 0, major = 0, n_sessions = 0, n_aside = 0;
	_cleanup_result_ PGresult *res = NULL;
	int r;

	format_pattern(&s->database, pattern, sizeof(pattern));
	r = ask(conn, look_sql, texts, deadline_ns, &res, reterr);
	if (r == 0 && PQntuples(res) != 1)
		r = err_set(reterr, -ENOENT, "there is no database '%s'", s->database.name);
	if (r == 0)
		r = read_number(res, 0, 0, UINT32_MAX, &oid, reterr);
	if (r == 0)
		r = read_number(res, 0, 1, INT64_MAX, &bytes, reterr);
	if (r == 0)
		r = read_number(res, 0, 2, 1000, &major, reterr);
	if (r == 0)
		r = read_number(res, 0, 3, UINT32_MAX, &n_sessions, reterr);
	if (r == 0)
		r = read_number(res, 0, 4, UINT32_MAX, &n_aside, reterr);
	if (r == 0)
		r = check_rights(s, res, n_aside, reterr);
	if (r < 0)
		return r;
	s->old_oid = (uint32_t)oid;
	*ret = (struct pgswap_facts){
		.server_major = (uint32_t)major,
		.n_sessions = (uint32_t)n_sessions,
		.old_bytes = bytes,
		.free_bytes = read_free_bytes(s, PQgetvalue(res, 0, 8), root_fd, credentials_fd,
					      deadline_ns),
	};
	return 0;
}

int pgswap_read(PGconn *conn, const struct pgswap *s, uint64_t deadline_ns,
		struct pgswap_state *ret, struct err *reterr)
{
	const char *const texts[] = { s->database.name, s->aside, s->next, NULL };
	_cleanup_result_ PGresult *res = NULL;
	uint64_t oids[3] = { 0 };
	int r = ask(conn,
		    "SELECT coalesce((SELECT oid FROM pg_database WHERE datname = n), 0)"
		    " FROM unnest(ARRAY[$1::text, $2::text, $3::text]) WITH ORDINALITY u(n, i)"
		    " ORDER BY i",
		    texts, deadline_ns, &res, reterr);

	for (int i = 0; r == 0 && i < 3; i++)
		r = read_number(res, i, 0, UINT32_MAX, &oids[i], reterr);
	if (r == 0)
		*ret = (struct pgswap_state){ (uint32_t)oids[0], (uint32_t)oids[1],
					      (uint32_t)oids[2] };
	return r;
}

/* ---- making and dropping ---- */

static const char create_sql[] =
	"SELECT format('CREATE DATABASE %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L"
	" CONNECTION LIMIT %s', $2::text, pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,"
	" d.datconnlimit) || CASE t.spcname WHEN 'pg_default' THEN '' ELSE"
	" format(' TABLESPACE %I', t.spcname) END"
	" FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace"
	" WHERE d.datname = $1::text";

/* A dump of one database holds neither its rights nor its settings. A setting that is a list is stored as it
 * is written. Source: PostgreSQL dumputils.c, makeAlterConfigCommand(). */
static const char copy_sql[] =
	"WITH old AS (SELECT * FROM pg_database WHERE datname = $1::text),"
	" rights AS (SELECT a.*, old.datdba FROM old, aclexplode(old.datacl) a),"
	" settings AS (SELECT split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value"
	"  FROM old JOIN pg_db_role_setting s ON s.setdatabase = old.oid AND s.setrole = 0,"
	"  unnest(s.setconfig) c)"
	" SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', $2::text) FROM old"
	"  WHERE old.datacl IS NOT NULL"
	" UNION ALL SELECT format('GRANT %s ON DATABASE %I TO ', privilege_type, $2::text)"
	"  || CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END"
	"  || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END"
	"  FROM rights WHERE grantee <> datdba"
	" UNION ALL SELECT format('ALTER DATABASE %I SET %I TO ', $2::text, name) || CASE"
	"  WHEN lower(name) IN ('search_path', 'temp_tablespaces', 'local_preload_libraries',"
	"   'session_preload_libraries') THEN value ELSE quote_literal(value) END FROM settings";

/* Its last number is the second since the epoch, by the server's clock, after which it may go. */
static const char mark_sql[] = "SELECT format('COMMENT ON DATABASE %I IS %L', $1::text,"
			       " format('aiops: %s, to be dropped after %s', $2::text,"
			       "  (extract(epoch FROM now()) + $3::bigint)::bigint))";

#define MARK_UNFINISHED "being restored"
#define MARK_ASIDE      "set aside by a restore"

static int mark(PGconn *conn, const struct pgswap *s, const char *name, const char *what,
		uint64_t deadline_ns, struct err *reterr)
{
	char seconds[16] = "";
	const char *const texts[] = { name, what, seconds, NULL };

	str_append(seconds, sizeof(seconds), "%" PRIu32, s->database.keep_old_s);
	return tell_made(conn, mark_sql, texts, deadline_ns, reterr);
}

int pgswap_create(PGconn *conn, struct pgswap *s, uint64_t deadline_ns, struct err *reterr)
{
	const char *const texts[] = { s->database.name, s->next, NULL };
	struct pgswap_state now = { 0 };
	int r = tell_made(conn, create_sql, texts, deadline_ns, reterr);

	/* Whatever becomes of us, it does not stay for ever. */
	if (r == 0)
		r = mark(conn, s, s->next, MARK_UNFINISHED, deadline_ns, reterr);
	if (r == 0)
		r = tell_made(conn, copy_sql, texts, deadline_ns, reterr);
	if (r == 0)
		r = pgswap_read(conn, s, deadline_ns, &now, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "make database '%s'", s->next);
	s->new_oid = now.next_oid;
	return 0;
}

int pgswap_drop_aside(PGconn *conn, const struct pgswap *s, uint64_t deadline_ns,
		      struct err *reterr)
{
	const char *const texts[] = { s->aside, NULL };
	int r = tell_made(conn,
			  "SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', $1::text)",
			  texts, deadline_ns, reterr);

	return r < 0 ? err_wrap(reterr, r, "drop database '%s'", s->aside) : 0;
}

/* Without a mark, too: who made it may have been killed before that. */
static const char unfinished_sql[] =
	"SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database"
	" WHERE datname = $1::text AND coalesce(shobj_description(oid, 'pg_database'), '')"
	"  NOT LIKE 'aiops: ' || $2::text || '%'";

int pgswap_drop_unfinished(PGconn *conn, const struct pgswap *s, uint64_t deadline_ns,
			   struct err *reterr)
{
	const char *const texts[] = { s->next, MARK_ASIDE, NULL };
	int r = tell_made(conn, unfinished_sql, texts, deadline_ns, reterr);

	return r < 0 ? err_wrap(reterr, r, "drop database '%s'", s->next) : 0;
}

/* ---- the exchange ---- */

/* Those that it may: an operator's role all but superusers', the owner its own and its members'. */
static const char end_sessions_sql[] =
	"SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a"
	" JOIN pg_roles r ON r.oid = a.usesysid"
	" WHERE a.datname IN ($1::text, $2::text) AND a.pid <> pg_backend_pid() AND NOT r.rolsuper"
	" AND (pg_has_role('pg_signal_backend', 'USAGE') OR pg_has_role(a.usesysid, 'USAGE'))";

/* An answer that is awaited while others are told to go. Returns 0; as pg_ask(). */
static int wait_answer(PGconn *conn, PGconn *ender, const char *const names[], uint64_t deadline_ns,
		       struct err *reterr)
{
	_cleanup_result_ PGresult *res = NULL;

	while (PQisBusy(conn)) {
		_cleanup_result_ PGresult *ended = NULL;
		struct pollfd p = { .fd = PQsocket(conn), .events = POLLIN };
		uint64_t turn_end_ns = earlier(clock_boot_ns() + NS_PER_S, deadline_ns);

		if (clock_boot_ns() >= deadline_ns)
			return err_set(reterr, -ETIMEDOUT, "the server does not answer");
		/* One that could not be told is told again. */
		int r = pg_ask(ender, end_sessions_sql, names, turn_end_ns, &ended, NULL);

		(void)r;
		(void)poll(&p, 1, (int)(TELL_NS / NS_PER_MS));
		if (!PQconsumeInput(conn))
			return pg_fail(conn, NULL, reterr);
	}
	res = PQgetResult(conn);
	PQclear(PQgetResult(conn)); /* the NULL behind it */
	return PQresultStatus(res) == PGRES_COMMAND_OK ? 0 : pg_fail(conn, res, reterr);
}

/* While it waits for sessions to go, the server lets no new one in. */
static int rename_to(PGconn *conn, PGconn *ender, const char *from, const char *to,
		     uint64_t deadline_ns, struct err *reterr)
{
	const char *const names[] = { from, to, NULL };
	_cleanup_result_ PGresult *res = NULL;
	int r = ask(conn, "SELECT format('ALTER DATABASE %I RENAME TO %I', $1::text, $2::text)",
		    names, deadline_ns, &res, reterr);

	if (r < 0)
		return r;
	if (!PQsendQueryParams(conn, PQgetvalue(res, 0, 0), 0, NULL, NULL, NULL, NULL, 0))
		return pg_fail(conn, NULL, reterr);
	while (PQflush(conn) > 0) {
		struct pollfd p = { .fd = PQsocket(conn), .events = POLLOUT };

		if (clock_boot_ns() >= deadline_ns)
			return err_set(reterr, -ETIMEDOUT, "the server does not answer");
		(void)poll(&p, 1, (int)(TELL_NS / NS_PER_MS));
	}
	return wait_answer(conn, ender, names, deadline_ns, reterr);
}

struct turn_of {
	const char *live_to, *to_live;
};

/* What goes gets an end, what comes the comment that the other had. */
static const char comment_sql[] =
	"SELECT format('COMMENT ON DATABASE %I IS %s', $1::text, coalesce(quote_literal("
	"shobj_description((SELECT oid FROM pg_database WHERE datname = $2::text),"
	" 'pg_database')), 'NULL'))";

static int exchange(PGconn *conn, PGconn *ender, const struct pgswap *s, struct turn_of t,
		    uint64_t deadline_ns, struct err *reterr)
{
	const char *live = s->database.name;
	const char *const from_old[] = { live, t.live_to, NULL };
	int r = tell(conn, "BEGIN", deadline_ns, reterr);

	if (r == 0)
		r = rename_to(conn, ender, live, t.live_to, deadline_ns, reterr);
	if (r == 0)
		r = rename_to(conn, ender, t.to_live, live, deadline_ns, reterr);
	if (r == 0)
		r = tell_made(conn, comment_sql, from_old, deadline_ns, reterr);
	if (r == 0)
		r = mark(conn, s, t.live_to, MARK_ASIDE, deadline_ns, reterr);
	if (r == 0)
		return tell(conn, "COMMIT", deadline_ns, reterr);
	/* Where the server is lost, it has rolled back. */
	return tell(conn, "ROLLBACK", deadline_ns, NULL) < 0 && r == -EBUSY ? -ENOTCONN : r;
}

static int swap(PGconn *conn, const struct pgswap *s, struct turn_of t, int credentials_fd,
		uint64_t deadline_ns, struct err *reterr)
{
	_cleanup_(pg_closep) PGconn *ender = NULL;
	enum pg_role role = s->database.operator[0] ? PG_ROLE_OPERATOR : PG_ROLE_OWNER;
	int r = connect_maintenance(&s->database, role, credentials_fd, deadline_ns, &ender,
				    reterr);

	for (int i = 0; r == 0 && i < BUSY_TRIES; i++) {
		r = exchange(conn, ender, s, t, deadline_ns, reterr);
		if (r != -EBUSY || i + 1 == BUSY_TRIES)
			break;
		r = 0;
	}
	return r < 0 ? err_wrap(reterr, r, "rename database '%s' to '%s'", s->database.name,
				t.live_to) :
		       0;
}

int pgswap_swap(PGconn *conn, const struct pgswap *s, int credentials_fd, uint64_t deadline_ns,
		struct err *reterr)
{
	return swap(conn, s, (struct turn_of){ s->aside, s->next }, credentials_fd, deadline_ns,
		    reterr);
}

int pgswap_swap_back(PGconn *conn, const struct pgswap *s, int credentials_fd, uint64_t deadline_ns,
		     struct err *reterr)
{
	return swap(conn, s, (struct turn_of){ s->next, s->aside }, credentials_fd, deadline_ns,
		    reterr);
}

/* ---- the end of what was set aside ---- */

static const char expired_sql[] =
	"SELECT format('DROP DATABASE %I', d.datname) FROM pg_database d"
	" WHERE d.datname LIKE $1::text AND pg_get_userbyid(d.datdba) = current_user"
	" AND substring(shobj_description(d.oid, 'pg_database')"
	"  FROM '^aiops: .*, to be dropped after ([0-9]{1,12})$')::bigint"
	"  <= extract(epoch FROM now())"
	" AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)";

/* Returns 0; -EBUSY: a restore is at work, and one of these may be its own. */
static int try_lock(PGconn *conn, const struct database *d, uint64_t deadline_ns,
		    struct err *reterr)
{
	const char *const texts[] = { d->name, NULL };
	_cleanup_result_ PGresult *res = NULL;
	int r = ask(conn, "SELECT pg_try_advisory_lock(" LOCK_CLASS ", hashtext($1::text))", texts,
		    deadline_ns, &res, reterr);

	return r < 0 ? r : is_true(res, 0) ? 0 : -EBUSY;
}

int pgswap_expire(const struct database *d, int credentials_fd, uint64_t deadline_ns,
		  struct err *reterr)
{
	char pattern[2 * POSTGRES_NAME_MAX + 16];
	const char *const texts[] = { pattern, NULL };
	_cleanup_(pg_closep) PGconn *conn = NULL;
	_cleanup_result_ PGresult *res = NULL;
	int n = 0,
	    r = connect_maintenance(d, PG_ROLE_OWNER, credentials_fd, deadline_ns, &conn, reterr);

	format_pattern(d, pattern, sizeof(pattern));
	if (r == 0)
		r = try_lock(conn, d, deadline_ns, reterr);
	if (r == 0)
		r = ask(conn, expired_sql, texts, deadline_ns, &res, reterr);
	for (; r == 0 && n < PQntuples(res); n++)
		r = tell(conn, PQgetvalue(res, n, 0), deadline_ns, reterr);
	return r < 0 && r != -EBUSY ? r : n;
}
