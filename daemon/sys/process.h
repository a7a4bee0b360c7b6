/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "model/param.h"
#include "sys/procfs.h"

/* A process of the host that an action is done to: by (pid, start time), never by pid alone. */

#define PROCESS_THREADS_MAX 240 /* what an undo record holds */

struct process {
	pid_t pid;
	uint64_t start_jiffies;
};

/* Of a PARAM_TYPE_PROCESS, which is valid by then. */
struct process process_of(const struct param *p);

/* Returns 0; -ESRCH if it is gone, dead or another process by now; other -errno. */
int process_read(int proc_fd, const struct process *p, struct procfs_task *ret,
		 struct err *reterr) _warn_unused_;

/* May an action on `unit` touch it? Refuses what is not in the unit's cgroup (the unit stands for it in the
 * policy), pid 1, kernel threads, ourselves, the first process of a container and the main process of a
 * unit: the actions on containers and units are for those. bus: of unitctl_open(). Returns 0; -ESRCH; -EPERM
 * with the reason; other -errno. */
int process_check(void *bus, int proc_fd, const struct process *p, const char *unit,
		  struct err *reterr) _warn_unused_;

struct process_thread {
	int32_t tid, nice;
	uint64_t start_jiffies;
};

/* The threads there are now. Returns how many; -ESRCH; -E2BIG over max; other -errno. */
ssize_t process_list_threads(int proc_fd, const struct process *p, struct process_thread *ret,
			     size_t max, struct err *reterr) _warn_unused_;

/* Of one thread, if it is still that one. The kernel has no way to name a thread but its number, so this
 * looks before and after. Returns 0; -ESRCH; -EPERM; other -errno. */
int process_set_nice(int proc_fd, const struct process *p, const struct process_thread *thread,
		     int nice) _warn_unused_;
