/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "base/clock.h"
#include "ops/probe.h"
#include "sys/bpfload.h"
#include "sys/latency.h"
#include "sys/unitcounts.h"

#include "stalls.skel.h"

#define INTERVAL_NS (5 * NS_PER_S)

enum {
	SIGNAL_FSYNC,
	SIGNAL_FSYNC_ERRORS,
	SIGNAL_RECLAIM,
	_SIGNAL_MAX,
};

#define SIGNAL(n, kind, h)                                              \
	{                                                               \
		n, ENTITY_KIND_##kind, SOURCE_BPF, PROVENANCE_KERNEL, h \
	}

static const struct signal_spec signals[] = {
	[SIGNAL_FSYNC] = SIGNAL("unit.fsync_latency_p99_us", UNIT,
				"99 % of its fsync(2) and fdatasync(2) of 5 s were shorter"),
	[SIGNAL_FSYNC_ERRORS] = SIGNAL("unit.fsync_errors_per_s", UNIT, "those that failed"),
	[SIGNAL_RECLAIM] = SIGNAL("unit.reclaim_stall_ms_per_s", UNIT,
				  "time its tasks spent freeing the memory they asked for"),
	[_SIGNAL_MAX + SIGNAL_FSYNC] = SIGNAL("host.fsync_latency_p99_us", HOST, "of all tasks"),
	[_SIGNAL_MAX +
		SIGNAL_FSYNC_ERRORS] = SIGNAL("host.fsync_errors_per_s", HOST, "of all tasks"),
	[_SIGNAL_MAX +
		SIGNAL_RECLAIM] = SIGNAL("host.reclaim_stall_ms_per_s", HOST, "of all tasks"),
	{ .name = NULL },
};

struct state {
	const struct probe_context *c;
	struct stalls_bpf *bpf;
	struct unitcounts fsync, reclaim;
	uint64_t t_ns; /* of the last reading; 0: none */
};

/* set: of a unit or of the host, as in signals[] */
static void tell(const struct state *s, unsigned set, const char *name,
		 const struct latency_counts *fsync, const struct latency_counts *reclaim,
		 uint64_t now_ns)
{
	double elapsed_s = (double)(now_ns - s->t_ns) / (double)NS_PER_S;

	if (latency_samples(&fsync->hist) > 0)
		probe_emit(s->c, &signals[set + SIGNAL_FSYNC], name, now_ns,
			   latency_quantile_us(&fsync->hist, 0.99));
	probe_emit(s->c, &signals[set + SIGNAL_FSYNC_ERRORS], name, now_ns,
		   fsync->errors / elapsed_s);
	probe_emit(s->c, &signals[set + SIGNAL_RECLAIM], name, now_ns,
		   reclaim->total_us / elapsed_s / 1000);
}

static void add(struct latency_counts *sum, const struct latency_counts *c)
{
	for (unsigned i = 0; i < LATENCY_SLOTS; i++)
		sum->hist.slots[i] += c->hist.slots[i];
	sum->total_us += c->total_us;
	sum->errors += c->errors;
}

static void measure(struct state *s, uint64_t now_ns)
{
	const struct watch *w = s->c->watch;
	struct latency_counts fsync, reclaim, all_fsync = { 0 }, all_reclaim = { 0 };

	for (uint32_t i = 0; i <= UNITCOUNTS_OTHER; i++) {
		if (unitcounts_take(&s->fsync, i, &fsync) < 0 ||
		    unitcounts_take(&s->reclaim, i, &reclaim) < 0)
			continue;
		add(&all_fsync, &fsync);
		add(&all_reclaim, &reclaim);
		if (i < w->n_units)
			tell(s, 0, w->units[i].name, &fsync, &reclaim, now_ns);
	}
	tell(s, _SIGNAL_MAX, "", &all_fsync, &all_reclaim, now_ns);
}

static void tick(void *state, uint64_t now_ns)
{
	struct state *s = state;

	if (s->t_ns && now_ns < s->t_ns + INTERVAL_NS)
		return;
	if (s->t_ns)
		measure(s, now_ns);
	s->t_ns = now_ns;
}

static void follow(void *state)
{
	struct state *s = state;

	unitcounts_follow(&s->fsync, s->c->watch);
	unitcounts_follow(&s->reclaim, s->c->watch);
}

