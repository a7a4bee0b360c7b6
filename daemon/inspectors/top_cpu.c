/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ops/inspector.h"
#include "sys/cgroupwalk.h"
#include "sys/later.h"
#include "sys/procfs.h"
#include "sys/turn.h"
#include "sys/watch.h"

/* First all units are measured, then the processes of the one that used most: two sources, and no
 * walk over all of /proc. A few at a time, so that the loop goes on; together below INSPECTOR_DEADLINE_NS. */
#define WINDOW_NS (NS_PER_S / 2)
#define TASKS_MAX 256
#define UNITS_MAX 4096 /* of 24 bytes each; what a host has beyond is not ranked. Ours */

#define CGROUP_FACT(n, h)                                                \
	{                                                                \
		n, ENTITY_KIND_HOST, SOURCE_CGROUP, PROVENANCE_KERNEL, h \
	}
#define PROCFS_FACT(n, h)                                                \
	{                                                                \
		n, ENTITY_KIND_HOST, SOURCE_PROCFS, PROVENANCE_KERNEL, h \
	}

static const struct signal_spec facts[] = {
	CGROUP_FACT("top.unit", "the unit that uses most CPU time now"),
	CGROUP_FACT("top.cpu_share_pct", "its share of the host's CPU time"),
	CGROUP_FACT("top.second_share_pct", "the share of the next one"),
	PROCFS_FACT("top.process_comm", "the busiest process of that unit"),
	PROCFS_FACT("top.process_cpu_pct", "the CPU it uses, in per cent of one CPU"),
	{ .name = NULL },
};

/* What a unit had used when it was looked at first. */
struct reading {
	uint64_t cgroup_id, t_ns, cpu_us;
};

struct top {
	char unit[ENTITY_NAME_MAX], path[CGROUP_PATH_MAX];
	double share_pct, second_pct;
};

enum phase { PHASE_UNITS, PHASE_UNITS_AGAIN, PHASE_TASKS, PHASE_TASKS_AGAIN };

struct job {
	const struct inspector_context *c;
	struct inspector_request rq;
	uint64_t t_ns; /* when the phase began */
	enum phase phase;
	struct cgroup_walk walk;
	size_t n_units, n_seen; /* seen by the second look: where the first one met the same unit */
	struct top top;
	size_t n_pids, next_pid, n_tasks;
	struct procfs_task busiest;
	double busiest_pct;
	pid_t pids[TASKS_MAX];
	struct procfs_task tasks[TASKS_MAX];
	struct reading units[UNITS_MAX];
};

static void job_free(void *userdata)
{
	struct job *job = userdata;

	cgroup_walk_end(&job->walk);
	free(job);
}

/* The order is that of the directory, so the same unit is mostly at the same place. */
static const struct reading *find_reading(const struct job *job, uint64_t cgroup_id)
{
	for (size_t i = 0; i < job->n_units; i++) {
		const struct reading *u = &job->units[(job->n_seen + i) % job->n_units];

		if (u->cgroup_id == cgroup_id)
			return u;
	}
	return NULL;
}

static double share_pct(uint64_t us, uint64_t elapsed_ns)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return (double)us * 100 * (double)NS_PER_US /
	       ((double)elapsed_ns * (double)(n_cpus > 0 ? n_cpus : 1));
}

static void take_reading(struct job *job)
{
	struct reading *u = &job->units[job->n_units];

	if (job->n_units == UNITS_MAX ||
	    cgroup_walk_read_key(&job->walk, "cpu.stat", "usage_usec", &u->cpu_us) < 0)
		return;
	u->cgroup_id = job->walk.id;
	u->t_ns = clock_boot_ns();
	job->n_units++;
}

static void rank_reading(struct job *job)
{
	uint64_t cpu_us = 0, now_ns = clock_boot_ns();
	const struct reading *before;
	struct reading since = { .t_ns = job->t_ns };
	double pct;

	if (cgroup_walk_read_key(&job->walk, "cpu.stat", "usage_usec", &cpu_us) < 0)
		return;
	before = find_reading(job, job->walk.id);
	job->n_seen++;
	/* One that is new since has used all of it in the meantime. */
	since = before ? *before : since;
	if (cpu_us <= since.cpu_us || now_ns <= since.t_ns)
		return;
	pct = share_pct(cpu_us - since.cpu_us, now_ns - since.t_ns);
	if (pct <= job->top.share_pct) {
		job->top.second_pct = pct > job->top.second_pct ? pct : job->top.second_pct;
		return;
	}
	if (cgroup_unit_from_path(job->walk.path, job->top.unit) < 0)
		return;
	job->top.second_pct = job->top.share_pct;
	job->top.share_pct = pct;
	(void)str_copy(job->top.path, sizeof(job->top.path), job->walk.path);
}

/* Returns true when all units have been seen. */
static bool look_at_units(struct job *job, void (*look)(struct job *job), struct turn *turn)
{
	enum cgroup_step step;

	if (job->walk.n_levels == 0 && cgroup_walk_begin(&job->walk, job->c->watch->cgroup_fd) < 0)
		return true;
	do {
		step = cgroup_walk_next(&job->walk);
		if (step == CGROUP_STEP_UNIT)
			look(job);
	} while (step != CGROUP_STEP_END && turn_goes_on(turn));
	return step == CGROUP_STEP_END;
}

static void say_units(const struct job *job)
{
	struct evidence e = { .inspector = "top_cpu",
			      .source = SOURCE_CGROUP,
			      .provenance = PROVENANCE_KERNEL };
	const struct top *top = &job->top;

	(void)evidence_add_text(&e, "top.unit", top->unit);
	(void)evidence_add_number(&e, "top.cpu_share_pct", top->share_pct);
	(void)evidence_add_number(&e, "top.second_share_pct", top->second_pct);
	str_append(e.text, sizeof(e.text),
		   "cgroup: '%s' takes %.1f %% of the host's CPU time, the next unit %.1f %%",
		   top->unit, top->share_pct, top->second_pct);
	job->c->item(job->c->userdata, &job->rq, &e);
}

