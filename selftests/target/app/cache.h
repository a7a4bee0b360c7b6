/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "base/err.h"

/* A directory of JSON files that may be emptied or removed at any time: what is lost is fetched again. */

#define CACHE_ENTRY_MAX (16 * 1024) /* bytes */

struct cache {
	const char *path;
};

/* Returns 0; -ENOENT; -EBADMSG if it is not what we wrote; other -errno. */
int cache_read(const struct cache *c, const char *name, struct json_object **ret,
	       struct err *reterr) _warn_unused_;

/* Returns 0; -ENOSPC, -EROFS, -ENOENT (no directory) and other -errno. */
int cache_write(const struct cache *c, const char *name, struct json_object *value,
		struct err *reterr) _warn_unused_;

/* Whether it can be written to, by writing. */
int cache_try(const struct cache *c, struct err *reterr) _warn_unused_;
