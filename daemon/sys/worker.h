/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* The process that uses up CPU time or memory for a fault. It goes by a name that says nothing, and
 * its arguments say nothing either: a diagnosis has to find out by itself. */

#define WORKER_NAME         "batch-worker"
#define WORKER_SPINS        "1" /* batch-worker 1 PROCESSES */
#define WORKER_GROWS        "2" /* batch-worker 2 MIB MIB_PER_S, with the two fds below */
#define WORKER_SPIN_MAX     64
#define WORKER_GROW_MAX_MIB (1024 * 1024)
#define WORKER_RATE_MAX_MIB 1024

/* main() when it is called by that name. Never returns before it is killed or, growing, its parent
 * is gone. */
int worker_main(int argc, char *argv[]);

/* Path to execute for it: beside the running program. Returns 0; -errno. */
int worker_path(char *ret, size_t size) _warn_unused_;

/* A growing worker that waits for its word. Closing go_fd ends it, as the death of its parent does. */
struct worker {
	pid_t pid;
	uint64_t start_jiffies;
	int go_fd;
};

struct worker_growth {
	int procs_fd; /* cgroup.procs to join first, open for writing */
	uint32_t most_mib, rate_mib_per_s;
};

/* Starts it; it does nothing yet. Returns 0; -errno. */
int worker_start_growing(const struct worker_growth *g, struct worker *ret,
			 struct err *reterr) _warn_unused_;

/* It joins the cgroup and begins. Returns 0; -errno. */
int worker_go(const struct worker *w) _warn_unused_;
