/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "ops/probe.h"
#include "sys/cgroup.h"
#include "sys/watch.h"

enum {
	SIGNAL_CPU,
	SIGNAL_MEMORY,
	SIGNAL_MEMORY_RATIO,
	SIGNAL_IO_READ,
	SIGNAL_IO_WRITE,
	SIGNAL_PIDS,
	SIGNAL_OOM_KILLS,
	SIGNAL_POPULATED,
};

#define SIGNAL(n, h)                                                     \
	{                                                                \
		n, ENTITY_KIND_UNIT, SOURCE_CGROUP, PROVENANCE_KERNEL, h \
	}

static const struct signal_spec signals[] = {
	[SIGNAL_CPU] = SIGNAL("unit.cpu_usage_pct", "CPU time used, in per cent of one CPU"),
	[SIGNAL_MEMORY] = SIGNAL("unit.memory_bytes", "memory charged to the unit"),
	[SIGNAL_MEMORY_RATIO] = SIGNAL("unit.memory_max_ratio", "of its MemoryMax=, if it has one"),
	[SIGNAL_IO_READ] = SIGNAL("unit.io_read_bytes_per_s", "read from block devices"),
	[SIGNAL_IO_WRITE] = SIGNAL("unit.io_write_bytes_per_s", "written to block devices"),
	[SIGNAL_PIDS] = SIGNAL("unit.pids_count", "tasks in the unit"),
	[SIGNAL_OOM_KILLS] = SIGNAL("unit.oom_kills_count",
				    "processes killed for memory since the unit was started"),
	[SIGNAL_POPULATED] = SIGNAL("unit.populated_bool",
				    "1 while the unit has a live process, 0 otherwise"),
	{ .name = NULL },
};

enum {
	FILE_CPU,
	FILE_MEMORY,
	FILE_MEMORY_MAX,
	FILE_EVENTS,
	FILE_IO,
	FILE_PIDS,
	FILE_CGROUP_EVENTS,
	_FILE_MAX
};

static const char *const files[_FILE_MAX] = {
	[FILE_CPU] = "cpu.stat",
	[FILE_MEMORY] = "memory.current",
	[FILE_MEMORY_MAX] = "memory.max",
	[FILE_EVENTS] = "memory.events",
	[FILE_IO] = "io.stat",
	[FILE_PIDS] = "pids.current",
	[FILE_CGROUP_EVENTS] = "cgroup.events",
};

struct unit {
	uint32_t generation;
	int fds[_FILE_MAX]; /* kept open; a controller that is off has none */
	uint64_t cpu_us, cpu_t_ns;
	uint64_t read_bytes, write_bytes, io_t_ns;
};

struct state {
	const struct probe_context *c;
	struct unit units[SERVICES_MAX]; /* as in watch.units */
};

static void unit_close(struct unit *u)
{
	for (unsigned i = 0; i < _FILE_MAX; i++)
		closep(&u->fds[i]);
	*u = (struct unit){ .fds = { -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF } };
}

static void unit_reopen(struct unit *u, const struct watch_unit *w)
{
	unit_close(u);
	u->generation = w->generation;
	for (unsigned i = 0; w->cgroup_fd >= 0 && i < _FILE_MAX; i++)
		u->fds[i] = openat(w->cgroup_fd, files[i], O_RDONLY | O_CLOEXEC);
}

static double per_second(uint64_t before, uint64_t after, uint64_t elapsed_ns)
{
	if (after < before || elapsed_ns == 0)
		return 0;
	return (double)(after - before) * (double)NS_PER_S / (double)elapsed_ns;
}

static void measure_cpu(const struct probe_context *c, struct unit *u, const char *name,
			uint64_t now_ns)
{
	uint64_t us = 0;

	if (u->fds[FILE_CPU] < 0 || cgroup_read_key(u->fds[FILE_CPU], "usage_usec", &us) < 0)
		return;
	if (u->cpu_t_ns)
		probe_emit(c, &signals[SIGNAL_CPU], name, now_ns,
			   per_second(u->cpu_us, us, now_ns - u->cpu_t_ns) * 100 /
				   (double)US_PER_S);
	u->cpu_us = us;
	u->cpu_t_ns = now_ns;
}

