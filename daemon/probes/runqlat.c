/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "base/clock.h"
#include "ops/probe.h"
#include "sys/bpfload.h"
#include "sys/latency.h"
#include "sys/unitcounts.h"

#include "runqlat.skel.h"

static const struct signal_spec signals[] = {
	{ "unit.runq_latency_p99_us", ENTITY_KIND_UNIT, SOURCE_BPF, PROVENANCE_KERNEL,
	  "99 % of its tasks' waits for a CPU were shorter, over the last second with any" },
	{ .name = NULL },
};

struct state {
	const struct probe_context *c;
	struct runqlat_bpf *bpf;
	struct unitcounts counts;
};

static void measure(struct state *s, unsigned i, uint64_t now_ns)
{
	struct watch_unit *w = &s->c->watch->units[i];
	struct latency_hist hist;

	if (unitcounts_take(&s->counts, i, &hist) <= 0)
		return;
	w->runq_p99_us = latency_quantile_us(&hist, 0.99);
	w->runq_t_ns = now_ns;
	probe_emit(s->c, &signals[0], w->name, now_ns, w->runq_p99_us);
}

static void follow(void *state)
{
	struct state *s = state;

	unitcounts_follow(&s->counts, s->c->watch);
}

static void tick(void *state, uint64_t now_ns)
{
	struct state *s = state;
	struct watch *w = s->c->watch;

	for (uint32_t i = 0; i < w->n_units && i < SERVICES_MAX; i++) {
		(void)watch_refresh_cgroup(w, &w->units[i]);
		measure(s, i, now_ns);
	}
}

static void reload(void *state)
{
	struct state *s = state;

	unitcounts_forget(&s->counts);
}

static uint64_t cost_ns(void *state)
{
	struct state *s = state;

	return bpfload_cost_ns(bpf_map__fd(s->bpf->maps.cost_ns));
}

static int supported(const struct probe_context *c, struct err *reterr)
{
	int r = bpfload_supported(reterr);

	(void)c;
	if (r < 0)
		return r;
	if (!bpfload_has_member("sched_info", "last_queued") ||
	    !bpfload_has_member("sched_entity", "cfs_rq"))
		return err_set(reterr, -EOPNOTSUPP,
			       "watch run queues: the kernel lacks SCHED_INFO or FAIR_GROUP_SCHED");
	return 0;
}

static void stop(void *state)
{
	struct state *s = state;

	runqlat_bpf__destroy(s->bpf);
	unitcounts_done(&s->counts);
	free(s);
}

static int load(struct state *s, struct err *reterr)
{
	int r;

	s->bpf = runqlat_bpf__open();
	if (!s->bpf)
		return bpfload_error(-errno, "open", "runqlat", reterr);
	r = runqlat_bpf__load(s->bpf);
	if (r < 0)
		return bpfload_error(r, "load", "runqlat", reterr);
	r = runqlat_bpf__attach(s->bpf);
	if (r < 0)
		return bpfload_error(r, "attach", "runqlat", reterr);
	return unitcounts_init(&s->counts, bpf_map__fd(s->bpf->maps.units),
			       bpf_map__fd(s->bpf->maps.other), sizeof(struct latency_hist),
			       reterr);
}

static int start(const struct probe_context *c, void **ret_state, struct err *reterr)
{
	struct state *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(reterr, -ENOMEM, "watch run queues: %s", strerror(ENOMEM));
	s->c = c;
	r = load(s, reterr);
	if (r < 0) {
		stop(s);
		return r;
	}
	*ret_state = s;
	return 0;
}

const struct probe_ops probe_runqlat = {
	.name = "runqlat",
	.summary = "how long tasks of managed units wait for a CPU (eBPF)",
	.source = "bpf/runqlat.bpf.c; kernel include/linux/sched.h, struct sched_info",
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
