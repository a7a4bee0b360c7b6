/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/pgsession.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

#define LOCK_WAIT_MS 5000
/* A backend looks for what it was told at each page it reads, and undoes nothing at its end. */
#define OVER_MAX_NS (10 * NS_PER_S)
#define POLL_NS     (50 * NS_PER_MS)

#define EPOCH_US(column) "round(extract(epoch FROM " column ") * 1000000)::bigint"

static const char read_sql[] = "SELECT coalesce(" EPOCH_US(
	"a.query_start") ", 0), coalesce(a.state, '') = 'active',"
			 " coalesce(a.backend_type, '') = 'client backend',"
			 " coalesce(r.rolsuper OR r.rolreplication, true), coalesce(a.backend_type, 'hidden'),"
			 " coalesce(a.usename, ''), coalesce(a.datname, '')"
			 " FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid"
			 " WHERE a.pid = $1::int AND " EPOCH_US("a.backend_start") " = $2::bigint";

static const char *const signal_sql[] = {
	[PG_SIGNAL_CANCEL] = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
			     " WHERE pid = $1::int AND " EPOCH_US(
				     "backend_start") " = $2::bigint"
						      " AND state = 'active' AND " EPOCH_US(
							      "query_start") " = $3::bigint",
	/* $3 goes unused, but a statement's parameters are counted. */
	[PG_SIGNAL_TERMINATE] =
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
		" WHERE pid = $1::int AND " EPOCH_US("backend_start") " = $2::bigint"
								      " AND $3::bigint IS NOT NULL",
};

static const char operator_sql[] =
	"SELECT r.rolsuper, r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls,"
	" coalesce((SELECT min(g.rolname) FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid"
	"  WHERE m.member = r.oid AND g.rolname NOT IN ('pg_monitor', 'pg_signal_backend')), ''),"
	" pg_has_role(r.oid, 'pg_monitor', 'USAGE'), pg_has_role(r.oid, 'pg_signal_backend', 'USAGE')"
	" FROM pg_roles r WHERE r.rolname = current_user";

int pg_connect_database(const struct database *d, enum pg_role role, int credentials_fd,
			uint64_t deadline_ns, PGconn **ret, struct err *reterr)
{
	bool is_owner = role == PG_ROLE_OWNER;
	struct pg_address a = { .socket_dir = d->socket_dir,
				.port = d->port,
				.database = d->name,
				.role = is_owner ? d->owner : d->operator,
				.credentials_fd = credentials_fd,
				.credential = is_owner ? d->owner_credential :
							 d->operator_credential };

	if (!a.role[0])
		return err_set(reterr, -EOPNOTSUPP,
			       "connect to database '%s': services.d names no 'operator' for it",
			       d->name);
	return pg_connect(&a, LOCK_WAIT_MS, deadline_ns, ret, reterr);
}

int pg_connect_service(const struct services *services, const char *service, enum pg_role role,
		       int credentials_fd, uint64_t deadline_ns, PGconn **ret, struct err *reterr)
{
	const struct service *s = services ? services_find(services, service) : NULL;

	if (!s)
		return err_set(reterr, -ENOENT, "find service '%s': services.d has none", service);
	if (!s->database.socket_dir[0])
		return err_set(reterr, -EOPNOTSUPP, "find database of service '%s': it has none",
			       service);
	return pg_connect_database(&s->database, role, credentials_fd, deadline_ns, ret, reterr);
}

/* The three parameters that all statements here have, as texts. */
struct session_texts {
	char pid[16], backend_start[24], query_start[24];
	const char *v[4];
};

static void format_texts(uint32_t pid, uint64_t backend_start_us, uint64_t query_start_us,
			 struct session_texts *t)
{
	*t = (struct session_texts){ .v = { t->pid, t->backend_start, t->query_start, NULL } };
	str_append(t->pid, sizeof(t->pid), "%" PRIu32, pid);
	str_append(t->backend_start, sizeof(t->backend_start), "%" PRIu64, backend_start_us);
	str_append(t->query_start, sizeof(t->query_start), "%" PRIu64, query_start_us);
}

static bool is_true(const PGresult *res, int column)
{
	return str_equal(PQgetvalue(res, 0, column), "t");
}

/* Returns 1; 0: that session is no more; -errno. */
static int read_session(PGconn *conn, uint32_t pid, uint64_t backend_start_us, uint64_t deadline_ns,
			struct pg_session *ret, struct err *reterr)
{
	_cleanup_result_ PGresult *res = NULL;
	struct pg_session s = { .pid = pid, .backend_start_us = backend_start_us };
	struct session_texts t;
	int r;

	format_texts(pid, backend_start_us, 0, &t);
	t.v[2] = NULL;
	r = pg_ask(conn, read_sql, t.v, deadline_ns, &res, reterr);
	if (r < 0 || PQntuples(res) == 0)
		return r;
	if (str_parse_u64(PQgetvalue(res, 0, 0), &s.query_start_us) < 0)
		return err_set(reterr, -EBADMSG, "read session '%u': its times are no times", pid);
	s.is_active = is_true(res, 1);
	s.is_client = is_true(res, 2);
	s.is_privileged = is_true(res, 3);
	(void)str_copy(s.kind, sizeof(s.kind), PQgetvalue(res, 0, 4));
	(void)str_copy(s.role, sizeof(s.role), PQgetvalue(res, 0, 5));
	(void)str_copy(s.database, sizeof(s.database), PQgetvalue(res, 0, 6));
	*ret = s;
	return 1;
}

