/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/err.h"

/* Files that were deleted and still take space, because processes of a cgroup have them open.
 * Source: proc(5), /proc/PID/fd; inode(7), st_nlink. */

#define DELETED_FILES_MAX 1024 /* counted; more are not looked for */

struct deleted {
	uint64_t n, bytes;
};

/* cgroup_fd: of the unit, processes of groups below it count too; proc_fd: an open /proc. Each file counts once.
 * Returns 0; -EACCES: of some process nobody may know; other -errno. */
int deleted_count(int cgroup_fd, int proc_fd, struct deleted *ret,
		  struct err *reterr) _warn_unused_;
