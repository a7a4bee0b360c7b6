/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* What callers send, as the texts of SQL parameters. Refusals name the field. */

#define INPUT_FIELDS_MAX 8
#define INPUT_TEXT_MAX   2048 /* bytes with the NUL: 500 characters of UTF-8 and room to spare */

enum field_type { FIELD_TYPE_TEXT, FIELD_TYPE_INTEGER, FIELD_TYPE_BOOLEAN };

struct field {
	const char *name;
	enum field_type type;
	int64_t min, max;     /* of an integer; characters of a text */
	const char *fallback; /* where it is left out of what is made; NULL = it may not be */
};

struct input {
	const char *values[INPUT_FIELDS_MAX]; /* in the fields' order; NULL = left out */
	char texts[INPUT_FIELDS_MAX][INPUT_TEXT_MAX];
};

/* Checks body against n fields. is_change: only what is there, at least one.
 * Returns 0; -EINVAL for a missing, unknown or bad field. */
int input_read(struct json_object *body, const struct field *fields, size_t n, bool is_change,
	       struct input *ret, struct err *reterr) _warn_unused_;

#define PAGE_ROWS_DEFAULT 20
#define PAGE_ROWS_MAX     100

/* Which rows are asked for: those after an id, in the order of ids. */
struct page {
	uint32_t rows;
	uint64_t after;
};

/* limit: "1" to "100", or NULL. after: an id, or NULL for the first page.
 * Returns 0; -EINVAL. */
int page_parse(const char *limit, const char *after, struct page *ret,
	       struct err *reterr) _warn_unused_;
