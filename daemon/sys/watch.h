/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "model/entity.h"
#include "sys/unitbus.h"

/* What the agent's probes know of the managed units, and share: the state from D-Bus, the cgroup behind
 * each, recent deaths, last run-queue latency. Probes write it, other probes and inspectors read it. */

#define WATCH_EXITS_MAX 128

struct watch_unit {
	char name[ENTITY_NAME_MAX];
	struct unit_status status;
	bool status_is_known; /* the bus is up and has answered */
	/* CLOCK_MONOTONIC: it was seen to leave "active" then while systemd had no job for it; 0: never */
	uint64_t unasked_exit_mono_us;
	int cgroup_fd;           /* its directory, or -EBADF while there is none */
	uint64_t cgroup_id;      /* 0 while there is none */
	uint64_t last_cgroup_id; /* the one before it: deaths in it may be told late */
	uint32_t generation;     /* changes with cgroup_fd: reopen what you keep open below it */
	double runq_p99_us;      /* of the last second with samples */
	uint64_t runq_t_ns;      /* when that was; 0: never */
};

/* A process that ended or was chosen by the OOM killer. */
struct watch_exit {
	char unit[ENTITY_NAME_MAX]; /* "" if not known */
	uint64_t t_ns;              /* CLOCK_BOOTTIME */
	pid_t pid;
	char comm[16];
	bool is_oom;
	int signal, code;
};

struct watch {
	int root_fd;        /* "/" or a test's tree; borrowed */
	int cgroup_fd;      /* root of the v2 hierarchy, or -EBADF */
	uint64_t n_changes; /* of any unit's cgroup */
	bool has_exits;     /* the lifecycle probe runs */
	sd_bus *bus;        /* NULL while it is away; borrowed from the probe that holds it */
	uint32_t n_units, n_exits;
	struct watch_unit *units;
	struct watch_exit exits[WATCH_EXITS_MAX]; /* a ring; n_exits counts on */
};

/* root_fd must outlive it. A host without cgroup v2 is no error. Returns 0; -ENOMEM. */
int watch_new(int root_fd, struct watch **ret, struct err *reterr) _warn_unused_;
struct watch *watch_free(struct watch *w);
DEFINE_CLEANUP(struct watch *, watch_free);

/* Sets the managed units; what is known of those that stay is kept. Returns 0; -ENOMEM. */
int watch_set_units(struct watch *w, const char *const *names, size_t n_names,
		    struct err *reterr) _warn_unused_;

struct watch_unit *watch_find(const struct watch *w, const char *name);
/* The unit whose cgroup this is, or was until its last stop. */
struct watch_unit *watch_find_cgroup(const struct watch *w, uint64_t cgroup_id);

/* Opens the unit's cgroup, or notices that it is gone or another. Cheap when nothing changed; call it
 * each second and at each change of state. Returns 1 if it changed, 0 if not. */
int watch_refresh_cgroup(struct watch *w, struct watch_unit *u);

/* Opens the cgroup of any unit, managed or not. Returns the fd; -ENOENT; -EOPNOTSUPP; -errno. */
int watch_open_cgroup(const struct watch *w, const char *unit) _warn_unused_;

void watch_add_exit(struct watch *w, const struct watch_exit *e);
/* The i-th newest (0: the last), or NULL. */
const struct watch_exit *watch_recent_exit(const struct watch *w, uint32_t i);
