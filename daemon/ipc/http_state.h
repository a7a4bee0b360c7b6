/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <microhttpd.h>

#include "base/sealed.h"
#include "ipc/http.h"

/* What the parts of the HTTP server share. */

struct http_connection {
	struct http_connection *next;
	int fd;
	uint64_t since_ns;
	bool answered, is_adopted;
	const struct http_refusal *refusal;
	struct http_caller caller;
};

struct http_server {
	sd_event *event;
	sd_event_source *io, *timer;
	struct MHD_Daemon *daemon;
	const struct http_endpoint *table;
	void *userdata;
	struct http_connection *connections;
	/* Of the connection that is being adopted. */
	bool is_adopting;
	const struct http_refusal *refusal;
	gid_t role_gids[_ROLE_MAX];
	bool needs_key, is_ending;
	char key_hash[SHA256_HEX_MAX]; /* "": no key opens it */
	struct http_streaming *streams;
};

/* http_caller.c: who it is. */
void http_load_role_gids(struct http_server *s);
/* Fills the caller from a connected AF_UNIX socket. Fails closed: -EPERM on any doubt. */
int http_read_caller(const struct http_server *s, int fd, struct http_caller *ret,
		     struct err *reterr) _warn_unused_;
const char *http_role_hint(enum role role, char *buf, size_t size);
/* By the key in its head. False: it has not the right one. */
bool http_caller_by_key(const struct http_server *s, struct MHD_Connection *connection,
			struct http_caller *c);

/* http_answer.c: what it is told. Each consumes a's json and stream. */
enum MHD_Result http_send(struct http_server *s, const struct http_request *rq,
			  struct http_answer *a);
enum MHD_Result http_refuse(struct http_server *s, const struct http_request *rq, unsigned status,
			    const char *word, const char *message, const char *hint);
/* Lets streams write that are waiting: those that have waited long a blank line, which finds the dead. */
void http_run_streams(struct http_server *s, bool all);
