/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sealed.h"
#include "model/service.h"

/* Copies of the files that services.d tracks, taken when the service had run with them for a while, and the
 * way back to them. Root's own, below PATH_GOOD_DIR/SERVICE: FILE@TIME, each with the owner, mode and
 * extended attributes of the original. */

#define GOODSTORE_FILE_MAX     (1024 * 1024) /* bytes of a tracked file */
#define GOODSTORE_VERSIONS_MAX 5             /* kept of each */
#define GOODSTORE_SAVED_MAX    64            /* of a service: what was put aside */
#define GOODSTORE_NAME_MAX     52            /* of a copy, with the NUL */

struct goodstore_version {
	char name[GOODSTORE_NAME_MAX]; /* in the service's directory */
	char sha256[SHA256_HEX_MAX];   /* of its content */
	uint64_t wall_us;              /* when it was taken */
};

/* The newest copy. Returns 0; -ENOENT: there is none; other -errno. */
int goodstore_newest(int root_fd, const char *service, const char *path,
		     struct goodstore_version *ret, struct err *reterr) _warn_unused_;

/* Copies the file as it is now, unless the newest copy is the same. Returns 1: copied; 0; -ELOOP: a symlink
 * in its path; -EFBIG; other -errno. */
int goodstore_keep(int root_fd, const char *service, const char *path,
		   struct err *reterr) _warn_unused_;

/* Digest and last change of the file itself. Returns 0; -ENOENT; -ELOOP; -EFBIG; other -errno. */
int goodstore_look(int root_fd, const char *path, char ret_sha256[static SHA256_HEX_MAX],
		   int64_t *ret_changed_wall_s, struct err *reterr) _warn_unused_;

/* Saves the file as KEY-N beside the copies unless save_as is NULL, then puts the copy of that name in its
 * place: readers see the one or the other. Returns 0; -errno, and the file is as it was and nothing saved. */
int goodstore_replace(int root_fd, const char *service, const char *path, const char *copy,
		      const char *save_as, struct err *reterr) _warn_unused_;

/* Is there what goodstore_replace() saved? */
bool goodstore_has(int root_fd, const char *service, const char *saved);

/* Removes it. */
void goodstore_forget(int root_fd, const char *service, const char *saved);

/* Which lines of the file differ from the copy, by the words before '=', ':' or a space: never a value.
 * Returns 0; -errno. */
int goodstore_describe(int root_fd, const char *service, const char *path, const char *copy,
		       char *buf, size_t size, struct err *reterr) _warn_unused_;

/* Keeps all tracked files of a service that is well: its unit has been active for GOODSTORE_WELL_S since it was
 * started or reloaded (or its container has run since it was started), no file has changed since then, and all its
 * endpoints are good. bus: of unitctl_open(). Returns how many were copied; -EAGAIN with the reason: it is not
 * the time; -EOPNOTSUPP: nothing is tracked; other -errno. */
#define GOODSTORE_WELL_S 600 /* a service that dies of its configuration does so before; ours */
int goodstore_keep_service(int root_fd, void *bus, const struct service *s,
			   struct err *reterr) _warn_unused_;
