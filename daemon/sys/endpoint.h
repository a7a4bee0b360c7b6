/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "model/service.h"

/* Health endpoints of services.d, asked once. Hosts are numeric addresses or "localhost": a name would have
 * to be resolved, which either blocks or needs a thread. */

bool endpoint_is_tcp(const char *url);

/* Where a URL points: scheme://HOST[:PORT]. Returns 0; -EINVAL. */
int endpoint_parse_address(const char *url, struct sockaddr_storage *ret,
			   struct err *reterr) _warn_unused_;

/* Blocks up to its timeout_ms. Returns 0: it is good; -EIO: it is not, with the reason; -EINVAL: a host
 * that is a name; -ETIMEDOUT; -ECONNREFUSED, ... */
int endpoint_ask(const struct endpoint *e, struct err *reterr) _warn_unused_;

/* One bit for each endpoint of the service that is good now, the first one lowest. */
uint32_t endpoint_ask_all(const struct service *s);

/* Waits until those of the mask are good. Returns 0; -errno of the one that is not at deadline_ns
 * (CLOCK_BOOTTIME), with its name. */
int endpoint_wait(const struct service *s, uint32_t mask, uint64_t deadline_ns,
		  struct err *reterr) _warn_unused_;
