/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "model/entity.h"
#include "sys/cgroup.h"

/* The service a fault is aimed at, as systemd and the kernel have it now. */
struct victim {
	char unit[ENTITY_NAME_MAX];
	char active_state[32], result[32];
	char cgroup[CGROUP_PATH_MAX]; /* "" while it has none */
	uint64_t cgroup_id;           /* a restart makes another one */
	pid_t main_pid;               /* 0: none */
	bool is_transient;
};

/* Opens the system bus with calls limited to 5 s. Returns an sd_bus * to give to sd_bus_unref();
 * -errno. */
int victim_open_bus(void **ret_bus, struct err *reterr) _warn_unused_;

/* bus: sd_bus *. Returns 0; -EINVAL: no service; -ENOENT: no such unit; -ETIMEDOUT; other -errno. */
int victim_read(void *bus, const char *unit, struct victim *ret, struct err *reterr) _warn_unused_;

bool victim_is_running(const struct victim *v);

/* victim_read(), and it must be running with a cgroup. Returns 0; -ESRCH; as above. */
int victim_read_running(void *bus, const char *unit, struct victim *ret,
			struct err *reterr) _warn_unused_;

/* Opens the cgroup that v had. Returns the fd; -ENOENT if it is gone or is a new one by now. */
int victim_open_cgroup(const struct victim *v, struct err *reterr) _warn_unused_;
