/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/pg.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "sys/credential.h"

#define CONNECT_MAX_NS \
	(5 * NS_PER_S) /* a server that is frozen takes connections and says nothing */

static int span_left_ms(uint64_t deadline_ns)
{
	uint64_t now_ns = clock_boot_ns();
	uint64_t left_ms = deadline_ns > now_ns ? (deadline_ns - now_ns) / NS_PER_MS : 0;

	return left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
}

/* ---- what went wrong ---- */

/* Source: PostgreSQL 15 manual, appendix A. */
static int errno_of_state(PGconn *conn, const char *state)
{
	static const struct {
		const char *state;
		int code;
	} known[] = {
		{ "55P03", -EBUSY },  { "40P01", -EBUSY },     { "25P03", -EBUSY },
		{ "55006", -EBUSY },  { "57014", -ETIMEDOUT }, { "42501", -EACCES },
		{ "28000", -EACCES }, { "28P01", -EACCES },    { "53100", -ENOSPC },
		{ "25006", -EROFS },  { "3D000", -ENOENT },    { "42P01", -ENOENT },
		{ "42704", -ENOENT }, { "57P03", -ENOTCONN },
	};

	for (size_t i = 0; state && i < ELEMENTSOF(known); i++)
		if (str_equal(state, known[i].state))
			return known[i].code;
	if (PQstatus(conn) == CONNECTION_BAD)
		return -ENOTCONN;
	return state && strncmp(state, "22", 2) == 0 ? -EBADMSG :
						       -EIO; /* class 22: data exception */
}

static void copy_line(char *buf, size_t size, const char *text)
{
	char line[ERR_TEXT_MAX] = "";

	str_append(line, sizeof(line), "%s", text);
	for (char *c = line; *c; c++)
		*c = *c == '\n' ? ' ' : *c;
	for (size_t n = strlen(line); n > 0 && line[n - 1] == ' '; n--)
		line[n - 1] = '\0';
	(void)str_escape(buf, size, line);
}

int pg_fail(PGconn *conn, const PGresult *res, struct err *reterr)
{
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	char line[ERR_TEXT_MAX];

	copy_line(line, sizeof(line), text ? text : PQerrorMessage(conn));
	return err_set(reterr, errno_of_state(conn, PQresultErrorField(res, PG_DIAG_SQLSTATE)),
		       "%s", line);
}

/* There is no result while connecting, and no SQLSTATE: the words have to do. */
static int fail_to_connect(PGconn *conn, struct err *reterr)
{
	static const struct {
		const char *words;
		int code;
	} known[] = {
		{ "authentication failed", -EACCES }, { "no pg_hba.conf entry", -EACCES },
		{ "pg_hba.conf rejects", -EACCES },   { "permission denied", -EACCES },
		{ "no password supplied", -EACCES },  { "does not exist", -ENOENT },
	};
	const char *text = PQerrorMessage(conn);
	char line[ERR_TEXT_MAX];
	int code = -ENOTCONN;

	for (size_t i = 0; i < ELEMENTSOF(known); i++)
		if (strstr(text, known[i].words))
			code = known[i].code;
	copy_line(line, sizeof(line), text);
	return err_set(reterr, code, "%s", line);
}

/* ---- waiting ---- */

/* Waits for the connection's socket. Returns 0; -ETIMEDOUT; -errno. */
static int wait_socket(PGconn *conn, short events, uint64_t deadline_ns, struct err *reterr)
{
	for (;;) {
		struct pollfd p = { .fd = PQsocket(conn), .events = events };
		int n = poll(&p, 1, span_left_ms(deadline_ns));

		if (n > 0)
			return 0;
		if (n == 0)
			return err_set(reterr, -ETIMEDOUT, "the server does not answer");
		if (errno != EINTR)
			return err_set(reterr, -errno, "wait for the server: %s", strerror(errno));
	}
}

