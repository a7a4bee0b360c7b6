/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "model/service.h"
#include "sys/docker.h"

/* A service of services.d, whether it is a unit or a container. */

#define SERVICE_RUN_MAX (DOCKER_ID_MAX + DOCKER_TIME_MAX)

/* How it is reached. */
struct service_reach {
	void *bus; /* of unitctl_open(); NULL where systemd is not reached */
	int root_fd;
	uint64_t deadline_ns; /* CLOCK_BOOTTIME */
};

/* What it was when it was looked at; fits into an undo record. */
struct service_seen {
	char service[SERVICE_NAME_MAX];
	struct entity entity;
	char run[SERVICE_RUN_MAX]; /* which start of it: another one has another */
	uint32_t is_up;            /* boolean */
	uint32_t good_endpoints;   /* endpoint_ask_all() then */
	uint32_t main_pid;         /* 0: it does not run */
};

/* Does not ask its endpoints. Returns 0; -ENOENT: no such unit or container; -errno. */
int servicectl_read(const struct service_reach *reach, const struct service *s,
		    struct service_seen *ret, struct err *reterr) _warn_unused_;

/* May it be stopped and started by an action? Refuses what is protected, masked, frozen, being removed, what
 * systemd or Docker is at work on, and, unless by_person, what somebody has stopped or paused.
 * Returns 0; -EPERM, -EBUSY with the reason; -errno. */
int servicectl_check(const struct service_reach *reach, const struct service *s, bool by_person,
		     struct err *reterr) _warn_unused_;

enum service_verb { SERVICE_VERB_START, SERVICE_VERB_STOP, SERVICE_VERB_RESTART };

/* Does it and waits until systemd or Docker says so; of a container, to the one that was seen. Returns 0;
 * as unitctl_run_job() and docker_do(). */
int servicectl_do(const struct service_reach *reach, enum service_verb verb,
		  const struct service_seen *seen, struct err *reterr) _warn_unused_;

/* Is it up in another start than the one that was seen, and are its first endpoint, and those that were good
 * then, good by health_end_ns (CLOCK_BOOTTIME)? Returns 0; -ENOENT: it was not started again; -EIO: it is
 * down; -errno of endpoint_wait(). */
int servicectl_verify_restart(const struct service_reach *reach, const struct service *s,
			      const struct service_seen *seen, uint64_t health_end_ns,
			      struct err *reterr) _warn_unused_;
