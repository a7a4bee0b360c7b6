/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "gateway/curlloop.h"
#include "model/service.h"

/* One health check of one endpoint, again and again: http, https or tcp by its URL.
 *
 * Hosts are numeric addresses or "localhost": a name would have to be resolved, which either blocks or
 * needs a thread, and then a broken resolver would look like a broken service. */

#define CHECK_BODY_MAX 4096 /* bytes that are read, to be thrown away */

struct check;

/* text: why it is down; "" when it is up. */
typedef void check_done_fn(void *userdata, bool is_up, const char *text);

/* endpoint: borrowed. Returns 0; -EINVAL for a host that is a name; -ENOMEM. */
int check_new(sd_event *event, struct curlloop *loop, const struct endpoint *endpoint,
	      check_done_fn *done, void *userdata, struct check **ret,
	      struct err *reterr) _warn_unused_;
struct check *check_free(struct check *c);
DEFINE_CLEANUP(struct check *, check_free);

/* Starts one; done is called once within the endpoint's timeout_ms, later or from here.
 * Returns 0; -EBUSY while one runs. */
int check_start(struct check *c);

/* For curlloop_new(): tells a check that its transfer has ended. */
void check_transferred(void *userdata, CURLcode code);