static int finish_connecting(PGconn *conn, uint64_t deadline_ns, struct err *reterr)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;
	int r = 0;

	if (PQstatus(conn) == CONNECTION_BAD)
		return fail_to_connect(conn, reterr);
	while (r == 0 && status != PGRES_POLLING_OK) {
		r = wait_socket(conn, status == PGRES_POLLING_READING ? POLLIN : POLLOUT,
				deadline_ns, reterr);
		status = r == 0 ? PQconnectPoll(conn) : status;
		if (r == 0 && status == PGRES_POLLING_FAILED)
			return fail_to_connect(conn, reterr);
	}
	return r;
}

/* ---- connecting ---- */

static PGconn *begin_connecting(const struct pg_address *a, const char *password,
				const char *options)
{
	char port[16] = "";
	const char *const keys[] = { "host",       "port",     "dbname",           "user",
				     "password",   "options",  "application_name", "sslmode",
				     "gssencmode", "passfile", "client_encoding",  NULL };
	const char *const values[] = { a->socket_dir, port,        a->database, a->role,
				       password,      options,     "aiops",     "disable",
				       "disable",     "/dev/null", "UTF8",      NULL };

	_Static_assert(ELEMENTSOF(keys) == ELEMENTSOF(values), "a value for each key");
	str_append(port, sizeof(port), "%u", a->port);
	return PQconnectStartParams(keys, values, 0);
}

int pg_connect(const struct pg_address *a, uint32_t lock_wait_ms, uint64_t deadline_ns,
	       PGconn **ret, struct err *reterr)
{
	_cleanup_(pg_closep) PGconn *conn = NULL;
	char password[CREDENTIAL_MAX] = "", options[128] = "";
	uint64_t connect_end_ns = clock_boot_ns() + CONNECT_MAX_NS;
	int r = 0;

	if (connect_end_ns > deadline_ns)
		connect_end_ns = deadline_ns;

	if (a->credential[0])
		r = credential_read(a->credentials_fd, a->credential, password, reterr);
	if (r < 0)
		return r;
	/* A search path of our own: what a schema of others holds is never meant. */
	str_append(options, sizeof(options),
		   "-c search_path=pg_catalog -c statement_timeout=%d -c lock_timeout=%u",
		   span_left_ms(deadline_ns) + 1, lock_wait_ms);
	conn = begin_connecting(a, a->credential[0] ? password : NULL, options);
	explicit_bzero(password, sizeof(password));
	r = conn ? finish_connecting(conn, connect_end_ns, reterr) :
		   err_set(reterr, -ENOMEM, "%s", strerror(ENOMEM));
	if (r < 0)
		return err_wrap(reterr, r, "connect to database '%s' as '%s'", a->database,
				a->role);
	if (PQsetnonblocking(conn, 1) < 0)
		return err_set(reterr, -ENOMEM, "connect to database '%s': %s", a->database,
			       strerror(ENOMEM));
	*ret = TAKE_PTR(conn);
	return 0;
}

int pg_connect_dsn(const char *dsn, uint64_t deadline_ns, PGconn **ret, struct err *reterr)
{
	/* What stands behind the DSN counts more than what it says. */
	static const char *const keys[] = { "dbname",   "application_name", "options",
					    "passfile", "client_encoding",  NULL };
	const char *const values[] = { dsn,
				       "aiops",
				       "-c search_path=pg_catalog,pg_temp -c lock_timeout=5000"
				       " -c statement_timeout=60000",
				       "/nonexistent",
				       "UTF8",
				       NULL };
	_cleanup_(pg_closep) PGconn *conn = PQconnectStartParams(keys, values, 1);
	int r = conn ? finish_connecting(conn, deadline_ns, reterr) :
		       err_set(reterr, -ENOMEM, "%s", strerror(ENOMEM));

	if (r == 0 && PQsetnonblocking(conn, 1) < 0)
		r = err_set(reterr, -ENOMEM, "%s", strerror(ENOMEM));
	if (r < 0)
		return err_wrap(reterr, r, "connect to the store");
	*ret = TAKE_PTR(conn);
	return 0;
}

/* ---- asking ---- */

