/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "ops/probe.h"
#include "sys/procfs.h"

#define DISK_INTERVAL_NS   (10 * NS_PER_S) /* a disk does not fill faster than that matters */
#define MOUNTS_INTERVAL_NS (60 * NS_PER_S)

enum { SIGNAL_CPU, SIGNAL_LOAD, SIGNAL_MEMORY, SIGNAL_DISK };

#define SIGNAL(n, h)                                                     \
	{                                                                \
		n, ENTITY_KIND_HOST, SOURCE_PROCFS, PROVENANCE_KERNEL, h \
	}

static const struct signal_spec signals[] = {
	[SIGNAL_CPU] = SIGNAL("host.cpu_usage_pct", "busy time of all CPUs together, 0 to 100"),
	[SIGNAL_LOAD] = SIGNAL("host.load1", "load average over one minute"),
	[SIGNAL_MEMORY] = SIGNAL("host.memory_available_ratio", "MemAvailable of MemTotal"),
	[SIGNAL_DISK] = SIGNAL("host.disk_used_ratio", "of the fullest local file system"),
	{ .name = NULL },
};

struct state {
	const struct probe_context *c;
	int stat_fd, meminfo_fd, loadavg_fd;
	struct procfs_cpu cpu;
	bool cpu_is_known;
	struct procfs_mounts mounts;
	uint64_t mounts_ns, disk_ns;
	double disk_used_ratio;
};

/* As df(1) counts: what root alone may use is neither used nor free. */
static double used_ratio(const char *path)
{
	struct statvfs v = { 0 };
	double used, all;

	if (statvfs(path, &v) < 0)
		return 0;
	used = (double)(v.f_blocks - v.f_bfree);
	all = used + (double)v.f_bavail;
	return all > 0 ? used / all : 0;
}

static void measure_disk(struct state *s, uint64_t now_ns)
{
	if (!s->mounts_ns || now_ns - s->mounts_ns >= MOUNTS_INTERVAL_NS) {
		s->mounts_ns = now_ns;
		if (procfs_read_mounts(s->c->root_fd, &s->mounts) < 0)
			s->mounts.n = 0;
	}
	if (!s->disk_ns || now_ns - s->disk_ns >= DISK_INTERVAL_NS) {
		s->disk_ns = now_ns;
		s->disk_used_ratio = 0;
		for (uint32_t i = 0; i < s->mounts.n; i++) {
			double ratio = used_ratio(s->mounts.paths[i]);

			if (ratio > s->disk_used_ratio)
				s->disk_used_ratio = ratio;
		}
	}
	if (s->mounts.n > 0)
		probe_emit(s->c, &signals[SIGNAL_DISK], "", now_ns, s->disk_used_ratio);
}

static void tick(void *state, uint64_t now_ns)
{
	struct state *s = state;
	struct procfs_cpu cpu = { 0 };
	double v = 0;

	if (procfs_read_cpu(s->stat_fd, &cpu) == 0) {
		if (s->cpu_is_known)
			probe_emit(s->c, &signals[SIGNAL_CPU], "", now_ns,
				   procfs_cpu_busy_pct(&s->cpu, &cpu));
		s->cpu = cpu;
		s->cpu_is_known = true;
	}
	if (procfs_read_load1(s->loadavg_fd, &v) == 0)
		probe_emit(s->c, &signals[SIGNAL_LOAD], "", now_ns, v);
	if (procfs_read_memory(s->meminfo_fd, &v) == 0)
		probe_emit(s->c, &signals[SIGNAL_MEMORY], "", now_ns, v);
	measure_disk(s, now_ns);
}

static void stop(void *state)
{
	struct state *s = state;

	closep(&s->stat_fd);
	closep(&s->meminfo_fd);
	closep(&s->loadavg_fd);
	free(s);
}

static int start(const struct probe_context *c, void **ret_state, struct err *reterr)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(reterr, -ENOMEM, "watch host: %s", strerror(ENOMEM));
	s->c = c;
	s->stat_fd = openat(c->root_fd, "proc/stat", O_RDONLY | O_CLOEXEC);
	s->meminfo_fd = openat(c->root_fd, "proc/meminfo", O_RDONLY | O_CLOEXEC);
	s->loadavg_fd = openat(c->root_fd, "proc/loadavg", O_RDONLY | O_CLOEXEC);
	if (s->stat_fd < 0 || s->meminfo_fd < 0 || s->loadavg_fd < 0) {
		stop(s);
		return err_set(reterr, -ENOENT, "watch host: /proc is not mounted");
	}
	*ret_state = s;
	return 0;
}

const struct probe_ops probe_host = {
	.name = "host",
	.summary = "CPU, load, memory and disk of the host",
	.source = "proc(5)",
	.signals = signals,
	.optional = true,
	.start = start,
	.tick = tick,
	.stop = stop,
};
