/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "ops/inspector.h"
#include "sys/later.h"
#include "sys/psi.h"

#define WINDOW_NS NS_PER_S

#define FACT(n, h)                                                    \
	{                                                             \
		n, ENTITY_KIND_HOST, SOURCE_PSI, PROVENANCE_KERNEL, h \
	}

static const struct signal_spec facts[] = {
	FACT("host.cpu_pressure_some_pct", "share of time in which some task waits for a CPU"),
	FACT("host.memory_pressure_full_pct", "share of time in which all tasks wait for memory"),
	FACT("host.io_pressure_full_pct", "share of time in which all tasks wait for I/O"),
	{ .name = NULL },
};

static const struct {
	const char *path, *what;
	enum psi_line line;
} files[] = {
	{ "proc/pressure/cpu", "CPU", PSI_LINE_SOME },
	{ "proc/pressure/memory", "memory", PSI_LINE_FULL },
	{ "proc/pressure/io", "I/O", PSI_LINE_FULL },
};

struct job {
	const struct inspector_context *c;
	struct inspector_request rq;
	uint64_t t_ns, total_us[ELEMENTSOF(files)];
};

static int read_totals(int root_fd, uint64_t totals_us[static ELEMENTSOF(files)],
		       struct err *reterr)
{
	for (size_t i = 0; i < ELEMENTSOF(files); i++) {
		_cleanup_close_ int fd = psi_open(root_fd, files[i].path, reterr);
		int r = fd < 0 ? fd : psi_read_total_us(fd, files[i].line, &totals_us[i]);

		if (r < 0)
			return fd < 0 ? r :
					err_set(reterr, r, "read pressure '%s': %s", files[i].path,
						strerror(-r));
	}
	return 0;
}

static uint64_t finish(void *userdata)
{
	const struct job *job = userdata;
	struct evidence e = { .inspector = "host_pressure",
			      .source = SOURCE_PSI,
			      .provenance = PROVENANCE_KERNEL };
	uint64_t now_us[ELEMENTSOF(files)], elapsed_ns = clock_boot_ns() - job->t_ns;
	struct err err = { 0 };
	int r = read_totals(job->c->root_fd, now_us, &err);

	str_append(e.text, sizeof(e.text), "pressure on the host:");
	for (size_t i = 0; r == 0 && i < ELEMENTSOF(files); i++) {
		double pct = psi_share_pct(job->total_us[i], now_us[i], elapsed_ns);

		(void)evidence_add_number(&e, facts[i].name, pct);
		str_append(e.text, sizeof(e.text), "%s %s %.1f %%", i ? "," : "", files[i].what,
			   pct);
	}
	if (r == 0)
		job->c->item(job->c->userdata, &job->rq, &e);
	job->c->done(job->c->userdata, &job->rq, r, &err);
	return 0;
}

static const struct later_job kind = { .work = finish, .free = free };

static int collect(const struct inspector_context *c, const struct inspector_request *rq,
		   struct err *reterr)
{
	struct job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return err_set(reterr, -ENOMEM, "inspect pressure: %s", strerror(ENOMEM));
	*job = (struct job){ .c = c, .rq = *rq, .t_ns = clock_boot_ns() };
	r = read_totals(c->root_fd, job->total_us, reterr);
	if (r == 0)
		r = later_run(c->event, WINDOW_NS, &kind, job, reterr);
	if (r < 0)
		free(job);
	return r;
}

const struct inspector_ops inspector_host_pressure = {
	.name = "host_pressure",
	.summary = "what the host waits for, measured over one second",
	.source_text = "kernel Documentation/accounting/psi.rst",
	.facts = facts,
	.entity_kind = ENTITY_KIND_HOST,
	.collect = collect,
};
