/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* A directory that is emptied and may be filled again: what is in it goes into one beside it, of the
 * same file system, until it is removed or put back. The directory itself stays, with its owner, mode and
 * attributes: a service's own mount namespace, or a container, has it mounted, and would go on with one
 * that is moved away. No symlink is followed, in the path or below. */

#define CACHEDIR_NAME_MAX  256
#define CACHEDIR_DEPTH_MAX 64

struct cachedir {
	int parent_fd, fd; /* fd: -EBADF where it is missing */
	int aside_in_fd; /* where the one beside it is made: the parent, or itself if it is a mount point */
	char name[CACHEDIR_NAME_MAX], aside[64];
};

/* path: absolute, below root_fd; key: names the one beside it. Returns 1; 0: it is missing; -ELOOP: a
 * symlink; -ENOTDIR; other -errno. */
int cachedir_open(int root_fd, const char *path, const char *key, struct cachedir *ret,
		  struct err *reterr) _warn_unused_;
void cachedir_done(struct cachedir *d);

/* Makes one that is missing. Returns 0; -EEXIST; -errno. */
int cachedir_make(struct cachedir *d, uid_t uid, gid_t gid, mode_t mode,
		  struct err *reterr) _warn_unused_;

/* Moves what is in it aside, one by one. Returns how many; -errno: some may have been. */
int cachedir_move_aside(const struct cachedir *d, struct err *reterr) _warn_unused_;

/* Moves it back, but for what has been made anew, then removes what is left aside. Idempotent. Returns how
 * many; -errno. */
int cachedir_put_back(const struct cachedir *d, uint64_t deadline_ns,
		      struct err *reterr) _warn_unused_;

/* Removes what is aside. Idempotent. Returns 0; -ETIMEDOUT: some of it is left; -errno. */
int cachedir_remove_aside(const struct cachedir *d, uint64_t deadline_ns,
			  struct err *reterr) _warn_unused_;

/* Returns how many are in it, what is aside left out; -errno. */
int cachedir_count(const struct cachedir *d, struct err *reterr) _warn_unused_;
