/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "ipc/http.h"

/* One socket for people, two daemons behind it: the agent accepts on control.sock, looks at the path of the
 * request without taking it (MSG_PEEK), and hands the connection of what is not its own, unread, to the
 * executor, who knows the caller by the kernel's word about that very connection.
 *
 * What an agent that is not ours any more can do with it: nothing in the name of a caller that did not call.
 * A socket is taken for a connection only if its own name is control.sock's and its peer has none: it was
 * accepted there, so that what comes out of it is what the peer wrote, and SO_PEERCRED is who connected. (The
 * end that connects has no name of its own, or has one and a peer with a name; its SO_PEERCRED is who listens:
 * root.) A caller who has gone is not acted for, so that no wish can be kept for later. What is left to such an
 * agent: to let a caller wait, to cut off the beginning of what it wrote, and to make the executor's reads of
 * the connection block, until the watchdog ends that. */

#define HANDOVER_PENDING_MAX 32 /* accepted, and nothing said yet */
#define HANDOVER_PER_UID_MAX 8
#define HANDOVER_WAIT_US     5000000 /* us; for the first line of a request */
#define HANDOVER_LINE_MAX    256     /* bytes of a request that are looked at */

struct front;

struct front_route {
	const char *const *prefixes; /* of paths that are the other's, ends with NULL */
	const char *to;              /* its datagram socket */
	const struct http_refusal *away;
	struct http_server *server; /* who has the rest */
};

/* Accepts on listen_fd (taken). Returns 0; -errno. */
int front_new(sd_event *event, int listen_fd, const struct front_route *route, struct front **ret,
	      struct err *reterr) _warn_unused_;
struct front *front_free(struct front *f);

enum handover_owner { HANDOVER_OWNER_UNKNOWN, HANDOVER_OWNER_US, HANDOVER_OWNER_OTHER };

/* Whose a request is that begins with these n bytes, at most HANDOVER_LINE_MAX: unknown while its path may still
 * become either. More bytes never change an answer that is known. */
enum handover_owner handover_owner_of(const char *const *prefixes, const char *line, size_t n);

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
