/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "ops/inspector.h"
#include "sys/cgroup.h"
#include "sys/later.h"
#include "sys/procfs.h"
#include "sys/turn.h"
#include "sys/watch.h"

#define WINDOW_NS (NS_PER_S / 2) /* CPU use is measured over this */

#define PROCFS_FACT(n, h)                                                \
	{                                                                \
		n, ENTITY_KIND_UNIT, SOURCE_PROCFS, PROVENANCE_KERNEL, h \
	}
#define CGROUP_FACT(n, h)                                                \
	{                                                                \
		n, ENTITY_KIND_UNIT, SOURCE_CGROUP, PROVENANCE_KERNEL, h \
	}

static const struct signal_spec facts[] = {
	CGROUP_FACT("tasks.count", "processes in the unit"),
	CGROUP_FACT("unit.cpu_usage_pct", "CPU time it uses now, in per cent of one CPU"),
	CGROUP_FACT("cgroup.frozen_bool", "1 if its cgroup is frozen"),
	PROCFS_FACT("tasks.stopped_count", "of them stopped by a signal or a tracer"),
	PROCFS_FACT("tasks.running_count", "of them running or ready to"),
	PROCFS_FACT("tasks.uninterruptible_count", "of them waiting uninterruptibly (disk, NFS)"),
	{ .name = NULL },
};

struct job {
	const struct inspector_context *c;
	struct inspector_request rq;
	uint64_t cpu_us, t_ns;
	struct counts {
		unsigned seen, stopped, running, uninterruptible;
	} k;
	bool listed;
	size_t n_pids, next_pid;
	pid_t pids[CGROUP_TASKS_MAX];
};

static uint64_t read_cpu_us(int cgroup_fd)
{
	uint64_t us = 0;

	return cgroup_read_key_at(cgroup_fd, "cpu.stat", "usage_usec", &us) < 0 ? 0 : us;
}

static void say_cgroup(const struct job *job, int cgroup_fd, size_t n_tasks)
{
	struct evidence e = { .inspector = "unit_tasks",
			      .source = SOURCE_CGROUP,
			      .provenance = PROVENANCE_KERNEL };
	uint64_t frozen = 0, cpu_us, elapsed_ns = clock_boot_ns() - job->t_ns;
	double cpu_pct = 0;

	if (cgroup_fd >= 0) {
		if (cgroup_read_key_at(cgroup_fd, "cgroup.events", "frozen", &frozen) < 0)
			frozen = 0;
		cpu_us = read_cpu_us(cgroup_fd);
		if (cpu_us > job->cpu_us && elapsed_ns)
			cpu_pct = (double)(cpu_us - job->cpu_us) * 100 * (double)NS_PER_US /
				  (double)elapsed_ns;
	}
	(void)evidence_add_number(&e, "tasks.count", (double)n_tasks);
	(void)evidence_add_number(&e, "unit.cpu_usage_pct", cpu_pct);
	(void)evidence_add_number(&e, "cgroup.frozen_bool", (double)frozen);
	str_append(e.text, sizeof(e.text), "cgroup: %zu process%s %.1f %% of a CPU%s", n_tasks,
		   n_tasks == 1 ? " uses" : "es use", cpu_pct, frozen ? ", frozen" : "");
	job->c->item(job->c->userdata, &job->rq, &e);
}

static void count_state(struct counts *k, char state)
{
	k->seen++;
	k->stopped += state == 'T' || state == 't';
	k->running += state == 'R';
	k->uninterruptible += state == 'D';
}

/* Returns true when all have been seen. */
static bool look_at_tasks(struct job *job)
{
	_cleanup_close_ int proc_fd = openat(job->c->root_fd, "proc",
					     O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct turn turn = turn_begin();
	struct procfs_task t = { 0 };

	while (proc_fd >= 0 && job->next_pid < job->n_pids) {
		if (procfs_read_task(proc_fd, job->pids[job->next_pid++], &t) == 0)
			count_state(&job->k, t.state);
		if (!turn_goes_on(&turn))
			return job->next_pid == job->n_pids;
	}
	return true;
}

static void say_states(const struct job *job)
{
	struct evidence e = { .inspector = "unit_tasks",
			      .source = SOURCE_PROCFS,
			      .provenance = PROVENANCE_KERNEL };
	const struct counts *k = &job->k;

	(void)evidence_add_number(&e, "tasks.stopped_count", k->stopped);
	(void)evidence_add_number(&e, "tasks.running_count", k->running);
	(void)evidence_add_number(&e, "tasks.uninterruptible_count", k->uninterruptible);
	str_append(e.text, sizeof(e.text),
		   "procfs: of %u process%s stopped %u, running %u, waiting for I/O %u", k->seen,
		   k->seen == 1 ? "" : "es", k->stopped, k->running, k->uninterruptible);
	job->c->item(job->c->userdata, &job->rq, &e);
}

static void list_tasks(struct job *job)
{
	_cleanup_close_ int cgroup_fd = watch_open_cgroup(job->c->watch, job->rq.entity.name);
	ssize_t n = cgroup_fd < 0 ? 0 : cgroup_list_pids(cgroup_fd, job->pids, CGROUP_TASKS_MAX);

	job->n_pids = n > 0 ? (size_t)n : 0;
	job->listed = true;
	say_cgroup(job, cgroup_fd, job->n_pids);
}

static uint64_t work(void *userdata)
{
	struct job *job = userdata;

	if (!job->listed)
		list_tasks(job);
	if (!look_at_tasks(job))
		return TURN_AGAIN_NS;
	if (job->n_pids > 0)
		say_states(job);
	job->c->done(job->c->userdata, &job->rq, 0, NULL);
	return 0;
}

static const struct later_job kind = { .work = work, .free = free };

static int collect(const struct inspector_context *c, const struct inspector_request *rq,
		   struct err *reterr)
{
	_cleanup_close_ int cgroup_fd = -EBADF;
	struct job *job;
	int r;

	if (!c->watch || c->watch->cgroup_fd < 0)
		return err_set(reterr, -EOPNOTSUPP, "inspect tasks of '%s': no cgroup v2",
			       rq->entity.name);
	/* A unit without a cgroup has no tasks: also an answer. */
	cgroup_fd = watch_open_cgroup(c->watch, rq->entity.name);
	job = calloc(1, sizeof(*job));
	if (!job)
		return err_set(reterr, -ENOMEM, "inspect tasks of '%s': %s", rq->entity.name,
			       strerror(ENOMEM));
	*job = (struct job){ .c = c, .rq = *rq, .t_ns = clock_boot_ns() };
	job->cpu_us = cgroup_fd < 0 ? 0 : read_cpu_us(cgroup_fd);
	r = later_run(c->event, cgroup_fd < 0 ? 1 : WINDOW_NS, &kind, job, reterr);
	if (r < 0)
		free(job);
	return r;
}

const struct inspector_ops inspector_unit_tasks = {
	.name = "unit_tasks",
	.summary = "the processes of a unit, their states and the CPU they use now",
	.source_text = "cgroup v2; proc(5)",
	.facts = facts,
	.entity_kind = ENTITY_KIND_UNIT,
	.collect = collect,
};
