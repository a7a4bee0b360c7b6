/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "ops/inspector.h"
#include "sys/later.h"
#include "sys/psi.h"
#include "sys/watch.h"

#define WINDOW_NS   NS_PER_S
#define RUNQ_AGE_NS (5 * NS_PER_S) /* an older latency says nothing about now */

static const struct signal_spec facts[] = {
	{ "pressure.cpu_some_pct", ENTITY_KIND_UNIT, SOURCE_PSI, PROVENANCE_KERNEL,
	  "share of time in which some task of it waits for a CPU" },
	{ "pressure.memory_full_pct", ENTITY_KIND_UNIT, SOURCE_PSI, PROVENANCE_KERNEL,
	  "share of time in which all its tasks wait for memory" },
	{ "pressure.io_full_pct", ENTITY_KIND_UNIT, SOURCE_PSI, PROVENANCE_KERNEL,
	  "share of time in which all its tasks wait for I/O" },
	{ "runq.p99_us", ENTITY_KIND_UNIT, SOURCE_BPF, PROVENANCE_KERNEL,
	  "99 % of its waits for a CPU are shorter" },
	{ .name = NULL },
};

static const struct {
	const char *path;
	enum psi_line line;
} files[] = {
	{ "cpu.pressure", PSI_LINE_SOME },
	{ "memory.pressure", PSI_LINE_FULL },
	{ "io.pressure", PSI_LINE_FULL },
};

struct job {
	const struct inspector_context *c;
	struct inspector_request rq;
	uint64_t t_ns, total_us[ELEMENTSOF(files)];
};

static void read_totals(int cgroup_fd, uint64_t totals_us[static ELEMENTSOF(files)])
{
	for (size_t i = 0; i < ELEMENTSOF(files); i++) {
		_cleanup_close_ int fd = psi_open(cgroup_fd, files[i].path, NULL);

		if (fd < 0 || psi_read_total_us(fd, files[i].line, &totals_us[i]) < 0)
			totals_us[i] = UINT64_MAX;
	}
}

static void say_runq(const struct job *job)
{
	struct evidence e = { .inspector = "unit_pressure",
			      .source = SOURCE_BPF,
			      .provenance = PROVENANCE_KERNEL };
	const struct watch_unit *u = watch_find(job->c->watch, job->rq.entity.name);

	if (!u || !u->runq_t_ns || clock_boot_ns() > u->runq_t_ns + RUNQ_AGE_NS)
		return;
	(void)evidence_add_number(&e, "runq.p99_us", u->runq_p99_us);
	str_append(e.text, sizeof(e.text),
		   "scheduler: 99 %% of its waits for a CPU are under %.1f ms",
		   u->runq_p99_us / 1000);
	job->c->item(job->c->userdata, &job->rq, &e);
}

static void say_pressure(const struct job *job, int cgroup_fd)
{
	struct evidence e = { .inspector = "unit_pressure",
			      .source = SOURCE_PSI,
			      .provenance = PROVENANCE_KERNEL };
	uint64_t now_us[ELEMENTSOF(files)], elapsed_ns = clock_boot_ns() - job->t_ns;
	const char *separator = "pressure:";

	read_totals(cgroup_fd, now_us);
	for (size_t i = 0; i < ELEMENTSOF(files); i++) {
		double pct;

		if (job->total_us[i] == UINT64_MAX || now_us[i] == UINT64_MAX)
			continue;
		pct = psi_share_pct(job->total_us[i], now_us[i], elapsed_ns);
		(void)evidence_add_number(&e, facts[i].name, pct);
		str_append(e.text, sizeof(e.text), "%s %.1f %% of the time it waits for %.*s",
			   separator, pct, (int)strcspn(files[i].path, "."), files[i].path);
		separator = ",";
	}
	if (e.n_facts)
		job->c->item(job->c->userdata, &job->rq, &e);
}

static uint64_t finish(void *userdata)
{
	const struct job *job = userdata;
	_cleanup_close_ int cgroup_fd = watch_open_cgroup(job->c->watch, job->rq.entity.name);
	struct err err = { 0 };

	if (cgroup_fd >= 0) {
		say_pressure(job, cgroup_fd);
		say_runq(job);
	} else {
		(void)err_set(&err, cgroup_fd, "open cgroup of '%s': %s", job->rq.entity.name,
			      strerror(-cgroup_fd));
	}
	job->c->done(job->c->userdata, &job->rq, cgroup_fd < 0 ? cgroup_fd : 0, &err);
	return 0;
}

static const struct later_job kind = { .work = finish, .free = free };

static int collect(const struct inspector_context *c, const struct inspector_request *rq,
		   struct err *reterr)
{
	_cleanup_close_ int cgroup_fd = c->watch ? watch_open_cgroup(c->watch, rq->entity.name) :
						   -EOPNOTSUPP;
	struct job *job;
	int r;

	if (cgroup_fd < 0)
		return err_set(reterr, cgroup_fd, "open cgroup of '%s': %s", rq->entity.name,
			       strerror(-cgroup_fd));
	job = calloc(1, sizeof(*job));
	if (!job)
		return err_set(reterr, -ENOMEM, "inspect pressure of '%s': %s", rq->entity.name,
			       strerror(ENOMEM));
	*job = (struct job){ .c = c, .rq = *rq, .t_ns = clock_boot_ns() };
	read_totals(cgroup_fd, job->total_us);
	r = later_run(c->event, WINDOW_NS, &kind, job, reterr);
	if (r < 0)
		free(job);
	return r;
}

const struct inspector_ops inspector_unit_pressure = {
	.name = "unit_pressure",
	.summary = "what a unit waits for, measured over one second",
	.source_text = "kernel Documentation/accounting/psi.rst; bpf/runqlat.bpf.c",
	.facts = facts,
	.entity_kind = ENTITY_KIND_UNIT,
	.collect = collect,
};
