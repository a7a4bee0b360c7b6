/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "selftests/target/app/app.h"
#include "selftests/target/app/log.h"

/* Source: OpenMetrics 1.0. */
#define TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

static void put_requests(FILE *f, const struct server *s)
{
	(void)fputs("# TYPE target_requests counter\n", f);
	for (size_t i = 0; app_routes[i].method; i++) {
		const struct route_count *c = server_count(s, i);

		for (unsigned class = 1; class < 6; class ++)
			if (c->answers[class] > 0)
				(void)fprintf(f,
					      "target_requests_total{method=\"%s\",route=\"%s\","
					      "status=\"%uxx\"} %" PRIu64 "\n",
					      app_routes[i].method, app_routes[i].path, class,
					      c->answers[class]);
	}
}

static void put_durations(FILE *f, const struct server *s)
{
	(void)fputs(
		"# TYPE target_request_seconds histogram\n# UNIT target_request_seconds seconds\n",
		f);
	for (size_t i = 0; app_routes[i].method; i++) {
		const struct route_count *c = server_count(s, i);
		uint64_t sum = 0;

		for (size_t b = 0; b < SERVER_BUCKETS_MAX; b++) {
			char le[32] = "+Inf";

			sum += c->buckets[b];
			if (server_bucket_us[b] != UINT64_MAX)
				(void)snprintf(le, sizeof(le), "%g",
					       (double)server_bucket_us[b] / 1e6);
			(void)fprintf(f,
				      "target_request_seconds_bucket{method=\"%s\",route=\"%s\","
				      "le=\"%s\"} %" PRIu64 "\n",
				      app_routes[i].method, app_routes[i].path, le, sum);
		}
		(void)fprintf(f,
			      "target_request_seconds_count{method=\"%s\",route=\"%s\"} %" PRIu64
			      "\ntarget_request_seconds_sum{method=\"%s\",route=\"%s\"} %.6f\n",
			      app_routes[i].method, app_routes[i].path, sum, app_routes[i].method,
			      app_routes[i].path, (double)c->duration_us / 1e6);
	}
}

static void put_one(FILE *f, const char *type, const char *name, uint64_t value)
{
	(void)fprintf(f, "# TYPE target_%s %s\ntarget_%s%s %" PRIu64 "\n", name, type, name,
		      type[0] == 'c' ? "_total" : "", value);
}

static void put_pool(FILE *f, const struct pool *p)
{
	struct pool_state s = { 0 };

	pool_read_state(p, &s);
	put_one(f, "gauge", "pool_connections", s.connections);
	put_one(f, "gauge", "pool_busy", s.busy);
	put_one(f, "gauge", "pool_queued", s.queued);
	put_one(f, "counter", "pool_lost", s.lost);
	put_one(f, "counter", "pool_failed_connects", s.failed_connects);
	put_one(f, "counter", "pool_timeouts", s.timeouts);
	put_one(f, "counter", "pool_refused", s.refused);
}

void metrics_show(struct request *rq, void *userdata)
{
	struct app *app = userdata;
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f) {
		request_answer(rq, 0, NULL);
		return;
	}
	put_requests(f, app->server);
	put_durations(f, app->server);
	put_one(f, "gauge", "requests_pending", server_pending(app->server));
	put_one(f, "counter", "log_lines_lost", log_lost());
	if (app->pool)
		put_pool(f, app->pool);
	if (app->rates)
		put_one(f, "counter", "rates_failures", rates_count_failures(app->rates));
	(void)fputs("# EOF\n", f);
	if (fclose(f) != 0) {
		free(text);
		text = NULL;
	}
	request_answer_text(rq, MHD_HTTP_OK, TYPE, text);
}
