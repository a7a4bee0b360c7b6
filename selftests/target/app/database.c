/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "selftests/target/app/app.h"

/* Source: PostgreSQL, src/include/catalog/pg_type.dat. */
#define OID_BOOL 16
#define OID_INT8 20
#define OID_INT4 23

struct question {
	struct app *app;
	struct request *rq;
	rows_fn *wrap;
};

/* What a caller is told of an SQLSTATE. Source: PostgreSQL 15 manual, appendix A. */
static const struct refusal {
	const char *state; /* or the first two characters of it */
	unsigned status;
	const char *code, *message;
} refusals[] = {
	{ "23505", MHD_HTTP_CONFLICT, "name-taken", "there is one of that name already" },
	{ "23503", MHD_HTTP_NOT_FOUND, "not-found", "there is no such list" },
	{ "23", MHD_HTTP_BAD_REQUEST, "invalid-argument", "the database refuses a value" },
	{ "42501", MHD_HTTP_SERVICE_UNAVAILABLE, "database-refuses",
	  "the database does not let the service do that" },
	{ "42P01", MHD_HTTP_SERVICE_UNAVAILABLE, "schema-not-current",
	  "a table is not there: the schema is not current" },
	{ "42703", MHD_HTTP_SERVICE_UNAVAILABLE, "schema-not-current",
	  "a column is not there: the schema is not current" },
	{ "53", MHD_HTTP_SERVICE_UNAVAILABLE, "database-full",
	  "the database has no room or no connection left" },
	{ "25006", MHD_HTTP_SERVICE_UNAVAILABLE, "database-read-only",
	  "the database takes no changes" },
	{ "57014", MHD_HTTP_SERVICE_UNAVAILABLE, "database-slow",
	  "the database did not answer in time" },
	{ "55P03", MHD_HTTP_SERVICE_UNAVAILABLE, "database-slow",
	  "the database is held by somebody else" },
	{ "58", MHD_HTTP_SERVICE_UNAVAILABLE, "database-broken",
	  "the database cannot read its files" },
	{ "XX", MHD_HTTP_SERVICE_UNAVAILABLE, "database-broken", "the database is damaged" },
};

static void refuse(struct request *rq, const char *state, const char *cause)
{
	for (size_t i = 0; state && i < ELEMENTSOF(refusals); i++)
		if (strncmp(state, refusals[i].state, strlen(refusals[i].state)) == 0) {
			request_fail(rq, refusals[i].status, refusals[i].code, refusals[i].message,
				     cause);
			return;
		}
	request_fail(rq, MHD_HTTP_INTERNAL_SERVER_ERROR, "internal", "the query failed", cause);
}

static void lose(struct request *rq, int code, const char *cause)
{
	if (code == -ETIMEDOUT)
		request_fail(rq, MHD_HTTP_SERVICE_UNAVAILABLE, "database-slow",
			     "the database did not answer in time", cause);
	else if (code == -EBUSY)
		request_fail(rq, MHD_HTTP_SERVICE_UNAVAILABLE, "overloaded",
			     "too many requests wait for the database", cause);
	else
		request_fail(rq, MHD_HTTP_SERVICE_UNAVAILABLE, "database-unavailable",
			     "the database cannot be reached; the service tries again by itself",
			     cause);
}

static void on_done(int code, const PGresult *res, const char *cause, void *userdata)
{
	struct question *q = userdata;

	if (code == 0)
		q->wrap(q->app, q->rq, res);
	else if (res)
		refuse(q->rq, PQresultErrorField(res, PG_DIAG_SQLSTATE), cause);
	else
		lose(q->rq, code, cause);
	free(q);
}

void database_answer(struct app *app, struct request *rq, const struct pool_query *query,
		     rows_fn *wrap)
{
	struct question *q;
	struct err err = { 0 };
	int r;

	if (!app->pool) {
		request_fail(rq, MHD_HTTP_SERVICE_UNAVAILABLE, "no-database",
			     "no database is configured", NULL);
		return;
	}
	q = malloc(sizeof(*q));
	if (!q) {
		request_answer(rq, 0, NULL);
		return;
	}
	*q = (struct question){ .app = app, .rq = rq, .wrap = wrap };
	r = pool_run(app->pool, query, on_done, q, &err);
	if (r < 0) {
		free(q);
		lose(rq, r, err_text(&err));
	}
}

static struct json_object *cell(const PGresult *res, int i, int column)
{
	const char *text = PQgetvalue(res, i, column);
	int64_t number = 0;

	switch (PQftype(res, column)) {
	case OID_BOOL:
		return json_object_new_boolean(text[0] == 't');
	case OID_INT4:
	case OID_INT8:
		return str_parse_i64(text, &number) == 0 ? json_object_new_int64(number) : NULL;
	default:
		return json_object_new_string(text);
	}
}

struct json_object *database_row(const PGresult *res, int i)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();

	for (int column = 0; o && column < PQnfields(res); column++)
		if (json_object_object_add(o, PQfname(res, column),
					   PQgetisnull(res, i, column) ? NULL :
									 cell(res, i, column)) < 0)
			return NULL;
	return TAKE_PTR(o);
}

struct json_object *database_page(const PGresult *res, const char *key, const struct page *page)
{
	_cleanup_json_ struct json_object *o = json_object_new_object(),
					  *rows = json_object_new_array();
	int got = res ? PQntuples(res) : 0;
	bool has_more = got > (int)page->rows;
	int n = has_more ? (int)page->rows : got;
	struct json_object *next = NULL;

	for (int i = 0; o && rows && i < n; i++) {
		struct json_object *row = database_row(res, i);

		if (!row || json_object_array_add(rows, row) < 0) {
			(void)json_object_put(row);
			return NULL;
		}
	}
	if (!o || !rows)
		return NULL;
	/* The id is the first column. */
	if (has_more)
		next = cell(res, n - 1, 0);
	(void)json_add(o, key, TAKE_PTR(rows));
	(void)json_object_object_add(o, "next_after", next);
	return TAKE_PTR(o);
}
