/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A process by (pid, start time): a pid alone may be another process by now. */

/* Opens a pidfd on exactly that process. proc_fd: an open /proc.
 * start_jiffies  field 22 of /proc/PID/stat
 * Returns the fd; -ESRCH if it is gone, a zombie, or the pid is another process; other -errno. */
int processfd_open(int proc_fd, pid_t pid, uint64_t start_jiffies);

/* Returns 0; -ESRCH if it has ended; -EPERM. */
int processfd_send(int pidfd, int signal_number);

/* True once the process has ended, waiting at most wait_ms. */
bool processfd_wait_end(int pidfd, int wait_ms);
