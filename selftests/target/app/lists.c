/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "selftests/target/app/app.h"

#define BASE_CURRENCY "EUR"

#define COLUMNS                                                                                    \
	" id, name, note,"                                                                         \
	" to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS created," \
	" (SELECT count(*) FROM items WHERE list_id = lists.id) AS items"

static const struct field fields[] = {
	{ .name = "name", .type = FIELD_TYPE_TEXT, .min = 1, .max = 80 },
	{ .name = "note", .type = FIELD_TYPE_TEXT, .min = 0, .max = 500, .fallback = "" },
};

static void refuse_argument(struct request *rq, const struct err *err)
{
	request_fail(rq, MHD_HTTP_BAD_REQUEST, "invalid-argument", err_text(err), NULL);
}

static void answer_page(struct app *app, struct request *rq, const PGresult *res)
{
	struct page page = { 0 };

	(void)app;
	/* It was good a moment ago. */
	if (page_parse(request_query(rq, "limit"), request_query(rq, "after"), &page, NULL) < 0)
		page.rows = PAGE_ROWS_DEFAULT;
	request_answer(rq, MHD_HTTP_OK, database_page(res, "lists", &page));
}

static void answer_one(struct app *app, struct request *rq, const PGresult *res)
{
	(void)app;
	if (PQntuples(res) != 1)
		request_fail(rq, MHD_HTTP_NOT_FOUND, "not-found", "there is no such list", NULL);
	else
		request_answer(rq, MHD_HTTP_OK, database_row(res, 0));
}

static void answer_made(struct app *app, struct request *rq, const PGresult *res)
{
	(void)app;
	request_answer(rq, MHD_HTTP_CREATED, database_row(res, 0));
}

void lists_page(struct request *rq, void *userdata)
{
	char after[24] = "", rows[24] = "";
	struct pool_query q = { .sql = "SELECT" COLUMNS
				       " FROM lists WHERE id > $1 ORDER BY id LIMIT $2",
				.n_params = 2,
				.params = { after, rows } };
	struct page page = { 0 };
	struct err err = { 0 };

	if (page_parse(request_query(rq, "limit"), request_query(rq, "after"), &page, &err) < 0)
		return refuse_argument(rq, &err);
	str_append(after, sizeof(after), "%" PRIu64, page.after);
	str_append(rows, sizeof(rows), "%u", page.rows + 1);
	database_answer(userdata, rq, &q, answer_page);
}

void lists_make(struct request *rq, void *userdata)
{
	struct input in;
	struct err err = { 0 };
	struct pool_query q = { .sql = "INSERT INTO lists (name, note) VALUES ($1, $2)"
				       " RETURNING" COLUMNS,
				.n_params = 2 };

	if (input_read(request_body(rq), fields, ELEMENTSOF(fields), false, &in, &err) < 0)
		return refuse_argument(rq, &err);
	memcpy(q.params, in.values, sizeof(in.values));
	database_answer(userdata, rq, &q, answer_made);
}

void lists_show(struct request *rq, void *userdata)
{
	char id[24] = "";
	struct pool_query q = { .sql = "SELECT" COLUMNS " FROM lists WHERE id = $1",
				.n_params = 1,
				.params = { id } };

	str_append(id, sizeof(id), "%" PRIu64, request_id_in_path(rq));
	database_answer(userdata, rq, &q, answer_one);
}

void lists_change(struct request *rq, void *userdata)
{
	char id[24] = "";
	struct pool_query q = { .sql = "UPDATE lists SET name = coalesce($1, name),"
				       " note = coalesce($2, note) WHERE id = $3 RETURNING" COLUMNS,
				.n_params = 3 };
	struct input in;
	struct err err = { 0 };

	if (input_read(request_body(rq), fields, ELEMENTSOF(fields), true, &in, &err) < 0)
		return refuse_argument(rq, &err);
	str_append(id, sizeof(id), "%" PRIu64, request_id_in_path(rq));
	memcpy(q.params, in.values, sizeof(in.values));
	q.params[2] = id;
	database_answer(userdata, rq, &q, answer_one);
}

void lists_remove(struct request *rq, void *userdata)
{
	char id[24] = "";
	struct pool_query q = { .sql = "DELETE FROM lists WHERE id = $1 RETURNING id",
				.n_params = 1,
				.params = { id } };

	str_append(id, sizeof(id), "%" PRIu64, request_id_in_path(rq));
	database_answer(userdata, rq, &q, answer_one);
}

static struct json_object *total_json(int64_t cents, const char *currency,
				      const struct rates_answer *a)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();

	if (!o || json_add_i64(o, "total_cents", (int64_t)((double)cents * a->rate + 0.5)) < 0 ||
	    json_add_string(o, "currency", currency) < 0 ||
	    json_add_string(o, "rates", rates_state_to_string(a->state)) < 0)
		return NULL;
	if (a->state == RATES_STATE_OFF)
		return TAKE_PTR(o);
	if (json_add_u64(o, "rates_age_s", a->age_ns / NS_PER_S) < 0 ||
	    json_add_string(o, "rates_source", a->source) < 0)
		return NULL;
	return TAKE_PTR(o);
}

static void answer_total(struct app *app, struct request *rq, const PGresult *res)
{
	const char *currency = request_query(rq, "currency");
	struct rates_answer a = { .state = RATES_STATE_OFF, .rate = 1 };
	int64_t cents = 0;

	if (PQntuples(res) != 1)
		return request_fail(rq, MHD_HTTP_NOT_FOUND, "not-found", "there is no such list",
				    NULL);
	currency = currency ? currency : BASE_CURRENCY;
	if (!str_equal(currency, BASE_CURRENCY)) {
		if (!app->rates)
			return request_fail(rq, MHD_HTTP_SERVICE_UNAVAILABLE, "no-rates",
					    "no exchange rates are configured", NULL);
		if (rates_read(app->rates, currency, &a) < 0)
			return request_fail(rq, MHD_HTTP_BAD_REQUEST, "invalid-argument",
					    "'currency' is not known", NULL);
	}
	if (a.state == RATES_STATE_LOST)
		return request_fail(rq, MHD_HTTP_SERVICE_UNAVAILABLE, "rates-unavailable",
				    "there are no exchange rates at present", a.why);
	if (str_parse_i64(PQgetvalue(res, 0, 0), &cents) < 0)
		cents = 0;
	request_answer(rq, MHD_HTTP_OK, total_json(cents, currency, &a));
}

void lists_total(struct request *rq, void *userdata)
{
	char id[24] = "";
	struct pool_query q = {
		.sql = "SELECT (SELECT coalesce(sum(quantity * price_cents), 0)::bigint"
		       " FROM items WHERE list_id = lists.id) FROM lists WHERE id = $1",
		.n_params = 1,
		.params = { id }
	};

	str_append(id, sizeof(id), "%" PRIu64, request_id_in_path(rq));
	database_answer(userdata, rq, &q, answer_total);
}
