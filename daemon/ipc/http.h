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
	ROLE_PROPOSE, /* aiops-operate, and who has the key of remote.sock: ask for an action */
	ROLE_OPERATE, /* aiops-operate: cancel and undo, too */
	ROLE_APPROVE, /* aiops-approve */
	ROLE_CHAOS,   /* aiops-chaos */
	_ROLE_MAX,
};
/* The group that gives it. */
const char *http_role_to_string(enum role role);

struct http_caller {
	uid_t uid;
	bool roles[_ROLE_MAX];
	char name[64];  /* "uid 1000"; "root, uid 0"; "remote, uid 33" */
	bool is_remote; /* by a key: whoever it is, the uid is a forwarder's */
};

struct http_request {
	struct http_caller caller;
	bool is_adopted; /* it came by http_adopt() */
	const char *method;
	const char *path;         /* decoded, starts with '/' */
	const char *tail;         /* what the endpoint's trailing "*" matched, or "" */
	struct json_object *body; /* an object, or NULL where none was sent */
	void *connection;         /* struct MHD_Connection *, for http_query() and http_header() */
};

/* Value of a query parameter, or NULL. */
const char *http_query(const struct http_request *rq, const char *name);

/* Value of a header, or NULL. */
const char *http_header(const struct http_request *rq, const char *name);

/* An answer that goes on: one JSON value a line, sent as they come (application/x-ndjson). */
struct http_stream {
	/* The next line in *ret: 1; not yet, asked again after http_wake(): 0; the end: -ENODATA. */
	int (*next)(struct http_stream *s, struct json_object **ret);
	void (*free)(struct http_stream *s);
};

/* Answer of a handler: status and a JSON value (consumed). */
struct http_answer {
	unsigned status; /* 0: 200 */
	struct json_object *json;
	struct http_stream *stream; /* in the place of json (consumed) */
	char *text;                 /* in the place of both, of malloc(3) (consumed) */
	const char *text_type;      /* its Content-Type: header */
	char location[128];         /* Location: header, or "" */
	uint32_t retry_after_s;     /* Retry-After: header; 0: none */
	/* Of an error. */
	char hint[160];
	uint64_t record_id; /* 0: none is about it */
};

/* {"code", "message", "hint", "record_id"}, the inside of every error; NULL without memory. */
struct json_object *http_error_json(const char *code, const char *message, const char *hint,
				    uint64_t record_id);
/* HTTP status and stable word for a negative errno. */
unsigned http_status_of_errno(int code, const char **ret_word);

/* What openapi.h says of an endpoint; the forms are there. */
struct http_doc {
	const char *summary; /* NULL: not listed */
	const char *query;   /* "dry_run, follow", or NULL */
	const char *body;    /* its members, or NULL */
	const char *answer;  /* status, and members */
	const char *header;  /* a header that means something, or NULL */
};

/* Returns 0 with *ret filled, or -errno with reterr: becomes the one JSON error shape
 * {"error":{"code","message","hint","record_id"}} with 400, 403, 404, 409, 413, 429, 503 or 500 by errno. */
typedef int http_handler(void *userdata, const struct http_request *rq, struct http_answer *ret,
			 struct err *reterr);

/* One row of the endpoint table; deny by default: what is not in the table is 404, a known path with
 * another method 405, a caller without the role 403. */
struct http_endpoint {
	const char *method; /* "GET", "POST", "DELETE" */
	const char *path;   /* "/v1/incidents" or "/v1/incidents/" "*" */
	enum role role;
	http_handler *handle;
	struct http_doc doc;
};

struct http_server;

/* Serves listen_fd (taken, of listen_get(); -EBADF: what is adopted alone). table ends with
 * .method == NULL. */
int http_serve(sd_event *event, int listen_fd, const struct http_endpoint *table, void *userdata,
	       struct http_server **ret, struct err *reterr) _warn_unused_;
struct http_server *http_server_free(struct http_server *s);

/* 503 in the place of 404: why what the table has not is not served by who has it. */
struct http_refusal {
	const char *message, *hint;
};

/* Serves a non-blocking connection (taken) that was accepted elsewhere. refusal: kept; NULL: 404. */
void http_adopt(struct http_server *s, int fd, const struct http_refusal *refusal);

#define HTTP_KEY_MIN 16 /* characters of a bearer key */

/* From now on who connects is known by a key alone ("Authorization: Bearer KEY", compared in constant
 * time) and may read and propose, nothing else. key "": nobody has one. Returns 0; -EINVAL: too short;
 * -ENOMEM. */
int http_require_key(struct http_server *s, const char *key, struct err *reterr) _warn_unused_;

/* Something changed: streams are asked again. From anywhere, also from inside a handler. */
void http_wake(struct http_server *s);
