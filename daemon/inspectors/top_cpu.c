/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "ops/inspector.h"
#include "sys/cgroup.h"
#include "sys/later.h"
#include "sys/procfs.h"
#include "sys/watch.h"

/* First all units are measured, then the processes of the one that used most: two sources, and no
 * walk over all of /proc. Together below INSPECTOR_DEADLINE_NS. */
#define WINDOW_NS (NS_PER_S / 2)
#define TASKS_MAX 256

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

struct job {
	const struct inspector_context *c;
	struct inspector_request rq;
	uint64_t t_ns;
	size_t n_units, n_tasks;
	char path[CGROUP_PATH_MAX], unit[ENTITY_NAME_MAX]; /* of the top unit */
	struct procfs_task tasks[TASKS_MAX];
	struct cgroup_usage units[CGROUP_UNITS_MAX];
};

/* The order is that of the directory, so the same unit is mostly at the same place. */
static const struct cgroup_usage *find_path(const struct job *job, size_t guess, const char *path)
{
	for (size_t i = 0; i < job->n_units; i++) {
		const struct cgroup_usage *u = &job->units[(guess + i) % job->n_units];

		if (str_equal(u->path, path))
			return u;
	}
	return NULL;
}

struct ranking {
	const struct cgroup_usage *top;
	uint64_t top_us, second_us;
};

static struct ranking rank(const struct job *job, const struct cgroup_usage *now, size_t n)
{
	struct ranking k = { 0 };

	for (size_t i = 0; i < n; i++) {
		const struct cgroup_usage *before = find_path(job, i, now[i].path);
		/* One that is new since has used all of it in the meantime. */
		uint64_t base_us = before ? before->cpu_us : 0;
		uint64_t us = now[i].cpu_us > base_us ? now[i].cpu_us - base_us : 0;

		if (us > k.top_us) {
			k.second_us = k.top_us;
			k.top_us = us;
			k.top = &now[i];
		} else if (us > k.second_us) {
			k.second_us = us;
		}
	}
	return k;
}

static double share_pct(uint64_t us, uint64_t elapsed_ns)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return (double)us * 100 * (double)NS_PER_US /
	       ((double)elapsed_ns * (double)(n_cpus > 0 ? n_cpus : 1));
}

static void say_units(const struct job *job, const struct ranking *k, uint64_t elapsed_ns)
{
	struct evidence e = { .inspector = "top_cpu",
			      .source = SOURCE_CGROUP,
			      .provenance = PROVENANCE_KERNEL };
	double share = share_pct(k->top_us, elapsed_ns);

	(void)evidence_add_text(&e, "top.unit", k->top->unit);
	(void)evidence_add_number(&e, "top.cpu_share_pct", share);
	(void)evidence_add_number(&e, "top.second_share_pct", share_pct(k->second_us, elapsed_ns));
	str_append(e.text, sizeof(e.text),
		   "cgroup: '%s' takes %.1f %% of the host's CPU time, the next unit %.1f %%",
		   k->top->unit, share, share_pct(k->second_us, elapsed_ns));
	job->c->item(job->c->userdata, &job->rq, &e);
}

