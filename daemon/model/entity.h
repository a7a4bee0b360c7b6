/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/lookup.h"

#define ENTITY_NAME_MAX 256 /* a unit name is at most 255 bytes */

/* What a record is about. */
enum entity_kind {
	ENTITY_KIND_HOST, /* name "" */
	ENTITY_KIND_UNIT,
	ENTITY_KIND_CONTAINER,
	ENTITY_KIND_PROCESS, /* "PID:STARTTIME" */
	ENTITY_KIND_MOUNT,
	ENTITY_KIND_NETDEV,
	ENTITY_KIND_ENDPOINT, /* the name in services.d */
	ENTITY_KIND_DATABASE,
	ENTITY_KIND_SESSION,
	ENTITY_KIND_RESOLVER,
	ENTITY_KIND_CLOCK,
	ENTITY_KIND_DISK, /* a whole one, by the kernel's name for it */
	_ENTITY_KIND_MAX,
};
LOOKUP_DECLARE(entity_kind, enum entity_kind);

struct entity {
	enum entity_kind kind;
	char name[ENTITY_NAME_MAX];
};

#define ENTITY_TEXT_MAX (ENTITY_NAME_MAX + 16)

/* "unit:nginx.service", "host". Returns buf. */
const char *entity_format(const struct entity *e, char buf[static ENTITY_TEXT_MAX]);

/* The same back. Returns 0; -EINVAL with the reason. */
int entity_parse(const char *s, struct entity *ret, struct err *reterr) _warn_unused_;

bool entity_equal(const struct entity *a, const struct entity *b);

/* A bounded, valid kind and a terminated, clean name: what a receiver asks of a frame. */
bool entity_is_valid(const struct entity *e);

struct entity entity_make(enum entity_kind kind, const char *name);
