/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/err.h"

/* HTTP/1.1 on a TCP port, in one thread: a handler answers at once or later, and holds up nobody. */

#define SERVER_ROUTES_MAX  32
#define SERVER_BODY_MAX    (16 * 1024) /* bytes */
#define SERVER_BUCKETS_MAX 12

struct request;
typedef void request_handler_fn(struct request *rq, void *userdata);

struct route {
	const char *method;
	const char *path; /* "/v1/lists/:id/items": ":id" is a number over 0 */
	request_handler_fn *handle;
	bool is_quiet; /* logged only when it fails: asked each second */
};

struct server_config {
	const char *bind_address; /* IPv4 */
	uint16_t port;
	const struct route *routes; /* ends with method NULL */
	void *userdata;
};

/* What was answered on one route. */
struct route_count {
	uint64_t answers[6]; /* by status / 100 */
	uint64_t buckets[SERVER_BUCKETS_MAX], duration_us;
};

struct server;

/* Starts to listen. Returns 0; -EADDRINUSE and other -errno of the socket; -ENOMEM; -EIO. */
int server_new(sd_event *event, const struct server_config *config, struct server **ret,
	       struct err *reterr) _warn_unused_;
struct server *server_free(struct server *s);

uint16_t server_port(const struct server *s);

/* Accepts nobody any more; what was asked gets its answer. done is called from the loop when the last
 * has left, or when that took too long. */
void server_drain(struct server *s, void (*done)(void *userdata));
bool server_is_draining(const struct server *s);

/* Requests that were asked and not yet answered. */
unsigned server_pending(const struct server *s);

const struct route_count *server_count(const struct server *s, size_t route);

/* Upper bounds of the buckets in microseconds; the last is UINT64_MAX. */
extern const uint64_t server_bucket_us[SERVER_BUCKETS_MAX];

/* Of a request. Texts live until it is answered. */
uint64_t request_id_in_path(const struct request *rq);
const char *request_query(const struct request *rq, const char *name);
struct json_object *request_body(const struct request *rq); /* an object, or NULL where none came */

/* Exactly one of these ends each request. json is consumed; NULL (out of memory) is a 500. */
void request_answer(struct request *rq, unsigned status, struct json_object *json);
void request_answer_text(struct request *rq, unsigned status, const char *type, char *text);

/* {"error": {"code": ..., "message": ...}}. cause: for the log alone, may be NULL. */
void request_fail(struct request *rq, unsigned status, const char *code, const char *message,
		  const char *cause);
