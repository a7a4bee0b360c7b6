/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/record.h"

/* One table per kind of record says what its fields are; checking what came from elsewhere and
 * writing JSON both walk it, so no field is forgotten in one of them. */

enum field_type {
	FIELD_TYPE_TEXT,   /* char[size] */
	FIELD_TYPE_HEX128, /* char[STR_HEX128_MAX], may be "" */
	FIELD_TYPE_ENUM,   /* unsigned, below max; to_string names it */
	FIELD_TYPE_BOOL,   /* uint32_t, 0 or 1 */
	FIELD_TYPE_I32,
	FIELD_TYPE_U32,     /* at most max, where max is not 0 */
	FIELD_TYPE_BOOT_NS, /* uint64_t, CLOCK_BOOTTIME; 0 is null in JSON */
	FIELD_TYPE_WALL_US, /* uint64_t since the epoch; written as the pair NAME_usec and NAME */
	FIELD_TYPE_DOUBLE,  /* finite */
	FIELD_TYPE_ENTITY,
	FIELD_TYPE_PARAMS,
	FIELD_TYPE_STEP,       /* struct plan_step */
	FIELD_TYPE_FACTS,      /* struct fact[]; count is at count_offset */
	FIELD_TYPE_HYPOTHESES, /* struct hypothesis[] */
	FIELD_TYPE_IDS,        /* uint64_t[] */
};

struct field {
	const char *name; /* key in JSON; NULL ends a table */
	enum field_type type;
	size_t offset;       /* in the kind's struct */
	size_t size;         /* of the member */
	size_t count_offset; /* of the uint32_t that counts an array's entries */
	uint32_t max;        /* of an enum or a number; entries an array has room for */
	const char *(*to_string)(unsigned v); /* of an enum */
};

/* The fields of a kind's body (which begins at &record->event), ending with .name == NULL. NULL for
 * a value that is no kind. */
const struct field *record_fields(enum record_kind kind);

extern const struct field hypothesis_fields[];
extern const struct field plan_step_fields[];

static inline const void *field_at(const struct field *f, const void *body)
{
	return (const char *)body + f->offset;
}

static inline uint32_t field_count(const struct field *f, const void *body)
{
	return *(const uint32_t *)(const void *)((const char *)body + f->count_offset);
}
