/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <curl/curl.h>
#include <systemd/sd-event.h>

#include "base/err.h"

/* libcurl's transfers inside sd-event: no thread, no waiting.
 * Source: curl, CURLMOPT_SOCKETFUNCTION(3), curl_multi_socket_action(3). */

struct curlloop;

/* A transfer has ended and may be started again or freed. userdata: its CURLOPT_PRIVATE. */
typedef void curlloop_done_fn(void *userdata, CURLcode code);

int curlloop_new(sd_event *event, curlloop_done_fn *done, struct curlloop **ret,
		 struct err *reterr) _warn_unused_;
struct curlloop *curlloop_free(struct curlloop *l); /* with no transfer under way */
DEFINE_CLEANUP(struct curlloop *, curlloop_free);

/* Returns 0; -ENOMEM. done is called later, never from here. */
int curlloop_start(struct curlloop *l, CURL *easy) _warn_unused_;
/* Ends a transfer without a word. */
void curlloop_cancel(struct curlloop *l, CURL *easy);