static void measure_memory(const struct probe_context *c, const struct unit *u, const char *name,
			   uint64_t now_ns)
{
	uint64_t used = 0, max = UINT64_MAX, kills = 0;

	if (u->fds[FILE_MEMORY] >= 0 && cgroup_read_u64(u->fds[FILE_MEMORY], &used) == 0) {
		probe_emit(c, &signals[SIGNAL_MEMORY], name, now_ns, (double)used);
		if (u->fds[FILE_MEMORY_MAX] >= 0 &&
		    cgroup_read_u64(u->fds[FILE_MEMORY_MAX], &max) == 0 && max > 0 &&
		    max != UINT64_MAX)
			probe_emit(c, &signals[SIGNAL_MEMORY_RATIO], name, now_ns,
				   (double)used / (double)max);
	}
	if (u->fds[FILE_EVENTS] >= 0 &&
	    cgroup_read_key(u->fds[FILE_EVENTS], "oom_kill", &kills) == 0)
		probe_emit(c, &signals[SIGNAL_OOM_KILLS], name, now_ns, (double)kills);
}

static void measure_io(const struct probe_context *c, struct unit *u, const char *name,
		       uint64_t now_ns)
{
	uint64_t rd = 0, wr = 0, elapsed_ns = now_ns - u->io_t_ns;

	if (u->fds[FILE_IO] < 0 || cgroup_read_io_bytes(u->fds[FILE_IO], &rd, &wr) < 0)
		return;
	if (u->io_t_ns) {
		probe_emit(c, &signals[SIGNAL_IO_READ], name, now_ns,
			   per_second(u->read_bytes, rd, elapsed_ns));
		probe_emit(c, &signals[SIGNAL_IO_WRITE], name, now_ns,
			   per_second(u->write_bytes, wr, elapsed_ns));
	}
	u->read_bytes = rd;
	u->write_bytes = wr;
	u->io_t_ns = now_ns;
}

static void measure_pids(const struct probe_context *c, const struct unit *u, const char *name,
			 uint64_t now_ns)
{
	uint64_t n = 0;

	if (u->fds[FILE_PIDS] >= 0 && cgroup_read_u64(u->fds[FILE_PIDS], &n) == 0)
		probe_emit(c, &signals[SIGNAL_PIDS], name, now_ns, (double)n);
}

/* A unit without a cgroup has no process: systemd removes it with the last one. */
static void measure_populated(const struct probe_context *c, const struct unit *u,
			      const struct watch_unit *w, uint64_t now_ns)
{
	uint64_t populated = 0;

	if (w->cgroup_fd >= 0 &&
	    (u->fds[FILE_CGROUP_EVENTS] < 0 ||
	     cgroup_read_key(u->fds[FILE_CGROUP_EVENTS], "populated", &populated) < 0))
		return;
	probe_emit(c, &signals[SIGNAL_POPULATED], w->name, now_ns, (double)populated);
}

static void tick(void *state, uint64_t now_ns)
{
	struct state *s = state;
	struct watch *w = s->c->watch;

	for (uint32_t i = 0; i < w->n_units && i < SERVICES_MAX; i++) {
		struct unit *u = &s->units[i];
		const char *name = w->units[i].name;

		(void)watch_refresh_cgroup(w, &w->units[i]);
		if (u->generation != w->units[i].generation)
			unit_reopen(u, &w->units[i]);
		measure_cpu(s->c, u, name, now_ns);
		measure_memory(s->c, u, name, now_ns);
		measure_io(s->c, u, name, now_ns);
		measure_pids(s->c, u, name, now_ns);
		measure_populated(s->c, u, &w->units[i], now_ns);
	}
}

static int supported(const struct probe_context *c, struct err *reterr)
{
	if (c->watch->cgroup_fd < 0)
		return err_set(reterr, -EOPNOTSUPP, "watch resources of units: no cgroup v2");
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
		return err_set(reterr, -ENOMEM, "watch resources of units: %s", strerror(ENOMEM));
	s->c = c;
	for (unsigned i = 0; i < SERVICES_MAX; i++) {
		for (unsigned f = 0; f < _FILE_MAX; f++)
			s->units[i].fds[f] = -EBADF;
	}
	*ret_state = s;
	return 0;
}

static void stop(void *state)
{
	reload(state);
	free(state);
}

const struct probe_ops probe_cgroup_unit = {
	.name = "cgroup_unit",
	.summary = "CPU, memory, I/O and tasks of managed units",
	.source = "kernel Documentation/admin-guide/cgroup-v2.rst",
	.signals = signals,
	.optional = true,
	.supported = supported,
	.start = start,
	.tick = tick,
	.reload = reload,
	.stop = stop,
};
