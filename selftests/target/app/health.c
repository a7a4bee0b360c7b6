/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <microhttpd.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "selftests/target/app/app.h"
#include "selftests/target/app/work.h"

/* Of any currency that is there for certain: whether there are rates at all. */
#define SOME_CURRENCY "USD"

void health_alive(struct request *rq, void *userdata)
{
	struct app *app = userdata;
	char hash[32] = "";
	_cleanup_json_ struct json_object *o = json_object_new_object();

	app->answers++;
	str_append(hash, sizeof(hash), "%016lx",
		   (unsigned long)work_do(app->answers, app->work_chunks));
	if (!o || json_add_string(o, "status", "ok") < 0 ||
	    json_add_u64(o, "answers", app->answers) < 0 || json_add_string(o, "hash", hash) < 0)
		request_answer(rq, 0, NULL);
	else
		request_answer(rq, MHD_HTTP_OK, TAKE_PTR(o));
}

/* parts.NAME = {"state": ..., "cause": ...}; returns it for more. */
static struct json_object *add_part(struct json_object *parts, const char *name, const char *state,
				    const char *cause)
{
	struct json_object *part = json_object_new_object();

	if (!part || json_add_string(part, "state", state) < 0 ||
	    (cause[0] && json_add_string(part, "cause", cause) < 0) ||
	    json_add(parts, name, part) < 0)
		return NULL;
	return part;
}

static bool add_disk(const struct app *app, struct json_object *parts)
{
	struct err err = { 0 };
	bool is_good = !app->cache.path || cache_try(&app->cache, &err) == 0;

	(void)add_part(parts, "disk",
		       !app->cache.path ? "off" :
		       is_good          ? "ok" :
					  "failed",
		       is_good ? "" : err_text(&err));
	return is_good;
}

/* Lost rates take one feature away, not the service. */
static void add_rates(const struct app *app, struct json_object *root, struct json_object *parts)
{
	struct json_object *degraded = json_object_new_array(), *part;
	struct rates_answer a = { .state = RATES_STATE_OFF, .why = "" };

	if (app->rates && rates_read(app->rates, SOME_CURRENCY, &a) < 0)
		a.state = RATES_STATE_LOST;
	part = add_part(parts, "rates", rates_state_to_string(a.state), a.why ? a.why : "");
	if (part && app->rates)
		(void)json_add_string(part, "url", app->env.rates_url);
	if (degraded && (a.state == RATES_STATE_STALE || a.state == RATES_STATE_LOST))
		(void)json_object_array_add(degraded, json_object_new_string("rates"));
	(void)json_add(root, "degraded", degraded);
}

static void answer(struct app *app, struct request *rq, bool is_good, struct json_object *parts)
{
	_cleanup_json_ struct json_object *root = json_object_new_object();

	is_good = add_disk(app, parts) && is_good && !server_is_draining(app->server);
	if (root)
		add_rates(app, root, parts);
	if (!root || json_add_bool(root, "ready", is_good) < 0 ||
	    json_add(root, "parts", json_object_get(parts)) < 0) {
		request_answer(rq, 0, NULL);
		return;
	}
	request_answer(rq, is_good ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, TAKE_PTR(root));
}

static bool add_migrations(const struct app *app, struct json_object *parts, const PGresult *res)
{
	uint64_t version = 0;
	bool is_known = PQntuples(res) == 1 && str_parse_u64(PQgetvalue(res, 0, 0), &version) == 0;
	bool is_current = is_known && version == app->migrations_expected;
	struct json_object *part = add_part(parts, "migrations", is_current ? "ok" : "failed",
					    is_current ? "" :
					    version < app->migrations_expected ?
							 "not all have run" :
							 "newer than the service");

	if (part && (json_add_u64(part, "version", version) < 0 ||
		     json_add_u64(part, "expected", app->migrations_expected) < 0))
		return false;
	return is_current;
}

struct question {
	struct app *app;
	struct request *rq;
};

static void on_version(int code, const PGresult *res, const char *cause, void *userdata)
{
	_cleanup_free_ struct question *q = userdata;
	_cleanup_json_ struct json_object *parts = json_object_new_object();
	bool is_good = false;

	if (!parts) {
		request_answer(q->rq, 0, NULL);
		return;
	}
	/* An error of the query is an answer of the server all the same. */
	(void)add_part(parts, "database", res ? "ok" : "failed", res ? "" : cause);
	if (code == 0)
		is_good = add_migrations(q->app, parts, res);
	else
		(void)add_part(parts, "migrations", res ? "failed" : "unknown", res ? cause : "");
	answer(q->app, q->rq, is_good, parts);
}

static void ready_without_database(struct app *app, struct request *rq)
{
	_cleanup_json_ struct json_object *parts = json_object_new_object();

	if (!parts) {
		request_answer(rq, 0, NULL);
		return;
	}
	(void)add_part(parts, "database", "off", "");
	(void)add_part(parts, "migrations", "off", "");
	answer(app, rq, true, parts);
}

void health_ready(struct request *rq, void *userdata)
{
	static const struct pool_query query = {
		.sql = "SELECT coalesce(max(version), 0) FROM schema_migrations"
	};
	struct app *app = userdata;
	struct question *q;
	struct err err = { 0 };
	int r;

	if (!app->pool)
		return ready_without_database(app, rq);
	q = malloc(sizeof(*q));
	if (!q) {
		request_answer(rq, 0, NULL);
		return;
	}
	*q = (struct question){ .app = app, .rq = rq };
	r = pool_run(app->pool, &query, on_version, q, &err);
	if (r < 0)
		on_version(r, NULL, err_text(&err), q);
}
