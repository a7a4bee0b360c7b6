/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dirent.h>

#include "sys/cgroup.h"

/* A way through the cgroups of all units that can be left and taken up again, so that a host with a
 * thousand of them is looked at in many turns of the loop. It goes down through slices only: what is below a
 * service or scope is the unit's own matter. */

struct cgroup_level {
	DIR *dir;
	size_t path_length;
};

struct cgroup_walk {
	struct cgroup_level levels[CGROUP_DEPTH_MAX + 1];
	unsigned n_levels;
	char path[CGROUP_PATH_MAX]; /* of the last step, with a '/' in front */
	uint64_t id;                /* of that cgroup */
};

enum cgroup_step {
	CGROUP_STEP_END,
	CGROUP_STEP_SLICE, /* went into one, or came out of it: nothing to look at */
	CGROUP_STEP_UNIT,
};

/* cgroup_fd: the root of the way; borrowed. Returns 0; -errno. */
int cgroup_walk_begin(struct cgroup_walk *w, int cgroup_fd) _warn_unused_;
enum cgroup_step cgroup_walk_next(struct cgroup_walk *w);
/* For a walk that all is 0 in, too. */
void cgroup_walk_end(struct cgroup_walk *w);

/* Reads one control file of the unit of the last step. As cgroup_read_key_at(). */
int cgroup_walk_read_key(const struct cgroup_walk *w, const char *file, const char *key,
			 uint64_t *ret) _warn_unused_;
