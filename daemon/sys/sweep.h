/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Files that nobody needs any more, found below a directory and removed for good. No symlink is
 * followed, no mount point crossed, no directory removed; what anybody has open, or what has another name
 * elsewhere, stays. */

#define SWEEP_DEPTH_MAX   8
#define SWEEP_ENTRIES_MAX 200000 /* looked at in one sweep */

struct sweep_rules {
	const char *const
		*patterns;     /* glob(7) on the last component, ends with NULL; NULL: any name */
	int64_t before_wall_s; /* changed before that, seconds since the epoch */
	bool remove;           /* or only count */
	uint64_t deadline_ns;  /* CLOCK_BOOTTIME */
};

struct sweep_count {
	uint64_t n, bytes;    /* that fit the rules, and with .remove are gone */
	uint64_t n_open;      /* that fit but are in use */
	uint64_t n_seen;      /* of all */
	uint64_t freed_bytes; /* with .remove: by the file system's own count */
};

/* path: absolute, at least two components, below root_fd. Adds to *count, also before an error.
 * Returns 0; -EINVAL; -ENOENT; -ELOOP: a symlink in the path; -EROFS, -EPERM, ... naming the file;
 * -ETIMEDOUT; -E2BIG over the bounds. */
int sweep_dir(int root_fd, const char *path, const struct sweep_rules *rules,
	      struct sweep_count *count, struct err *reterr) _warn_unused_;

/* Archived journal files, oldest first, until those that stay use at most keep_bytes: what
 * journalctl --vacuum-size= does. The files that journald writes to now are not touched.
 * Source: journalctl(1); systemd src/libsystemd/sd-journal/journal-vacuum.c, names of archived files. */
int sweep_journal(int root_fd, const char *path, uint64_t keep_bytes, bool do_remove,
		  struct sweep_count *count, struct err *reterr) _warn_unused_;

/* Opens a directory by an absolute path below root_fd, without symlinks. Returns the fd; -errno. */
int sweep_open(int root_fd, const char *path, struct err *reterr) _warn_unused_;

/* Free space of the file system of an open directory, in bytes; 0 where it does not say. */
uint64_t sweep_free_bytes(int dir_fd);

static inline uint64_t sweep_gain(uint64_t before_bytes, uint64_t after_bytes)
{
	return after_bytes > before_bytes ? after_bytes - before_bytes : 0;
}
