/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "model/entity.h"
#include "sys/unitctl.h"

/* The service a fault is aimed at, as systemd and the kernel have it now. */
struct victim {
	char unit[ENTITY_NAME_MAX];
	struct unit_facts facts;
	uint64_t cgroup_id; /* a restart makes another one; 0: none */
};

/* bus: sd_bus * of unitctl_open(). Returns 0; -EINVAL: no service; -ENOENT: no such unit; other
 * -errno. */
int victim_read(void *bus, const char *unit, struct victim *ret, struct err *reterr) _warn_unused_;

/* victim_read(), and it must be running with a cgroup. Returns 0; -ESRCH; as above. */
int victim_read_running(void *bus, const char *unit, struct victim *ret,
			struct err *reterr) _warn_unused_;

/* Opens the cgroup that v had. Returns the fd; -ENOENT if it is gone or is a new one by now. */
int victim_open_cgroup(const struct victim *v, struct err *reterr) _warn_unused_;