static size_t read_tasks(const struct job *job, struct procfs_task *ret)
{
	_cleanup_close_ int proc_fd = openat(job->c->root_fd, "proc",
					     O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int cgroup_fd = cgroup_open(job->c->watch->cgroup_fd, job->path, NULL);
	pid_t pids[TASKS_MAX];
	ssize_t n = cgroup_fd < 0 ? 0 : cgroup_list_pids(cgroup_fd, pids, ELEMENTSOF(pids));
	size_t found = 0;

	for (ssize_t i = 0; proc_fd >= 0 && i < n; i++)
		if (procfs_read_task(proc_fd, pids[i], &ret[found]) == 0)
			found++;
	return found;
}

static const struct procfs_task *find_task(const struct job *job, const struct procfs_task *t)
{
	for (size_t i = 0; i < job->n_tasks; i++)
		if (job->tasks[i].pid == t->pid && job->tasks[i].start_jiffies == t->start_jiffies)
			return &job->tasks[i];
	return NULL;
}

static void say_process(const struct job *job, const struct procfs_task *t, uint64_t jiffies)
{
	struct evidence e = { .inspector = "top_cpu",
			      .source = SOURCE_PROCFS,
			      .provenance = PROVENANCE_KERNEL };
	double elapsed_s = (double)(clock_boot_ns() - job->t_ns) / (double)NS_PER_S;
	double pct = (double)jiffies * 100 / ((double)sysconf(_SC_CLK_TCK) * elapsed_s);

	(void)evidence_add_text(&e, "top.process_comm", t->comm);
	(void)evidence_add_number(&e, "top.process_cpu_pct", pct);
	str_append(e.text, sizeof(e.text),
		   "procfs: process %d ('%s') of '%s' uses %.0f %% of a CPU", t->pid, t->comm,
		   job->unit, pct);
	job->c->item(job->c->userdata, &job->rq, &e);
}

static uint64_t finish(const struct job *job)
{
	struct procfs_task tasks[TASKS_MAX];
	const struct procfs_task *top = NULL;
	size_t n = read_tasks(job, tasks);
	uint64_t top_jiffies = 0;

	for (size_t i = 0; i < n; i++) {
		const struct procfs_task *before = find_task(job, &tasks[i]);
		uint64_t jiffies = before ? tasks[i].cpu_jiffies - before->cpu_jiffies : 0;

		if (jiffies > top_jiffies) {
			top_jiffies = jiffies;
			top = &tasks[i];
		}
	}
	if (top)
		say_process(job, top, top_jiffies);
	job->c->done(job->c->userdata, &job->rq, 0, NULL);
	return 0;
}

static uint64_t work(void *userdata)
{
	struct job *job = userdata;
	_cleanup_free_ struct cgroup_usage *now = NULL;
	uint64_t now_ns = clock_boot_ns();
	struct ranking k = { 0 };
	ssize_t n;

	if (job->path[0])
		return finish(job);
	now = calloc(CGROUP_UNITS_MAX, sizeof(*now));
	n = now ? cgroup_list_units(job->c->watch->cgroup_fd, now, CGROUP_UNITS_MAX) : 0;
	if (n > 0)
		k = rank(job, now, (size_t)n);
	if (!k.top) {
		job->c->done(job->c->userdata, &job->rq, 0, NULL);
		return 0;
	}
	say_units(job, &k, now_ns - job->t_ns);
	(void)str_copy(job->path, sizeof(job->path), k.top->path);
	(void)str_copy(job->unit, sizeof(job->unit), k.top->unit);
	job->n_tasks = read_tasks(job, job->tasks);
	job->t_ns = clock_boot_ns();
	return WINDOW_NS;
}

static int collect(const struct inspector_context *c, const struct inspector_request *rq,
		   struct err *reterr)
{
	struct job *job;
	ssize_t n;
	int r;

	if (!c->watch || c->watch->cgroup_fd < 0)
		return err_set(reterr, -EOPNOTSUPP, "rank units by CPU: no cgroup v2");
	job = calloc(1, sizeof(*job));
	if (!job)
		return err_set(reterr, -ENOMEM, "rank units by CPU: %s", strerror(ENOMEM));
	job->c = c;
	job->rq = *rq;
	job->t_ns = clock_boot_ns();
	n = cgroup_list_units(c->watch->cgroup_fd, job->units, CGROUP_UNITS_MAX);
	job->n_units = n < 0 ? 0 : (size_t)n;
	r = n < 0 ? err_set(reterr, (int)n, "rank units by CPU: %s", strerror((int)-n)) :
		    later_run(c->event, WINDOW_NS, work, job, reterr);
	if (r < 0)
		free(job);
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
