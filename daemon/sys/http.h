/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

/* One HTTP request, synchronous, for programs that may block (steps). No proxy, no redirect, no kept connection,
 * no credential from the environment, and no name is resolved: a thread would have to do that. */

#define HTTP_HEADER_VALUE_MAX 64

struct http_ask {
	const char *socket_path; /* NULL: by the URL, whose host is an address or "localhost" */
	bool is_connect_only;    /* a port that answers is all that is wanted: no request */
	const char *method;      /* "GET", "POST" */
	const char *url;
	const char *body;   /* JSON; NULL: none */
	const char *header; /* of the answer, wanted in header_value; NULL: none */
	size_t answer_max_bytes;
	uint64_t span_max_ns; /* of all of it: connect, request, answer */
};

struct http_answer {
	long status;
	bool is_sent; /* the server may have the request: set also where http_ask() failed */
	char header_value[HTTP_HEADER_VALUE_MAX]; /* "" where it was not there */
	char *body;                               /* NUL-terminated */
	size_t size;
};

/* Returns 0, whatever the status says; -ENOENT, -ECONNREFUSED, ...: no connection; -ETIMEDOUT: no
 * whole answer within span_max_ns; -EFBIG: a longer one than answer_max_bytes; -EIO, -ENOMEM. */
int http_ask(const struct http_ask *q, struct http_answer *ret, struct err *reterr) _warn_unused_;
void http_answer_done(struct http_answer *a);
