/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Reads a whole small file below dir_fd (or AT_FDCWD) into buf, NUL-terminated, no symlink at the
 * last component. Returns bytes read (>= 0); -EFBIG if it does not fit; other -errno. Never blocks
 * on what is not a regular, proc, sysfs or cgroup file (O_NONBLOCK). */
ssize_t fd_read_file(int dir_fd, const char *path, char *buf, size_t size) _warn_unused_;

/* Writes data to NAME.tmp below dir_fd and renames it over NAME: readers see all or nothing.
 * sync: fsync file and directory first (what must survive a power cut).
 * Returns 0; -errno, and nothing is left behind. */
int fd_write_atomic(int dir_fd, const char *name, const void *data, size_t size, mode_t mode,
		    bool sync, struct err *reterr) _warn_unused_;

/* As fd_write_atomic, but fails with -EEXIST where NAME exists (link(2), so exactly one wins). */
int fd_write_exclusive(int dir_fd, const char *name, const void *data, size_t size, mode_t mode,
		       struct err *reterr) _warn_unused_;

/* Opens a directory O_PATH-free, O_CLOEXEC. Returns the fd; -errno with the path in reterr. */
int fd_open_dir(int dir_fd, const char *path, struct err *reterr) _warn_unused_;
