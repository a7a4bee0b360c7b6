/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/output.h"

/* Requests to our daemons. On failure these print the error themselves and return its exit code. */

enum api_socket {
	API_CONTROL,
	API_ACTIONS, /* control.sock, which hands it over; approve.sock where nobody listens there */
	API_APPROVE, /* what must not depend on the agent */
	API_HISTORY,
};

/* Returns CTL_OK with *ret (caller puts) for a 2xx answer. */
int api_call(const struct ctl *ctl, enum api_socket where, const char *method, const char *path,
	     struct json_object *body, struct json_object **ret);

/* As api_call for GET, but silent: for verbs that go on without an answer. */
int api_try(const struct ctl *ctl, enum api_socket where, const char *path,
	    struct json_object **ret, struct err *reterr);

/* What a person calls the daemon behind a socket. */
const char *api_daemon(enum api_socket where);
