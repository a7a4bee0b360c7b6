/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ops/probe.h"
#include "sys/disks.h"

#define INTERVAL_NS (5 * NS_PER_S)

enum { SIGNAL_READ, SIGNAL_WRITE, SIGNAL_BUSY, SIGNAL_READ_MEAN, SIGNAL_WRITE_MEAN };

#define SIGNAL(n, h)                                                     \
	{                                                                \
		n, ENTITY_KIND_DISK, SOURCE_PROCFS, PROVENANCE_KERNEL, h \
	}

static const struct signal_spec signals[] = {
	[SIGNAL_READ] = SIGNAL("disk.read_bytes_per_s", "read, over 5 s"),
	[SIGNAL_WRITE] = SIGNAL("disk.write_bytes_per_s", "written, over 5 s"),
	[SIGNAL_BUSY] = SIGNAL("disk.busy_pct", "of the time with any request under way"),
	[SIGNAL_READ_MEAN] = SIGNAL("disk.read_wait_mean_ms",
				    "of the reads of 5 s; where BPF cannot look, all there is"),
	[SIGNAL_WRITE_MEAN] = SIGNAL("disk.write_wait_mean_ms",
				     "of the writes of 5 s; where BPF cannot look, all there is"),
	{ .name = NULL },
};

struct state {
	const struct probe_context *c;
	uint64_t t_ns; /* of the last reading; 0: none */
	size_t n;
	struct disk_stats disks[DISKS_MAX];
	char text[DISKS_TEXT_MAX];
};

static const struct disk_stats *find(const struct state *s, const struct disk_stats *d)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_equal(s->disks[i].name, d->name) && s->disks[i].major == d->major &&
		    s->disks[i].minor == d->minor && d->reads >= s->disks[i].reads &&
		    d->writes >= s->disks[i].writes)
			return &s->disks[i];
	return NULL;
}

/* Nothing is said of waits where nobody waited. */
static void tell_mean(const struct state *s, unsigned signal, const char *name, uint64_t requests,
		      uint64_t wait_ms, uint64_t now_ns)
{
	if (requests > 0)
		probe_emit(s->c, &signals[signal], name, now_ns,
			   (double)wait_ms / (double)requests);
}

static void measure(const struct state *s, const struct disk_stats *d, uint64_t now_ns)
{
	const struct disk_stats *last = find(s, d);
	double elapsed_s = (double)(now_ns - s->t_ns) / (double)NS_PER_S, busy_pct;

	if (!last || elapsed_s <= 0)
		return;
	probe_emit(s->c, &signals[SIGNAL_READ], d->name, now_ns,
		   (double)((d->read_sectors - last->read_sectors) * DISKS_SECTOR_BYTES) /
			   elapsed_s);
	probe_emit(s->c, &signals[SIGNAL_WRITE], d->name, now_ns,
		   (double)((d->write_sectors - last->write_sectors) * DISKS_SECTOR_BYTES) /
			   elapsed_s);
	busy_pct = (double)(d->busy_ms - last->busy_ms) / elapsed_s / 10;
	probe_emit(s->c, &signals[SIGNAL_BUSY], d->name, now_ns, busy_pct > 100 ? 100 : busy_pct);
	tell_mean(s, SIGNAL_READ_MEAN, d->name, d->reads - last->reads, d->read_ms - last->read_ms,
		  now_ns);
	tell_mean(s, SIGNAL_WRITE_MEAN, d->name, d->writes - last->writes,
		  d->write_ms - last->write_ms, now_ns);
}

static void tick(void *state, uint64_t now_ns)
{
	struct state *s = state;
	struct disk_stats now[DISKS_MAX];
	size_t n = 0;

	if (s->t_ns && now_ns < s->t_ns + INTERVAL_NS)
		return;
	if (fd_read_file(s->c->root_fd, "proc/diskstats", s->text, sizeof(s->text)) >= 0)
		n = disks_parse(s->c->root_fd, s->text, now, DISKS_MAX);
	for (size_t i = 0; i < n; i++)
		measure(s, &now[i], now_ns);
	memcpy(s->disks, now, n * sizeof(now[0]));
	s->n = n;
	s->t_ns = now_ns;
}

static int start(const struct probe_context *c, void **ret_state, struct err *reterr)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(reterr, -ENOMEM, "watch disks: %s", strerror(ENOMEM));
	s->c = c;
	if (faccessat(c->root_fd, "proc/diskstats", R_OK, 0) < 0) {
		free(s);
		return err_set(reterr, -ENOENT, "watch disks: no /proc/diskstats");
	}
	*ret_state = s;
	return 0;
}

const struct probe_ops probe_disks = {
	.name = "disks",
	.summary = "traffic, use and mean waits of disks",
	.source = "kernel Documentation/admin-guide/iostats.rst",
	.signals = signals,
	.optional = true,
	.start = start,
	.tick = tick,
	.stop = free,
};
