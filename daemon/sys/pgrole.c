/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/pgrole.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "sys/pg.h"

#define SQL_MAX 1024 /* a verifier has 133 bytes, a quoted name at most 128 */

int pg_check_password(PGconn *conn, const char *role, uint64_t deadline_ns, struct err *reterr)
{
	static const char sql[] =
		"SELECT r.rolsuper OR r.rolreplication OR r.rolname = current_user,"
		" (SELECT o.rolcreaterole OR o.rolsuper FROM pg_roles o WHERE o.rolname = current_user)"
		" FROM pg_roles r WHERE r.rolname = $1::text";
	const char *const texts[] = { role, NULL };
	_cleanup_result_ PGresult *res = NULL;
	int r = pg_ask(conn, sql, texts, deadline_ns, &res, reterr);

	if (r < 0)
		return r;
	if (PQntuples(res) != 1)
		return err_set(reterr, -ENOENT, "there is no role '%s'", role);
	if (!str_equal(PQgetvalue(res, 0, 0), "f"))
		return err_set(reterr, -EPERM, "role '%s' is the owner's own, or may too much",
			       role);
	if (!str_equal(PQgetvalue(res, 0, 1), "t"))
		return err_set(reterr, -EACCES, "role '%s' has not CREATEROLE", PQuser(conn));
	return 0;
}

static int format_alter(PGconn *conn, const char *role, const char *password,
			char sql[static SQL_MAX], struct err *reterr)
{
	char *verifier = PQencryptPasswordConn(conn, password, role, "scram-sha-256");
	char *name = PQescapeIdentifier(conn, role, strlen(role));
	char *literal = verifier ? PQescapeLiteral(conn, verifier, strlen(verifier)) : NULL;
	int r = name && literal && strlen(name) + strlen(literal) + 32 < SQL_MAX ? 0 : -ENOMEM;

	sql[0] = '\0';
	if (r == 0)
		str_append(sql, SQL_MAX, "ALTER ROLE %s PASSWORD %s", name, literal);
	PQfreemem(verifier);
	PQfreemem(name);
	PQfreemem(literal);
	return r < 0 ? err_set(reterr, r, "make a verifier for role '%s': %s", role, strerror(-r)) :
		       0;
}

int pg_set_password(PGconn *conn, const char *role, const char *password, uint64_t deadline_ns,
		    struct err *reterr)
{
	_cleanup_result_ PGresult *res = NULL;
	char sql[SQL_MAX];
	int r = pg_check_password(conn, role, deadline_ns, reterr);

	if (r == 0)
		r = format_alter(conn, role, password, sql, reterr);
	if (r == 0)
		r = pg_ask(conn, sql, NULL, deadline_ns, &res, reterr);
	explicit_bzero(sql, sizeof(sql));
	return r;
}
