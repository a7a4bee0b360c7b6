/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "gateway/check.h"
#include "gateway/heartbeat.h"
#include "ipc/peer.h"

/* The gateway: asks every endpoint of services.d at its interval_ms and tells the agent. No state. */

#define GATEWAY_PEERS_MAX   4
#define GATEWAY_TARGETS_MAX (SERVICES_MAX * SERVICE_ENDPOINTS_MAX)
#define GATEWAY_STAGGER_NS  (10 * NS_PER_MS) /* between first checks: no burst at each interval */

struct gateway;

/* One endpoint and its place on the time grid. */
struct target {
	struct gateway *gateway;
	const struct endpoint *endpoint;
	struct check *check;
	sd_event_source *timer;
	uint64_t due_ns, started_ns;
	int is_up; /* -1: not known yet */
};

struct gateway {
	sd_event *event;
	sd_event_source *reload_signal;
	int root_fd;
	struct services services;
	struct curlloop *loop;
	struct heartbeat *heartbeat; /* NULL: nobody waits for one */
	struct peer_server *peers;
	uint32_t n_targets;
	struct target *targets;
	uint64_t samples, overruns; /* overruns: due while the one before still ran */
};

/* Serves gateway.sock and begins to check. Returns 0; -errno. */
int gateway_init(struct gateway *g, const char *root, const char *runtime_dir,
		 struct err *reterr) _warn_unused_;
void gateway_done(struct gateway *g);

/* Takes over services.d; a bad one is refused and the old kept. */
void gateway_reload(struct gateway *g);
