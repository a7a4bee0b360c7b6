/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/unitctl.h"

struct process process_of(const struct param *p)
{
	struct process process = { .pid = (pid_t)p->integer };
	const char *colon = strchr(p->text, ':');

	if (!colon || str_parse_u64(colon + 1, &process.start_jiffies) < 0)
		process.pid = 0;
	return process;
}

int process_read(int proc_fd, const struct process *p, struct procfs_task *ret, struct err *reterr)
{
	struct procfs_task task = { 0 };
	int r = p->pid > 0 ? procfs_read_task(proc_fd, p->pid, &task) : -ESRCH;

	if (r == 0 && (task.start_jiffies != p->start_jiffies || strchr("ZXx", task.state)))
		r = -ESRCH;
	if (r < 0)
		return err_set(reterr, r, "read process %d: %s", p->pid,
			       r == -ESRCH ? "it is gone" : strerror(-r));
	*ret = task;
	return 0;
}

static int check_kind(int proc_fd, const struct process *p, const struct procfs_task *task,
		      struct err *reterr)
{
	int r;

	if (p->pid == 1)
		return err_set(reterr, -EPERM, "check process 1: it is the system's first");
	if (p->pid == getpid() || p->pid == getppid())
		return err_set(reterr, -EPERM, "check process %d: it is our own", p->pid);
	if (task->flags & PROCFS_FLAG_KERNEL)
		return err_set(reterr, -EPERM, "check process %d: it is the kernel's", p->pid);
	r = procfs_is_namespace_init(proc_fd, p->pid);
	if (r < 0)
		return err_set(reterr, r, "check process %d: %s", p->pid, strerror(-r));
	return r == 0 ? 0 :
			err_set(reterr, -EPERM,
				"check process %d: a container ends with it, use the actions on "
				"containers",
				p->pid);
}

static int check_unit(void *bus, int proc_fd, const struct process *p, const char *unit,
		      struct err *reterr)
{
	char own[ENTITY_NAME_MAX] = "";
	struct unit_facts f;
	int r = procfs_read_unit(proc_fd, p->pid, own);

	if (r < 0 && r != -ENXIO)
		return err_set(reterr, r, "read unit of process %d: %s", p->pid, strerror(-r));
	if (!str_equal(own, unit))
		return err_set(reterr, -EPERM, "check process %d: it is %s%s, not of '%s'", p->pid,
			       own[0] ? "of " : "of no unit", own, unit);
	r = unitctl_check(bus, unit, &f, reterr);
	if (r == 0 && f.main_pid == (uint32_t)p->pid)
		r = err_set(reterr, -EPERM,
			    "check process %d: it is the main process of '%s', use the actions on "
			    "units",
			    p->pid, unit);
	return r;
}

int process_check(void *bus, int proc_fd, const struct process *p, const char *unit,
		  struct err *reterr)
{
	struct procfs_task task;
	int r = process_read(proc_fd, p, &task, reterr);

	if (r == 0)
		r = check_kind(proc_fd, p, &task, reterr);
	return r < 0 ? r : check_unit(bus, proc_fd, p, unit, reterr);
}

static int open_tasks(int proc_fd, const struct process *p)
{
	char path[32] = "";
	int fd;

	str_append(path, sizeof(path), "%d/task", p->pid);
	fd = openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : errno == ENOENT ? -ESRCH : -errno;
}

/* Adds the thread of a directory entry. Returns 1; 0: it is none, or is gone; -errno. */
static int add_thread(int tasks_fd, const char *name, struct process_thread *ret)
{
	struct procfs_task task;
	uint64_t tid = 0;
	int r;

	if (str_parse_u64(name, &tid) < 0 || tid > INT32_MAX)
		return 0;
	r = procfs_read_task(tasks_fd, (pid_t)tid, &task);
	if (r < 0)
		return r == -ESRCH ? 0 : r;
	*ret = (struct process_thread){ .tid = (int32_t)tid,
					.nice = task.nice,
					.start_jiffies = task.start_jiffies };
	return 1;
}

ssize_t process_list_threads(int proc_fd, const struct process *p, struct process_thread *ret,
			     size_t max, struct err *reterr)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct procfs_task task;
	ssize_t n = 0;
	int fd, r = process_read(proc_fd, p, &task, reterr);

	if (r < 0)
		return r;
	fd = open_tasks(proc_fd, p);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_set(reterr, fd < 0 ? fd : -errno, "list threads of process %d: %s",
			       p->pid, strerror(fd < 0 ? -fd : errno));
	for (const struct dirent *e; (e = readdir(dir));) {
		struct process_thread thread;

		r = add_thread(dirfd(dir), e->d_name, &thread);
		if (r > 0 && (size_t)n == max)
			return err_set(reterr, -E2BIG, "list threads of process %d: more than %zu",
				       p->pid, max);
		if (r < 0)
			return err_set(reterr, r, "read thread %s of process %d: %s", e->d_name,
				       p->pid, strerror(-r));
		if (r > 0)
			ret[n++] = thread;
	}
	return n > 0 ? n :
		       err_set(reterr, -ESRCH, "list threads of process %d: it is gone", p->pid);
}

static int check_thread(int tasks_fd, const struct process_thread *thread)
{
	struct procfs_task task;
	int r = procfs_read_task(tasks_fd, thread->tid, &task);

	return r == 0 && task.start_jiffies != thread->start_jiffies ? -ESRCH : r;
}

int process_set_nice(int proc_fd, const struct process *p, const struct process_thread *thread,
		     int nice)
{
	_cleanup_close_ int fd = open_tasks(proc_fd, p);
	int r = fd < 0 ? fd : check_thread(fd, thread);

	if (r == 0 && setpriority(PRIO_PROCESS, (id_t)thread->tid, nice) < 0)
		r = -errno;
	return r == 0 ? check_thread(fd, thread) : r;
}
