/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "ops/fault.h"
#include "sys/cgroup.h"
#include "sys/processfd.h"
#include "sys/procfs.h"
#include "sys/victim.h"

#define FREEZE_PROCESSES_MAX 240 /* what the undo state holds */
#define FREEZE_ROUNDS_MAX    8   /* each round catches what the last one's processes forked */

/* SIGSTOP and not the cgroup freezer: systemd's FreezeUnit() is an administrator's tool and reads as
 * intent, a stopped process is a hang. */

static const struct param_spec params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .help = "the service whose processes stop" },
	{ .name = NULL },
};

struct process {
	int32_t pid;
	uint32_t reserved;
	uint64_t start_jiffies;
};

struct state {
	uint64_t n;
	struct process v[FREEZE_PROCESSES_MAX];
};
_Static_assert(sizeof(struct state) <= FAULT_STATE_MAX, "the undo record holds the state");

static int check(const struct fault_context *c, struct err *reterr)
{
	struct victim v = { 0 };

	return victim_read_running(c->bus, params_text(c->params, "unit"), &v, reterr);
}

static bool is_known(const struct state *s, pid_t pid, uint64_t start_jiffies)
{
	for (uint64_t i = 0; i < s->n; i++)
		if (s->v[i].pid == pid && s->v[i].start_jiffies == start_jiffies)
			return true;
	return false;
}

/* Adds what runs and is not there yet: what is stopped or dead already is not ours to wake.
 * Returns 0; -E2BIG. */
static int take_processes(const int fds[2], struct state *s)
{
	pid_t pids[FREEZE_PROCESSES_MAX + 1] = { 0 };
	ssize_t n = cgroup_list_pids(fds[0], pids, ELEMENTSOF(pids));

	if (n < 0)
		return (int)n;
	for (ssize_t i = 0; i < n; i++) {
		struct procfs_task task = { 0 };

		if (procfs_read_task(fds[1], pids[i], &task) < 0 || strchr("TtZX", task.state) ||
		    is_known(s, pids[i], task.start_jiffies))
			continue;
		if (s->n == FREEZE_PROCESSES_MAX)
			return -E2BIG;
		s->v[s->n++] = (struct process){ .pid = pids[i],
						 .start_jiffies = task.start_jiffies };
	}
	return 0;
}

static int stop_process(int proc_fd, const struct process *p)
{
	_cleanup_close_ int fd = processfd_open(proc_fd, p->pid, p->start_jiffies);
	int r = fd < 0 ? fd : processfd_send(fd, SIGSTOP);

	return r == -ESRCH ? 0 : r;
}

/* Returns how many were new; -errno. */
static int stop_round(const struct fault_context *c, const int fds[2], struct state *s,
		      struct err *reterr)
{
	uint64_t before = s->n;
	int r = take_processes(fds, s);

	if (r < 0)
		return err_set(reterr, r, "list processes of '%s': %s",
			       params_text(c->params, "unit"), strerror(-r));
	if (s->n == before)
		return 0;
	r = c->record(c, s, sizeof(*s), reterr);
	if (r < 0)
		return r;
	for (uint64_t i = before; i < s->n; i++) {
		r = stop_process(fds[1], &s->v[i]);
		if (r < 0)
			return err_set(reterr, r, "stop process %d: %s", s->v[i].pid, strerror(-r));
	}
	return (int)(s->n - before);
}

static int inject(struct fault_context *c, struct err *reterr)
{
	struct victim v = { 0 };
	struct state *s = calloc(1, sizeof(*s));
	_cleanup_close_ int proc_fd = fd_open_dir(AT_FDCWD, "/proc", reterr);
	_cleanup_close_ int cgroup_fd = -EBADF;
	int r;

	c->priv = s;
	if (!s || proc_fd < 0)
		return s ? proc_fd : err_set(reterr, -ENOMEM, "list processes: Out of memory");
	r = victim_read_running(c->bus, params_text(c->params, "unit"), &v, reterr);
	if (r < 0)
		return r;
	cgroup_fd = victim_open_cgroup(&v, reterr);
	if (cgroup_fd < 0)
		return cgroup_fd;
	for (int round = 0; round < FREEZE_ROUNDS_MAX; round++) {
		r = stop_round(c, (const int[2]){ cgroup_fd, proc_fd }, s, reterr);
		if (r <= 0)
			break;
	}
	if (r > 0)
		return err_set(reterr, -EAGAIN, "stop '%s': it forks faster than it is stopped",
			       v.unit);
	return r < 0 ? r : s->n > 0 ? 0 : err_set(reterr, -ESRCH, "'%s' has no processes", v.unit);
}

