/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/json.h"

/* HTTP/1.1 + JSON on a Unix socket: libmicrohttpd with its epoll fd inside sd-event. Limits: 32
 * connections in all, 8 served and 16 held per uid, 8 KiB of head, JSON_TEXT_MAX of body, 5 s to send
 * a request. */

/* What a caller may do; from SO_PEERCRED and SO_PEERGROUPS, never from a pid. root has all. */
enum role {
	ROLE_READ,    /* group aiops */
	ROLE_OPERATE, /* aiops-operate: propose */
	ROLE_APPROVE, /* aiops-approve */
	ROLE_CHAOS,   /* aiops-chaos */
	_ROLE_MAX,
};

struct http_caller {
	uid_t uid;
	bool roles[_ROLE_MAX];
	char name[64]; /* "uid 1000"; "root, uid 0" */
};

struct http_request {
	struct http_caller caller;
	const char *path;         /* decoded, starts with '/' */
	const char *tail;         /* what the endpoint's trailing "*" matched, or "" */
	struct json_object *body; /* an object, or NULL where none was sent */
	void *connection;         /* struct MHD_Connection *, for http_query() */
};

/* Value of a query parameter, or NULL. */
const char *http_query(const struct http_request *rq, const char *name);

/* Answer of a handler: status and a JSON value (consumed). */
struct http_answer {
	unsigned status; /* 0: 200 */
	struct json_object *json;
	char location[128]; /* Location: header, or "" */
};

/* One row of the endpoint table; deny by default: what is not in the table is 404, a known path with
 * another method 405, a caller without the role 403. */
struct http_endpoint {
	const char *method; /* "GET", "POST" */
	const char *path;   /* "/v1/incidents" or "/v1/incidents/" "*" */
	enum role role;
	/* Returns 0 with *ret filled, or -errno with reterr: becomes the one JSON error shape
	 * {"error":{"code","message","hint"}} with 400, 403, 404, 409, 413, 503 or 500 by errno. */
	int (*handle)(void *userdata, const struct http_request *rq, struct http_answer *ret,
		      struct err *reterr);
};

struct http_server;

/* Serves listen_fd (taken, of listen_get()). table ends with .method == NULL. */
int http_serve(sd_event *event, int listen_fd, const struct http_endpoint *table, void *userdata,
	       struct http_server **ret, struct err *reterr) _warn_unused_;
struct http_server *http_server_free(struct http_server *s);
