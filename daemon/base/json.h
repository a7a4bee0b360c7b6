/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define JSON_DEPTH_MAX 16
#define JSON_TEXT_MAX  (64 * 1024) /* bytes of one document */

static inline void json_putp(struct json_object **o)
{
	if (*o)
		(void)json_object_put(*o);
}
#define _cleanup_json_ _cleanup_(json_putp)

/* Parses one complete document: strict syntax, clean UTF-8, no trailing text, no duplicate keys,
 * at most JSON_DEPTH_MAX deep and JSON_TEXT_MAX long. The caller owns *ret.
 * Returns 0; -EBADMSG with the byte offset and the cause in reterr; -E2BIG; -ENOMEM. */
int json_parse(const char *text, size_t length, struct json_object **ret,
	       struct err *reterr) _warn_unused_;

/* The same of what a server of this host answers: up to max_bytes, and its strings may hold control
 * characters (a program's output); json_get_string() then gives the part before a NUL. */
int json_parse_answer(const char *text, size_t length, size_t max_bytes, struct json_object **ret,
		      struct err *reterr) _warn_unused_;

/* Adders that drop nothing silently: each returns 0 or -ENOMEM. Strings are cleaned by str_escape
 * where they are not clean UTF-8. */
int json_add_string(struct json_object *o, const char *key, const char *value);
int json_add_u64(struct json_object *o, const char *key, uint64_t value);
int json_add_i64(struct json_object *o, const char *key, int64_t value);
int json_add_double(struct json_object *o, const char *key, double value);
int json_add_bool(struct json_object *o, const char *key, bool value);
int json_add(struct json_object *o, const char *key, struct json_object *value /* consumed */);

/* Adds PREFIX_usec (integer microseconds since the epoch) and PREFIX (ISO 8601), the pair every
 * time in our JSON is given as. */
int json_add_time(struct json_object *o, const char *prefix, uint64_t wall_us);

/* Readers for validated input. Return 0; -ENOENT if absent; -EINVAL for another type or a range
 * overflow (text: "field 'x': ..."). Strings live as long as o. */
int json_get_string(struct json_object *o, const char *key, const char **ret, struct err *reterr);
int json_get_i64(struct json_object *o, const char *key, int64_t *ret, struct err *reterr);
int json_get_bool(struct json_object *o, const char *key, bool *ret, struct err *reterr);