static void reload(void *state)
{
	struct state *s = state;

	unitcounts_forget(&s->fsync);
	unitcounts_forget(&s->reclaim);
}

static uint64_t cost_ns(void *state)
{
	const struct state *s = state;

	return bpfload_cost_ns(bpf_map__fd(s->bpf->maps.cost_ns));
}

static int supported(const struct probe_context *c, struct err *reterr)
{
	(void)c;
	return bpfload_supported(reterr);
}

static void stop(void *state)
{
	struct state *s = state;

	stalls_bpf__destroy(s->bpf);
	unitcounts_done(&s->fsync);
	unitcounts_done(&s->reclaim);
	free(s);
}

enum fsync_form { FSYNC_FORM_FUNCTION, FSYNC_FORM_EXT4, FSYNC_FORM_NONE, _FSYNC_FORM_MAX };

/* What this kernel has not is left out. A parameter at all says that the tracepoint is there. */
static void choose(const struct stalls_bpf *bpf, enum fsync_form form)
{
	bool has_direct = bpfload_tracepoint_param("mm_vmscan_direct_reclaim_begin", NULL) > 0;
	bool has_limit = bpfload_tracepoint_param("mm_vmscan_memcg_reclaim_begin", NULL) > 0;

	(void)bpf_program__set_autoload(bpf->progs.stalls_fsync_enter, form == FSYNC_FORM_FUNCTION);
	(void)bpf_program__set_autoload(bpf->progs.stalls_fsync_exit, form == FSYNC_FORM_FUNCTION);
	(void)bpf_program__set_autoload(bpf->progs.stalls_ext4_enter, form == FSYNC_FORM_EXT4);
	(void)bpf_program__set_autoload(bpf->progs.stalls_ext4_exit, form == FSYNC_FORM_EXT4);
	(void)bpf_program__set_autoload(bpf->progs.stalls_reclaim_begin, has_direct);
	(void)bpf_program__set_autoload(bpf->progs.stalls_reclaim_end, has_direct);
	(void)bpf_program__set_autoload(bpf->progs.stalls_limit_begin, has_limit);
	(void)bpf_program__set_autoload(bpf->progs.stalls_limit_end, has_limit);
}

static int load_form(struct state *s, enum fsync_form form, struct err *reterr)
{
	int r;

	s->bpf = stalls_bpf__open();
	if (!s->bpf)
		return bpfload_error(-errno, "open", "stalls", reterr);
	choose(s->bpf, form);
	r = stalls_bpf__load(s->bpf);
	if (r < 0)
		return bpfload_error(r, "load", "stalls", reterr);
	r = stalls_bpf__attach(s->bpf);
	return r < 0 ? bpfload_error(r, "attach", "stalls", reterr) : 0;
}

/* Whether functions may be traced is not written in the BTF: the kernel is asked by trying. */
static int load(struct state *s, struct err *reterr)
{
	int r = -EOPNOTSUPP;

	for (enum fsync_form form = 0; r < 0 && form < _FSYNC_FORM_MAX; form++) {
		if (form == FSYNC_FORM_EXT4 &&
		    bpfload_tracepoint_param("ext4_sync_file_enter", NULL) <= 0)
			continue;
		stalls_bpf__destroy(s->bpf);
		r = load_form(s, form, reterr);
	}
	if (r < 0)
		return r;
	r = unitcounts_init(&s->fsync, bpf_map__fd(s->bpf->maps.fsync_units),
			    bpf_map__fd(s->bpf->maps.fsync_other), sizeof(struct latency_counts),
			    reterr);
	if (r < 0)
		return r;
	return unitcounts_init(&s->reclaim, bpf_map__fd(s->bpf->maps.reclaim_units),
			       bpf_map__fd(s->bpf->maps.reclaim_other),
			       sizeof(struct latency_counts), reterr);
}

static int start(const struct probe_context *c, void **ret_state, struct err *reterr)
{
	struct state *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(reterr, -ENOMEM, "watch stalls: %s", strerror(ENOMEM));
	s->c = c;
	r = load(s, reterr);
	if (r < 0) {
		stop(s);
		return r;
	}
	*ret_state = s;
	return 0;
}

const struct probe_ops probe_stalls = {
	.name = "stalls",
	.summary = "how long tasks wait in fsync and for memory to be freed (eBPF)",
	.source = "bpf/stalls.bpf.c; kernel include/trace/events/vmscan.h, ext4.h",
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
