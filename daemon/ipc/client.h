/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/json.h"

/* One blocking HTTP/1.1 request over a Unix socket with libcurl, for aiopsctl.
 * body: sent as JSON, may be NULL. *ret_status: HTTP status; *ret_json: the answer (caller puts).
 * Returns 0 for any HTTP answer; -ECONNREFUSED or -ENOENT: nobody listens; -EACCES; -ETIMEDOUT;
 * -EBADMSG: not JSON. */
int client_request(const char *socket_path, const char *method, const char *path_and_query,
		   struct json_object *body, unsigned timeout_ms, long *ret_status,
		   struct json_object **ret_json, struct err *reterr) _warn_unused_;