int pg_session_check(const struct pg_session *s, const char *database, struct err *reterr)
{
	char clean[ERR_TEXT_MAX / 2];

	/* An autovacuum that prevents the wraparound of transaction ids is among them. */
	if (!s->is_client)
		return err_set(reterr, -EPERM, "it is the server's own: %s", s->kind);
	if (s->is_privileged)
		return err_set(reterr, -EPERM, "its role '%s' is a superuser or replicates",
			       str_escape(clean, sizeof(clean), s->role));
	if (!str_equal(s->database, database))
		return err_set(reterr, -EPERM, "it is in database '%s', not in '%s'",
			       str_escape(clean, sizeof(clean), s->database), database);
	return 0;
}

/* Is our own role no more than an operator's? Returns 0; -EPERM with what it may too much; -EACCES with what
 * it lacks; -errno. */
static int check_operator(PGconn *conn, uint64_t deadline_ns, struct err *reterr)
{
	_cleanup_result_ PGresult *res = NULL;
	int r = pg_ask(conn, operator_sql, NULL, deadline_ns, &res, reterr);
	const char *role = PQuser(conn);

	if (r < 0)
		return r;
	if (PQntuples(res) != 1)
		return err_set(reterr, -EACCES, "role '%s': the server does not show it", role);
	if (is_true(res, 0) || is_true(res, 1))
		return err_set(reterr, -EPERM, "role '%s' may more than an operator needs: %s",
			       role,
			       is_true(res, 0) ? "it is a superuser" :
						 "create roles or databases, replicate, or "
						 "pass row security");
	if (PQgetvalue(res, 0, 2)[0])
		return err_set(reterr, -EPERM,
			       "role '%s' may more than an operator needs: it is a member of '%s'",
			       role, PQgetvalue(res, 0, 2));
	if (!is_true(res, 3) || !is_true(res, 4))
		return err_set(reterr, -EACCES, "role '%s' has not been granted %s", role,
			       is_true(res, 3) ? "pg_signal_backend" : "pg_monitor");
	return 0;
}

static int open_as_operator(const struct pg_session_ask *a, PGconn **ret, struct err *reterr)
{
	int r = pg_connect_service(a->services, a->service, PG_ROLE_OPERATOR, a->credentials_fd,
				   a->deadline_ns, ret, reterr);

	return r < 0 ? r : check_operator(*ret, a->deadline_ns, reterr);
}

int pg_session_choose(const struct pg_session_ask *a, enum pg_signal signal, struct pg_session *ret,
		      struct err *reterr)
{
	_cleanup_(pg_closep) PGconn *conn = NULL;
	uint64_t backend_start_us = 0;
	uint32_t pid = 0;
	int r = open_as_operator(a, &conn, reterr);

	if (r == 0 && sscanf(a->session, "%" SCNu32 ":%" SCNu64, &pid, &backend_start_us) != 2)
		r = err_set(reterr, -EINVAL, "that is no session");
	if (r == 0)
		r = read_session(conn, pid, backend_start_us, a->deadline_ns, ret, reterr);
	if (r <= 0)
		return r;
	r = pg_session_check(ret, services_find(a->services, a->service)->database.name, reterr);
	return r < 0 ? r : ret->is_active || signal == PG_SIGNAL_TERMINATE;
}

int pg_session_tell(const struct pg_session_ask *a, enum pg_signal signal,
		    const struct pg_session *s, struct err *reterr)
{
	_cleanup_result_ PGresult *res = NULL;
	_cleanup_(pg_closep) PGconn *conn = NULL;
	struct session_texts t;
	int r = open_as_operator(a, &conn, reterr);

	format_texts(s->pid, s->backend_start_us, s->query_start_us, &t);
	if (r == 0)
		r = pg_ask(conn, signal_sql[signal], t.v, a->deadline_ns, &res, reterr);
	return r < 0 ? r : PQntuples(res) == 1 && is_true(res, 0);
}

/* Returns 1; 0: not yet; -errno. */
static int is_over(PGconn *conn, enum pg_signal signal, const struct pg_session *s,
		   uint64_t deadline_ns, struct err *reterr)
{
	struct pg_session now = { 0 };
	int r = read_session(conn, s->pid, s->backend_start_us, deadline_ns, &now, reterr);

	if (r <= 0)
		return r < 0 ? r : 1;
	switch (signal) {
	case PG_SIGNAL_CANCEL:
		return !now.is_active || now.query_start_us != s->query_start_us;
	case PG_SIGNAL_TERMINATE:
		break;
	}
	return 0;
}

int pg_session_wait_over(const struct pg_session_ask *a, enum pg_signal signal,
			 const struct pg_session *s, struct err *reterr)
{
	uint64_t end_ns = clock_boot_ns() + OVER_MAX_NS;
	_cleanup_(pg_closep) PGconn *conn = NULL;
	int r = open_as_operator(a, &conn, reterr);

	while (r == 0) {
		r = is_over(conn, signal, s, a->deadline_ns, reterr);
		if (r != 0)
			break;
		if (clock_boot_ns() >= end_ns || clock_boot_ns() >= a->deadline_ns)
			return err_set(reterr, -ETIMEDOUT, "it was told, and goes on");
		clock_sleep_ns(POLL_NS);
	}
	return r < 0 ? r : 0;
}
