/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gateway/check.h"

/* A dead man's switch: while the agent is here, a URL elsewhere is asked each minute; who keeps it raises the
 * alarm when nothing comes. It covers what no host can tell of itself: that it is gone, or we are. */

#define HEARTBEAT_INTERVAL_NS (60 * NS_PER_S)
#define HEARTBEAT_TIMEOUT_MS  10000

struct heartbeat;

/* The URL is the credential 'heartbeat_url', as it is a secret of whoever keeps the switch; its host is an
 * address, as of every check. Returns 0 with *ret NULL where there is none; -EINVAL: no such URL; -errno. */
int heartbeat_new(sd_event *event, struct curlloop *loop, struct heartbeat **ret,
		  struct err *reterr) _warn_unused_;
struct heartbeat *heartbeat_free(struct heartbeat *h);
DEFINE_CLEANUP(struct heartbeat *, heartbeat_free);

/* The agent is here, or gone: it beats at once and from then on, or no more. h may be NULL. */
void heartbeat_set_alive(struct heartbeat *h, bool is_alive);