/* How many of ours are there, and how many of them stopped. */
static int count_stopped(const struct state *s, uint64_t *ret_stopped, struct err *reterr)
{
	_cleanup_close_ int proc_fd = fd_open_dir(AT_FDCWD, "/proc", reterr);
	uint64_t stopped = 0;

	if (proc_fd < 0)
		return proc_fd;
	for (uint64_t i = 0; i < s->n; i++) {
		struct procfs_task task = { 0 };

		if (procfs_read_task(proc_fd, s->v[i].pid, &task) == 0 &&
		    task.start_jiffies == s->v[i].start_jiffies && task.state == 'T')
			stopped++;
	}
	*ret_stopped = stopped;
	return 0;
}

static int effect(struct fault_context *c, struct err *reterr)
{
	const struct state *s = c->priv;
	uint64_t stopped = 0;
	int r = count_stopped(s, &stopped, reterr);

	if (r < 0 || stopped == 0)
		return r;
	str_append(c->text, c->text_size, "%lu of %lu processes are stopped",
		   (unsigned long)stopped, (unsigned long)s->n);
	return 1;
}

static int active(struct fault_context *c, struct err *reterr)
{
	uint64_t stopped = 0;
	int r = count_stopped(c->priv, &stopped, reterr);

	return r < 0 ? r : stopped > 0;
}

/* Returns 1 if it was stopped. */
static int continue_process(int proc_fd, const struct process *p)
{
	_cleanup_close_ int fd = processfd_open(proc_fd, p->pid, p->start_jiffies);
	struct procfs_task task = { 0 };
	int r;

	if (fd < 0)
		return fd == -ESRCH ? 0 : fd;
	r = procfs_read_task(proc_fd, p->pid, &task);
	if (r < 0 || task.state != 'T')
		return r == -ESRCH ? 0 : r;
	r = processfd_send(fd, SIGCONT);
	return r == -ESRCH ? 0 : r < 0 ? r : 1;
}

static int clear(const struct fault_context *c, const void *state, size_t size, struct err *reterr)
{
	_cleanup_close_ int proc_fd = fd_open_dir(AT_FDCWD, "/proc", reterr);
	const struct state *s = state;
	int first = 0, changed = 0;

	(void)c;
	if (proc_fd < 0)
		return proc_fd;
	if (size != sizeof(*s) || s->n > FREEZE_PROCESSES_MAX)
		return err_set(reterr, -EBADMSG, "continue processes: the undo state is malformed");
	for (uint64_t i = s->n; i-- > 0;) {
		int r = continue_process(proc_fd, &s->v[i]);

		if (r < 0 && first == 0)
			first = err_set(reterr, r, "continue process %d: %s", s->v[i].pid,
					strerror(-r));
		changed |= r > 0;
	}
	return first < 0 ? first : changed;
}

static void release(struct fault_context *c)
{
	free(c->priv);
	c->priv = NULL;
}

static const char *const actions[] = { "unit.restart", "unit.kill", NULL };

const struct fault_ops fault_proc_freeze = {
	.name = "proc.freeze",
	.summary = "stop all processes of a service with SIGSTOP, as if they hung",
	.source = "cgroup.procs and pidfd_send_signal(2); undone by SIGCONT to the same processes",
	.params = params,
	.reverts = REVERTS_RECORD,
	.expects = { .cause = "service-hangs",
		     .actions = actions,
		     .effect = "the unit stays active and its endpoint times out" },
	.check = check,
	.inject = inject,
	.effect = effect,
	.active = active,
	.clear = clear,
	.release = release,
};
