/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ops/probe.h"
#include "sys/bpfload.h"
#include "sys/disks.h"
#include "sys/latency.h"
#include "sys/unitcounts.h"

#include "blockio.skel.h"
#include "bpf/blockio.h"

#define INTERVAL_NS      (5 * NS_PER_S)
#define LIST_INTERVAL_NS (60 * NS_PER_S)

_Static_assert(BLOCKIO_DISKS_MAX >= DISKS_MAX, "each disk has an entry");

enum {
	SIGNAL_P99, /* and two more, as in enum blockio_op */
	SIGNAL_MEAN = SIGNAL_P99 + _BLOCKIO_OP_MAX,
	SIGNAL_ERRORS = SIGNAL_MEAN + _BLOCKIO_OP_MAX,
	SIGNAL_UNIT,
	SIGNAL_UNIT_ERRORS,
};

#define SIGNAL(n, kind, h)                                              \
	{                                                               \
		n, ENTITY_KIND_##kind, SOURCE_BPF, PROVENANCE_KERNEL, h \
	}

static const struct signal_spec signals[] = {
	[SIGNAL_P99 + BLOCKIO_OP_READ] = SIGNAL("disk.read_latency_p99_us", DISK,
						"99 % of the reads of 5 s were shorter"),
	[SIGNAL_P99 + BLOCKIO_OP_WRITE] = SIGNAL("disk.write_latency_p99_us", DISK,
						 "99 % of the writes of 5 s were shorter"),
	[SIGNAL_P99 + BLOCKIO_OP_FLUSH] = SIGNAL("disk.flush_latency_p99_us", DISK,
						 "99 % of the flushes of 5 s were shorter"),
	[SIGNAL_MEAN +
		BLOCKIO_OP_READ] = SIGNAL("disk.read_latency_mean_us", DISK, "of the reads of 5 s"),
	[SIGNAL_MEAN + BLOCKIO_OP_WRITE] = SIGNAL("disk.write_latency_mean_us", DISK,
						  "of the writes of 5 s"),
	[SIGNAL_MEAN + BLOCKIO_OP_FLUSH] = SIGNAL("disk.flush_latency_mean_us", DISK,
						  "of the flushes of 5 s"),
	[SIGNAL_ERRORS] = SIGNAL("disk.errors_per_s", DISK, "requests that failed, over 5 s"),
	[SIGNAL_UNIT] = SIGNAL("unit.block_latency_p99_us", UNIT,
			       "of its reads and writes at disks; with IOAccounting= on"),
	[SIGNAL_UNIT_ERRORS] = SIGNAL("unit.block_errors_per_s", UNIT,
				      "of its reads and writes; with IOAccounting= on"),
	{ .name = NULL },
};

struct state {
	const struct probe_context *c;
	struct blockio_bpf *bpf;
	struct unitcounts units, by_disk;
	uint64_t t_ns, list_ns; /* of the last reading; 0: none */
	size_t n_disks;
	struct disk_stats disks[DISKS_MAX];
	char text[DISKS_TEXT_MAX];
};

static void list_disks(struct state *s, uint64_t now_ns)
{
	if (s->list_ns && now_ns < s->list_ns + LIST_INTERVAL_NS)
		return;
	s->list_ns = now_ns;
	if (fd_read_file(s->c->root_fd, "proc/diskstats", s->text, sizeof(s->text)) < 0)
		return;
	s->n_disks = disks_parse(s->c->root_fd, s->text, s->disks, DISKS_MAX);
	for (unsigned i = 0; i < DISKS_MAX; i++)
		unitcounts_set(
			&s->by_disk, i,
			i < s->n_disks ? (uint64_t)s->disks[i].major << 32 | s->disks[i].minor : 0);
}

static void tell_op(const struct state *s, const char *disk, enum blockio_op op,
		    const struct latency_counts *c, uint64_t now_ns)
{
	uint64_t n = latency_samples(&c->hist);

	if (n == 0)
		return;
	probe_emit(s->c, &signals[SIGNAL_P99 + op], disk, now_ns,
		   latency_quantile_us(&c->hist, 0.99));
	probe_emit(s->c, &signals[SIGNAL_MEAN + op], disk, now_ns, (double)c->total_us / (double)n);
}

