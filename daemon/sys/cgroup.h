/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "model/entity.h"

/* Control groups, version 2. Source: kernel Documentation/admin-guide/cgroup-v2.rst. */

#define CGROUP_PATH_MAX  512
#define CGROUP_DEPTH_MAX 8
#define CGROUP_TASKS_MAX 512
#define CGROUP_BELOW_MAX 128 /* cgroups of one unit that are asked for their processes: some ms */

/* Opens the v2 hierarchy below root_fd: sys/fs/cgroup, or sys/fs/cgroup/unified on a mixed host.
 * Returns the fd; -EOPNOTSUPP where there is none. */
int cgroup_open_root(int root_fd, struct err *reterr) _warn_unused_;

/* Opens a cgroup's directory. path: from the root, with or without a leading '/'.
 * ret_id   the kernel's cgroup id: the inode number of the directory (may be NULL)
 * Returns the fd; -ENOENT if there is none; -EINVAL for a path with ".."; other -errno. */
int cgroup_open(int cgroup_fd, const char *path, uint64_t *ret_id) _warn_unused_;

/* The unit that a cgroup path belongs to: the first component with a suffix other than .slice, or
 * the innermost slice. Returns 0; -ENXIO if no component is a unit.
 * Source: systemd src/basic/cgroup-util.c, cg_path_decode_unit(). */
int cgroup_unit_from_path(const char *path, char ret[static ENTITY_NAME_MAX]) _warn_unused_;

/* Is this, or is it below, the cgroup of a container or a virtual machine, by the names that systemd-nspawn,
 * Docker, Podman, LXC and Kubernetes give them? What root does in there is not done to this host. */
bool cgroup_is_container(const char *path);

/* Where systemd puts a service whose slice nobody set: "system.slice/NAME", and for an instance
 * "system.slice/system-TEMPLATE.slice/NAME". Returns 0; -ENAMETOOLONG. */
int cgroup_default_path(const char *unit, char ret[static CGROUP_PATH_MAX]) _warn_unused_;

/* Looks for a unit in all slices. Returns 0; -ENOENT if it has no cgroup. */
int cgroup_find_unit(int cgroup_fd, const char *unit,
		     char ret[static CGROUP_PATH_MAX]) _warn_unused_;

/* Readers of an open control file by pread(2). Return 0; -ENODEV if the cgroup is gone; -ENODATA: no
 * such key; -EBADMSG; other -errno. "max" reads as UINT64_MAX. */
int cgroup_read_u64(int fd, uint64_t *ret) _warn_unused_;
int cgroup_read_key(int fd, const char *key, uint64_t *ret) _warn_unused_;

/* Sums rbytes and wbytes of io.stat over all devices. */
int cgroup_read_io_bytes(int fd, uint64_t *ret_read_bytes, uint64_t *ret_write_bytes) _warn_unused_;

/* Reads one control file of an open cgroup directory. As above; -ENOENT: not there. */
int cgroup_read_key_at(int dir_fd, const char *file, const char *key, uint64_t *ret) _warn_unused_;

/* Ids of the processes of a cgroup and those below it, at most max, of CGROUP_BELOW_MAX cgroups. Returns the count; -errno. */
ssize_t cgroup_list_pids(int dir_fd, pid_t *ret, size_t max) _warn_unused_;
