/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/processfd.h"

#include <errno.h>
#include <poll.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/procfs.h"

int processfd_open(int proc_fd, pid_t pid, uint64_t start_jiffies)
{
	_cleanup_close_ int fd = pidfd_open(pid, 0);
	struct procfs_task task = { 0 };
	int r;

	if (fd < 0)
		return -errno;
	/* After the open: had the pid changed hands, the start time would be younger. */
	r = procfs_read_task(proc_fd, pid, &task);
	if (r < 0)
		return r;
	if (task.start_jiffies != start_jiffies || task.state == 'Z' || task.state == 'X')
		return -ESRCH;
	return TAKE_FD(fd);
}

int processfd_send(int pidfd, int signal_number)
{
	return pidfd_send_signal(pidfd, signal_number, NULL, 0) < 0 ? -errno : 0;
}

bool processfd_wait_end(int pidfd, int wait_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, wait_ms) > 0;
}