static void measure_disk(struct state *s, unsigned i, double elapsed_s, uint64_t now_ns)
{
	const char *name = s->disks[i].name;
	struct blockio_disk d;
	double errors = 0;

	if (unitcounts_take(&s->by_disk, i, &d) < 0)
		return;
	for (unsigned op = 0; op < _BLOCKIO_OP_MAX; op++) {
		tell_op(s, name, op, &d.ops[op], now_ns);
		errors += d.ops[op].errors;
	}
	probe_emit(s->c, &signals[SIGNAL_ERRORS], name, now_ns, errors / elapsed_s);
}

static void measure_unit(struct state *s, unsigned i, double elapsed_s, uint64_t now_ns)
{
	const char *name = s->c->watch->units[i].name;
	struct latency_counts c;

	if (unitcounts_take(&s->units, i, &c) <= 0)
		return;
	probe_emit(s->c, &signals[SIGNAL_UNIT], name, now_ns, latency_quantile_us(&c.hist, 0.99));
	probe_emit(s->c, &signals[SIGNAL_UNIT_ERRORS], name, now_ns, c.errors / elapsed_s);
}

static void tick(void *state, uint64_t now_ns)
{
	struct state *s = state;
	const struct watch *w = s->c->watch;
	double elapsed_s = (double)(now_ns - s->t_ns) / (double)NS_PER_S;

	if (s->t_ns && now_ns < s->t_ns + INTERVAL_NS)
		return;
	for (unsigned i = 0; s->t_ns && i < s->n_disks; i++)
		measure_disk(s, i, elapsed_s, now_ns);
	for (uint32_t i = 0; s->t_ns && i < w->n_units && i < SERVICES_MAX; i++)
		measure_unit(s, i, elapsed_s, now_ns);
	list_disks(s, now_ns);
	s->t_ns = now_ns;
}

static void follow(void *state)
{
	struct state *s = state;

	unitcounts_follow(&s->units, s->c->watch);
}

static void reload(void *state)
{
	struct state *s = state;

	unitcounts_forget(&s->units);
}

static uint64_t cost_ns(void *state)
{
	const struct state *s = state;

	return bpfload_cost_ns(bpf_map__fd(s->bpf->maps.cost_ns));
}

static int supported(const struct probe_context *c, struct err *reterr)
{
	int r = bpfload_supported(reterr);

	(void)c;
	if (r < 0)
		return r;
	if (bpfload_tracepoint_param("block_rq_complete", reterr) != BPFLOAD_PARAM_POINTER ||
	    !bpfload_has_member("request_queue", "disk"))
		return err_set(
			reterr, -EOPNOTSUPP,
			"watch block requests: the kernel lacks block_rq_complete; disks has "
			"mean waits from /proc/diskstats instead");
	return 0;
}

static void stop(void *state)
{
	struct state *s = state;

	blockio_bpf__destroy(s->bpf);
	unitcounts_done(&s->units);
	unitcounts_done(&s->by_disk);
	free(s);
}

static int load(struct state *s, struct err *reterr)
{
	int r;

	s->bpf = blockio_bpf__open();
	if (!s->bpf)
		return bpfload_error(-errno, "open", "blockio", reterr);
	r = blockio_bpf__load(s->bpf);
	if (r < 0)
		return bpfload_error(r, "load", "blockio", reterr);
	r = blockio_bpf__attach(s->bpf);
	if (r < 0)
		return bpfload_error(r, "attach", "blockio", reterr);
	r = unitcounts_init(&s->units, bpf_map__fd(s->bpf->maps.units),
			    bpf_map__fd(s->bpf->maps.other), sizeof(struct latency_counts), reterr);
	if (r < 0)
		return r;
	return unitcounts_init(&s->by_disk, bpf_map__fd(s->bpf->maps.disks),
			       bpf_map__fd(s->bpf->maps.other_disks), sizeof(struct blockio_disk),
			       reterr);
}

static int start(const struct probe_context *c, void **ret_state, struct err *reterr)
{
	struct state *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(reterr, -ENOMEM, "watch block requests: %s", strerror(ENOMEM));
	s->c = c;
	r = load(s, reterr);
	if (r < 0) {
		stop(s);
		return r;
	}
	*ret_state = s;
	return 0;
}

const struct probe_ops probe_blockio = {
	.name = "blockio",
	.summary = "how long requests to disks take, and which fail (eBPF)",
	.source = "bpf/blockio.bpf.c; kernel include/trace/events/block.h",
	.signals = signals,
	.optional = true,
	.privileged = true,
	.supported = supported,
	.start = start,
	.tick = tick,
	.reload = reload,
	.follow = follow,
	.stop = stop,
	.cost_ns = cost_ns,
};
