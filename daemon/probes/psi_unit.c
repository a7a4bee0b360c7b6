/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "ops/probe.h"
#include "sys/psi.h"
#include "sys/watch.h"

enum { RESOURCE_CPU, RESOURCE_MEMORY, RESOURCE_IO, _RESOURCE_MAX };

static const struct signal_spec signals[] = {
	[RESOURCE_CPU] = { "unit.cpu_pressure_some_pct", ENTITY_KIND_UNIT, SOURCE_PSI,
			   PROVENANCE_KERNEL,
			   "share of time in which some task of the unit waited for a CPU" },
	[RESOURCE_MEMORY] = { "unit.memory_pressure_full_pct", ENTITY_KIND_UNIT, SOURCE_PSI,
			      PROVENANCE_KERNEL,
			      "share of time in which all its tasks waited for memory" },
	[RESOURCE_IO] = { "unit.io_pressure_full_pct", ENTITY_KIND_UNIT, SOURCE_PSI,
			  PROVENANCE_KERNEL,
			  "share of time in which all its tasks waited for I/O" },
	{ .name = NULL },
};

static const struct {
	const char *path;
	enum psi_line line;
} files[_RESOURCE_MAX] = {
	[RESOURCE_CPU] = { "cpu.pressure", PSI_LINE_SOME },
	[RESOURCE_MEMORY] = { "memory.pressure", PSI_LINE_FULL },
	[RESOURCE_IO] = { "io.pressure", PSI_LINE_FULL },
};

struct unit {
	uint32_t generation;
	int fds[_RESOURCE_MAX];
	uint64_t total_us[_RESOURCE_MAX], t_ns[_RESOURCE_MAX];
};

/* Triggers of a unit's files take root, so their totals are read each second. */
struct state {
	const struct probe_context *c;
	struct unit units[SERVICES_MAX]; /* as in watch.units */
};

static void unit_close(struct unit *u)
{
	for (unsigned i = 0; i < _RESOURCE_MAX; i++) {
		closep(&u->fds[i]);
		u->fds[i] = -EBADF;
		u->t_ns[i] = 0;
	}
	u->generation = 0;
}

static void unit_reopen(struct unit *u, const struct watch_unit *w)
{
	unit_close(u);
	u->generation = w->generation;
	for (unsigned i = 0; w->cgroup_fd >= 0 && i < _RESOURCE_MAX; i++)
		u->fds[i] = psi_open(w->cgroup_fd, files[i].path, NULL);
}

static void measure(const struct state *s, struct unit *u, const char *name, uint64_t now_ns)
{
	for (unsigned i = 0; i < _RESOURCE_MAX; i++) {
		uint64_t total_us = 0;

		if (u->fds[i] < 0 || psi_read_total_us(u->fds[i], files[i].line, &total_us) < 0)
			continue;
		if (u->t_ns[i])
			probe_emit(s->c, &signals[i], name, now_ns,
				   psi_share_pct(u->total_us[i], total_us, now_ns - u->t_ns[i]));
		u->total_us[i] = total_us;
		u->t_ns[i] = now_ns;
	}
}

static void tick(void *state, uint64_t now_ns)
{
	struct state *s = state;
	struct watch *w = s->c->watch;

	for (uint32_t i = 0; i < w->n_units && i < SERVICES_MAX; i++) {
		(void)watch_refresh_cgroup(w, &w->units[i]);
		if (s->units[i].generation != w->units[i].generation)
			unit_reopen(&s->units[i], &w->units[i]);
		measure(s, &s->units[i], w->units[i].name, now_ns);
	}
}

static int supported(const struct probe_context *c, struct err *reterr)
{
	_cleanup_close_ int fd = psi_open(c->root_fd, "proc/pressure/cpu", reterr);

	if (fd < 0)
		return fd;
	if (c->watch->cgroup_fd < 0)
		return err_set(reterr, -EOPNOTSUPP, "watch pressure of units: no cgroup v2");
	return 0;
}

/* The order of the units may be another: all files are opened anew. */
static void reload(void *state)
{
	struct state *s = state;

	for (unsigned i = 0; i < SERVICES_MAX; i++)
		unit_close(&s->units[i]);
}

static int start(const struct probe_context *c, void **ret_state, struct err *reterr)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(reterr, -ENOMEM, "watch pressure of units: %s", strerror(ENOMEM));
	s->c = c;
	for (unsigned i = 0; i < SERVICES_MAX; i++)
		s->units[i] = (struct unit){ .fds = { -EBADF, -EBADF, -EBADF } };
	*ret_state = s;
	return 0;
}

static void stop(void *state)
{
	reload(state);
	free(state);
}

const struct probe_ops probe_psi_unit = {
	.name = "psi_unit",
	.summary = "pressure on managed units, by their totals each second",
	.source =
		"kernel Documentation/accounting/psi.rst, Documentation/admin-guide/cgroup-v2.rst",
	.signals = signals,
	.optional = true,
	.supported = supported,
	.start = start,
	.tick = tick,
	.reload = reload,
	.stop = stop,
};
