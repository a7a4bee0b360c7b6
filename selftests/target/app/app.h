/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "selftests/target/app/cache.h"
#include "selftests/target/app/env.h"
#include "selftests/target/app/input.h"
#include "selftests/target/app/pool.h"
#include "selftests/target/app/rates.h"
#include "selftests/target/app/server.h"

/* What the handlers share. A part that is not configured is NULL. */
struct app {
	struct env env;
	struct server *server;
	struct pool *pool;
	struct rates *rates;
	struct cache cache;            /* path NULL = none */
	uint32_t migrations_expected;  /* the newest file's number */
	uint64_t answers, work_chunks; /* of /healthz */
};

extern const struct route app_routes[];

/* One query of a request. wrap answers it from the rows; a failure is answered here. */
typedef void rows_fn(struct app *app, struct request *rq, const PGresult *res);

void database_answer(struct app *app, struct request *rq, const struct pool_query *q,
		     rows_fn *wrap);

/* Row i as an object, its keys the columns' names. NULL if memory is out. */
struct json_object *database_row(const PGresult *res, int i);

/* A page of rows: {KEY: [...], "next_after": ID or null}. The query asked for one row more than fits.
 * res NULL: there is none. */
struct json_object *database_page(const PGresult *res, const char *key, const struct page *page);

/* Handlers. */
void lists_page(struct request *rq, void *userdata);
void lists_make(struct request *rq, void *userdata);
void lists_show(struct request *rq, void *userdata);
void lists_change(struct request *rq, void *userdata);
void lists_remove(struct request *rq, void *userdata);
void lists_total(struct request *rq, void *userdata);
void items_page(struct request *rq, void *userdata);
void items_make(struct request *rq, void *userdata);
void items_show(struct request *rq, void *userdata);
void items_change(struct request *rq, void *userdata);
void items_remove(struct request *rq, void *userdata);
void health_alive(struct request *rq, void *userdata);
void health_ready(struct request *rq, void *userdata);
void metrics_show(struct request *rq, void *userdata);
