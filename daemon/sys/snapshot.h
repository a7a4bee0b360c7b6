/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/sealed.h"
#include "base/str.h"
#include "model/service.h"

/* Snapshots of databases in a directory of root's: NAME.dump, made by pg_dump -Fc, and NAME.json, written after
 * it, which says what it is:
 *
 *   {"file": "NAME.dump", "sha256": "...", "size_bytes": 8192, "database": "shop",
 *    "schema_version": 4, "created_usec": 1795000000000000}
 *
 * A name is a plain word, never a path, and is looked up below the directory only. */

#define SNAPSHOTS_MAX   1024 /* looked at in one directory */
#define SNAPSHOT_NEWEST "newest"

struct snapshot {
	char name[STR_PLAIN_NAME_MAX];
	char sha256[SHA256_HEX_MAX];
	char database[POSTGRES_NAME_MAX];
	uint64_t size_bytes, created_wall_us;
	uint32_t schema_version;
};

/* Parses NAME.json; ret->name is its "file" without the suffix. Returns 0; -EBADMSG; -EINVAL naming the
 * field. */
int snapshot_parse(const char *text, size_t length, struct snapshot *ret,
		   struct err *reterr) _warn_unused_;

/* The one of this name, or the newest of the database. dir: absolute, below root_fd. Returns 0; -ENOENT; -EPERM:
 * others than root may write there; -EBADMSG: it says it is another's, or of another database; -errno. */
int snapshot_find(int root_fd, const char *dir, const char *database, const char *name,
		  struct snapshot *ret, struct err *reterr) _warn_unused_;

/* Opens its dump and reads all of it once: owner, size and digest must be as they were. Returns the descriptor,
 * at the beginning; -EPERM: not root's alone; -EBADMSG: not what was written; -ETIMEDOUT; -ELOOP;
 * other -errno. */
int snapshot_open(int root_fd, const char *dir, const struct snapshot *s, uint64_t deadline_ns,
		  struct err *reterr) _warn_unused_;