static void list_tasks(struct job *job)
{
	_cleanup_close_ int cgroup_fd = cgroup_open(job->c->watch->cgroup_fd, job->top.path, NULL);
	ssize_t n = cgroup_fd < 0 ? 0 : cgroup_list_pids(cgroup_fd, job->pids, TASKS_MAX);

	job->n_pids = n > 0 ? (size_t)n : 0;
	job->next_pid = 0;
}

static const struct procfs_task *find_task(const struct job *job, const struct procfs_task *t)
{
	for (size_t i = 0; i < job->n_tasks; i++)
		if (job->tasks[i].pid == t->pid && job->tasks[i].start_jiffies == t->start_jiffies)
			return &job->tasks[i];
	return NULL;
}

static void rank_task(struct job *job, const struct procfs_task *t)
{
	const struct procfs_task *before = find_task(job, t);
	double elapsed_s = (double)(clock_boot_ns() - job->t_ns) / (double)NS_PER_S;
	double pct = 0;

	if (before && t->cpu_jiffies > before->cpu_jiffies)
		pct = (double)(t->cpu_jiffies - before->cpu_jiffies) * 100 /
		      ((double)sysconf(_SC_CLK_TCK) * elapsed_s);
	if (pct > job->busiest_pct) {
		job->busiest_pct = pct;
		job->busiest = *t;
	}
}

/* Returns true when all have been seen. */
static bool look_at_tasks(struct job *job, struct turn *turn)
{
	_cleanup_close_ int proc_fd = openat(job->c->root_fd, "proc",
					     O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct procfs_task t = { 0 };

	while (proc_fd >= 0 && job->next_pid < job->n_pids) {
		if (procfs_read_task(proc_fd, job->pids[job->next_pid++], &t) == 0) {
			if (job->phase == PHASE_TASKS)
				job->tasks[job->n_tasks++] = t;
			else
				rank_task(job, &t);
		}
		if (!turn_goes_on(turn))
			return job->next_pid == job->n_pids;
	}
	return true;
}

static void say_process(const struct job *job)
{
	struct evidence e = { .inspector = "top_cpu",
			      .source = SOURCE_PROCFS,
			      .provenance = PROVENANCE_KERNEL };
	const struct procfs_task *t = &job->busiest;

	(void)evidence_add_text(&e, "top.process_comm", t->comm);
	(void)evidence_add_number(&e, "top.process_cpu_pct", job->busiest_pct);
	str_append(e.text, sizeof(e.text),
		   "procfs: process %d ('%s') of '%s' uses %.0f %% of a CPU", t->pid, t->comm,
		   job->top.unit, job->busiest_pct);
	job->c->item(job->c->userdata, &job->rq, &e);
}

static uint64_t finish(const struct job *job)
{
	if (job->busiest_pct > 0)
		say_process(job);
	job->c->done(job->c->userdata, &job->rq, 0, NULL);
	return 0;
}

/* What follows a look, once it is complete. */
static uint64_t next_phase(struct job *job)
{
	switch (job->phase) {
	case PHASE_UNITS:
		job->phase = PHASE_UNITS_AGAIN;
		return WINDOW_NS;
	case PHASE_UNITS_AGAIN:
		if (!job->top.unit[0])
			return finish(job);
		say_units(job);
		list_tasks(job);
		job->t_ns = clock_boot_ns();
		job->phase = PHASE_TASKS;
		return TURN_AGAIN_NS;
	case PHASE_TASKS:
		job->next_pid = 0;
		job->phase = PHASE_TASKS_AGAIN;
		return WINDOW_NS;
	case PHASE_TASKS_AGAIN:
		return finish(job);
	}
	return 0;
}

static uint64_t work(void *userdata)
{
	struct job *job = userdata;
	struct turn turn = turn_begin();
	bool complete = false;

	switch (job->phase) {
	case PHASE_UNITS:
		complete = look_at_units(job, take_reading, &turn);
		break;
	case PHASE_UNITS_AGAIN:
		complete = look_at_units(job, rank_reading, &turn);
		break;
	case PHASE_TASKS:
	case PHASE_TASKS_AGAIN:
		complete = look_at_tasks(job, &turn);
		break;
	}
	return complete ? next_phase(job) : TURN_AGAIN_NS;
}

static const struct later_job kind = { .work = work, .free = job_free };

static int collect(const struct inspector_context *c, const struct inspector_request *rq,
		   struct err *reterr)
{
	struct job *job;
	int r;

	if (!c->watch || c->watch->cgroup_fd < 0)
		return err_set(reterr, -EOPNOTSUPP, "rank units by CPU: no cgroup v2");
	job = calloc(1, sizeof(*job));
	if (!job)
		return err_set(reterr, -ENOMEM, "rank units by CPU: %s", strerror(ENOMEM));
	job->c = c;
	job->rq = *rq;
	job->t_ns = clock_boot_ns();
	r = later_run(c->event, work(job), &kind, job, reterr);
	if (r < 0)
		job_free(job);
	return r;
}

const struct inspector_ops inspector_top_cpu = {
	.name = "top_cpu",
	.summary = "the unit and the process that use most CPU time now",
	.source_text = "cgroup v2, cpu.stat; proc(5), /proc/PID/stat",
	.facts = facts,
	.entity_kind = ENTITY_KIND_HOST,
	.collect = collect,
};
