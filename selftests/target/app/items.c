/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <string.h>

#include "base/str.h"
#include "selftests/target/app/app.h"

#define COLUMNS                                                                                      \
	" i.id, i.list_id, i.title, i.quantity, i.price_cents, i.is_done,"                           \
	" to_char(i.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS created," \
	" to_char(i.changed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS changed"

static const struct field fields[] = {
	{ .name = "title", .type = FIELD_TYPE_TEXT, .min = 1, .max = 120 },
	{ .name = "quantity", .type = FIELD_TYPE_INTEGER, .min = 1, .max = 9999, .fallback = "1" },
	{ .name = "price_cents",
	  .type = FIELD_TYPE_INTEGER,
	  .min = 0,
	  .max = 100000000,
	  .fallback = "0" },
	{ .name = "is_done", .type = FIELD_TYPE_BOOLEAN, .fallback = "f" },
};

static void refuse_argument(struct request *rq, const struct err *err)
{
	request_fail(rq, MHD_HTTP_BAD_REQUEST, "invalid-argument", err_text(err), NULL);
}

/* A list without items is one row with no item in it; no list is no row. */
static void answer_page(struct app *app, struct request *rq, const PGresult *res)
{
	struct page page = { 0 };
	bool is_empty = PQntuples(res) == 1 && PQgetisnull(res, 0, 0);

	(void)app;
	if (PQntuples(res) == 0)
		return request_fail(rq, MHD_HTTP_NOT_FOUND, "not-found", "there is no such list",
				    NULL);
	/* It was good a moment ago. */
	if (page_parse(request_query(rq, "limit"), request_query(rq, "after"), &page, NULL) < 0)
		page.rows = PAGE_ROWS_DEFAULT;
	request_answer(rq, MHD_HTTP_OK, database_page(is_empty ? NULL : res, "items", &page));
}

static void answer_one(struct app *app, struct request *rq, const PGresult *res)
{
	(void)app;
	if (PQntuples(res) != 1)
		request_fail(rq, MHD_HTTP_NOT_FOUND, "not-found", "there is no such item", NULL);
	else
		request_answer(rq, MHD_HTTP_OK, database_row(res, 0));
}

static void answer_made(struct app *app, struct request *rq, const PGresult *res)
{
	(void)app;
	request_answer(rq, MHD_HTTP_CREATED, database_row(res, 0));
}

void items_page(struct request *rq, void *userdata)
{
	char list[24] = "", after[24] = "", rows[24] = "";
	struct pool_query q = { .sql = "SELECT" COLUMNS " FROM lists l LEFT JOIN items i"
				       " ON i.list_id = l.id AND i.id > $2"
				       " WHERE l.id = $1 ORDER BY i.id LIMIT $3",
				.n_params = 3,
				.params = { list, after, rows } };
	struct page page = { 0 };
	struct err err = { 0 };

	if (page_parse(request_query(rq, "limit"), request_query(rq, "after"), &page, &err) < 0)
		return refuse_argument(rq, &err);
	str_append(list, sizeof(list), "%" PRIu64, request_id_in_path(rq));
	str_append(after, sizeof(after), "%" PRIu64, page.after);
	str_append(rows, sizeof(rows), "%u", page.rows + 1);
	database_answer(userdata, rq, &q, answer_page);
}

void items_make(struct request *rq, void *userdata)
{
	char list[24] = "";
	struct pool_query q = { .sql = "INSERT INTO items AS i"
				       " (title, quantity, price_cents, is_done, list_id)"
				       " VALUES ($1, $2, $3, $4, $5) RETURNING" COLUMNS,
				.n_params = ELEMENTSOF(fields) + 1 };
	struct input in;
	struct err err = { 0 };

	if (input_read(request_body(rq), fields, ELEMENTSOF(fields), false, &in, &err) < 0)
		return refuse_argument(rq, &err);
	str_append(list, sizeof(list), "%" PRIu64, request_id_in_path(rq));
	memcpy(q.params, in.values, sizeof(in.values));
	q.params[ELEMENTSOF(fields)] = list;
	database_answer(userdata, rq, &q, answer_made);
}

void items_show(struct request *rq, void *userdata)
{
	char id[24] = "";
	struct pool_query q = { .sql = "SELECT" COLUMNS " FROM items i WHERE i.id = $1",
				.n_params = 1,
				.params = { id } };

	str_append(id, sizeof(id), "%" PRIu64, request_id_in_path(rq));
	database_answer(userdata, rq, &q, answer_one);
}

void items_change(struct request *rq, void *userdata)
{
	char id[24] = "";
	struct pool_query q = { .sql = "UPDATE items AS i SET title = coalesce($1, title),"
				       " quantity = coalesce($2, quantity),"
				       " price_cents = coalesce($3, price_cents),"
				       " is_done = coalesce($4, is_done), changed_at = now()"
				       " WHERE id = $5 RETURNING" COLUMNS,
				.n_params = ELEMENTSOF(fields) + 1 };
	struct input in;
	struct err err = { 0 };

	if (input_read(request_body(rq), fields, ELEMENTSOF(fields), true, &in, &err) < 0)
		return refuse_argument(rq, &err);
	str_append(id, sizeof(id), "%" PRIu64, request_id_in_path(rq));
	memcpy(q.params, in.values, sizeof(in.values));
	q.params[ELEMENTSOF(fields)] = id;
	database_answer(userdata, rq, &q, answer_one);
}

void items_remove(struct request *rq, void *userdata)
{
	char id[24] = "";
	struct pool_query q = { .sql = "DELETE FROM items WHERE id = $1 RETURNING id",
				.n_params = 1,
				.params = { id } };

	str_append(id, sizeof(id), "%" PRIu64, request_id_in_path(rq));
	database_answer(userdata, rq, &q, answer_one);
}