static int flush(PGconn *conn, uint64_t deadline_ns, struct err *reterr)
{
	int left, r = 0;

	while (r == 0 && (left = PQflush(conn)) != 0) {
		if (left < 0)
			return pg_fail(conn, NULL, reterr);
		r = wait_socket(conn, POLLIN | POLLOUT, deadline_ns, reterr);
		if (r == 0 && !PQconsumeInput(conn))
			return pg_fail(conn, NULL, reterr);
	}
	return r;
}

/* The next result, or NULL after the last one. */
static int next_result(PGconn *conn, uint64_t deadline_ns, PGresult **ret, struct err *reterr)
{
	int r = 0;

	while (r == 0 && PQisBusy(conn)) {
		r = wait_socket(conn, POLLIN, deadline_ns, reterr);
		if (r == 0 && !PQconsumeInput(conn))
			return pg_fail(conn, NULL, reterr);
	}
	if (r == 0)
		*ret = PQgetResult(conn);
	return r;
}

int pg_ask(PGconn *conn, const char *sql, const char *const *texts, uint64_t deadline_ns,
	   PGresult **ret, struct err *reterr)
{
	_cleanup_result_ PGresult *res = NULL, *last = NULL;
	int n = 0, r;

	while (texts && texts[n])
		n++;
	if (!PQsendQueryParams(conn, sql, n, NULL, texts, NULL, NULL, 0))
		return pg_fail(conn, NULL, reterr);
	r = flush(conn, deadline_ns, reterr);
	if (r == 0)
		r = next_result(conn, deadline_ns, &res, reterr);
	if (r == 0) /* one statement has one result; the NULL behind it frees the connection */
		r = next_result(conn, deadline_ns, &last, reterr);
	if (r < 0)
		return r;
	if (PQresultStatus(res) != PGRES_TUPLES_OK && PQresultStatus(res) != PGRES_COMMAND_OK)
		return pg_fail(conn, res, reterr);
	*ret = TAKE_PTR(res);
	return 0;
}

#define COPY_CHUNK_BYTES (64 * 1024)

static int put_copy(PGconn *conn, const char *data, size_t length, uint64_t deadline_ns,
		    struct err *reterr)
{
	int q, r = 0;

	for (size_t at = 0, n; r == 0 && at < length; at += n) {
		n = length - at < COPY_CHUNK_BYTES ? length - at : COPY_CHUNK_BYTES;
		while (r == 0 && (q = PQputCopyData(conn, data + at, (int)n)) != 1)
			r = q < 0 ? pg_fail(conn, NULL, reterr) : flush(conn, deadline_ns, reterr);
		if (r == 0)
			r = flush(conn, deadline_ns, reterr);
	}
	while (r == 0 && (q = PQputCopyEnd(conn, NULL)) != 1)
		r = q < 0 ? pg_fail(conn, NULL, reterr) : flush(conn, deadline_ns, reterr);
	return r == 0 ? flush(conn, deadline_ns, reterr) : r;
}

int pg_copy(PGconn *conn, const char *sql, const char *data, size_t length, uint64_t deadline_ns,
	    struct err *reterr)
{
	_cleanup_result_ PGresult *begun = NULL, *res = NULL, *last = NULL;
	int r;

	if (!PQsendQuery(conn, sql))
		return pg_fail(conn, NULL, reterr);
	r = flush(conn, deadline_ns, reterr);
	if (r == 0)
		r = next_result(conn, deadline_ns, &begun, reterr);
	if (r < 0)
		return r;
	if (PQresultStatus(begun) != PGRES_COPY_IN) {
		r = pg_fail(conn, begun, reterr);
		(void)next_result(conn, deadline_ns, &last, NULL);
		return r;
	}
	r = put_copy(conn, data, length, deadline_ns, reterr);
	if (r == 0)
		r = next_result(conn, deadline_ns, &res, reterr);
	if (r == 0)
		r = next_result(conn, deadline_ns, &last, reterr);
	if (r < 0)
		return r;
	return PQresultStatus(res) == PGRES_COMMAND_OK ? 0 : pg_fail(conn, res, reterr);
}
