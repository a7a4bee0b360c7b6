/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sys/docker.h"

/* What every action on a container asks first and last. */

/* A container and the Docker that has it. */
struct container {
	struct docker docker;
	struct docker_facts facts;
};

/* Which run of which container: the name may come to stand for another, and it may be started anew. */
struct container_run {
	char id[DOCKER_ID_MAX], started_at[DOCKER_TIME_MAX];
};

/* By name, for check() and snapshot(). Returns 0; -ENOENT: there is none; -errno of docker_open(),
 * docker_find(). */
int container_open(int root_fd, const char *name, uint64_t deadline_ns, struct container *ret,
		   struct err *reterr) _warn_unused_;

/* By id, for what comes after. Returns 0; -ESTALE: it was removed since (another may have its name
 * now); -errno. */
int container_open_id(int root_fd, const char *id, uint64_t deadline_ns, struct container *ret,
		      struct err *reterr) _warn_unused_;

/* Reads its facts again. Returns 0; -ESTALE; -errno. */
int container_refresh(struct container *c, struct err *reterr) _warn_unused_;

struct container_run container_get_run(const struct container *c);
bool container_is_run(const struct container *c, const struct container_run *run);

/* Is it in a state from which it can be started, restarted, stopped, ...? Refuses what Docker itself is at
 * work on. Returns 0; -EBUSY, -EPERM with the reason. Pure. */
int container_check_settled(const struct docker_facts *f, struct err *reterr) _warn_unused_;

/* Did a person (or another program) stop or pause it? Then it is theirs. Returns 0: nobody did; -EPERM
 * with the reason; -errno. */
int container_check_hands_off(const struct container *c, struct err *reterr) _warn_unused_;

/* Waits until it runs in another run than before and, where a health check is defined, is healthy. What ran
 * to its end without an error counts, too. Returns 0; -ENOENT: it was not started; -EIO with what
 * it is instead; -ETIMEDOUT: its health check has not said anything by deadline_ns; -errno. */
int container_wait_started(struct container *c, const struct container_run *before,
			   struct err *reterr) _warn_unused_;
