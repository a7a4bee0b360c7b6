/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/clock.h"
#include "ipc/frame.h"

/* A frame connection inside sd-event that never blocks: a bounded send queue (PEER_QUEUE_MAX
 * frames; what does not fit is dropped and counted), reconnecting client or accepted server side. */

#define PEER_QUEUE_MAX    256
#define PEER_RECONNECT_NS (NS_PER_S / 2) /* first retry; doubles up to 8 s */

struct peer;

struct peer_handlers {
	void (*frame)(void *userdata, struct peer *p, const struct frame *f);
	/* up: the HELLO of the other side arrived; down: it went away (a server's peer is then freed
	 * after the call). Either may be NULL. */
	void (*up)(void *userdata, struct peer *p);
	void (*down)(void *userdata, struct peer *p);
};

/* Client: connects to path now and again whenever it is down. process: our own name for HELLO. */
int peer_connect(sd_event *event, const char *path, const char *process,
		 const struct peer_handlers *handlers, void *userdata, struct peer **ret,
		 struct err *reterr) _warn_unused_;

/* Server: accepts on listen_fd (taken), at most peers_max at once, each from a uid in uids[] (n_uids; root
 * always) by SO_PEERCRED. */
struct peer_server;
int peer_serve(sd_event *event, int listen_fd, const char *process, unsigned peers_max,
	       const uid_t *uids, size_t n_uids, const struct peer_handlers *handlers,
	       void *userdata, struct peer_server **ret, struct err *reterr) _warn_unused_;
struct peer_server *peer_server_free(struct peer_server *s);

/* Queues one frame (copied, only its used size). Returns 0; -ENOTCONN; -ENOBUFS when the queue is full. */
int peer_send(struct peer *p, const struct frame *f);
/* To every peer of a server. */
void peer_server_broadcast(struct peer_server *s, const struct frame *f);

bool peer_is_up(const struct peer *p);
const char *peer_process(const struct peer *p); /* the other side's, from its HELLO */
uid_t peer_uid(const struct peer *p);        /* from the kernel; (uid_t)-1 where it is not known */
uint64_t peer_dropped(const struct peer *p); /* frames not sent for lack of room */
struct peer *peer_free(struct peer *p);
