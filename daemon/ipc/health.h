/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ipc/http.h"

/* How each part of a daemon is: one shape on every socket. */

struct health_part {
	const char *name;
	const char *reason; /* why it is not well; NULL: it is */
};

/* Adds "status" ("ok", "degraded") and "parts" [{"name", "ok", "reason"}]. Returns 0; -ENOMEM. */
int health_add(struct json_object *o, const struct health_part *parts, size_t n) _warn_unused_;

/* For who asks for application/x-ndjson: the parts of ret->json alone, one a line. Returns 0; -ENOMEM. */
int health_answer(const struct http_request *rq, struct http_answer *ret) _warn_unused_;
