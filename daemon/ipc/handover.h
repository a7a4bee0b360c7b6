/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "ipc/http.h"

/* One socket for people, two daemons behind it: the agent accepts on control.sock, looks at the path of the
 * request without taking it (MSG_PEEK), and hands the connection of what is not its own, unread, to the
 * executor. The executor knows the caller by the kernel's word about that very connection, and reads what the
 * caller wrote: an agent that is not ours any more can hand over what people asked of control.sock, and
 * nothing that they did not. What only looks like such a connection is refused: its own name must be
 * control.sock's, which a socket gets by being accepted there. */

#define HANDOVER_PENDING_MAX 32 /* accepted, and nothing said yet */
#define HANDOVER_PER_UID_MAX 8
#define HANDOVER_WAIT_US     5000000 /* us; for the first line of a request */

struct front;

struct front_route {
	const char *const *prefixes; /* of paths that are the other's, ends with NULL */
	const char *to;              /* its datagram socket */
	struct http_server *server;  /* who has the rest */
};

/* Accepts on listen_fd (taken). Returns 0; -errno. */
int front_new(sd_event *event, int listen_fd, const struct front_route *route, struct front **ret,
	      struct err *reterr) _warn_unused_;
struct front *front_free(struct front *f);

struct receiver;

struct receiver_source {
	uid_t uid;                  /* who may hand over; root may, too */
	const char *name;           /* the path that the connections were accepted on */
	struct http_server *server; /* who gets them */
};

/* Takes connections from datagram_fd (taken). Returns 0; -errno. */
int receiver_new(sd_event *event, int datagram_fd, const struct receiver_source *source,
		 struct receiver **ret, struct err *reterr) _warn_unused_;
struct receiver *receiver_free(struct receiver *r);
