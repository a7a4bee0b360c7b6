/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "ops/probe.h"
#include "sys/bpfload.h"
#include "sys/runqlat.h"
#include "sys/watch.h"

#include "runqlat.skel.h"

static const struct signal_spec signals[] = {
	{ "unit.runq_latency_p99_us", ENTITY_KIND_UNIT, SOURCE_BPF, PROVENANCE_KERNEL,
	  "99 % of its tasks' waits for a CPU were shorter, over the last second with any" },
	{ .name = NULL },
};

struct unit {
	uint64_t key; /* the cgroup that has an entry in the map; 0: none */
	struct runqlat_hist before;
};

struct state {
	const struct probe_context *c;
	struct runqlat_bpf *bpf;
	int map_fd;
	unsigned n_cpus;
	struct runqlat_hist *per_cpu;    /* one value as the kernel gives it: n_cpus histograms */
	struct unit units[SERVICES_MAX]; /* as in watch.units */
};

static void unit_forget(const struct state *s, struct unit *u)
{
	if (u->key)
		(void)bpf_map_delete_elem(s->map_fd, &u->key);
	*u = (struct unit){ 0 };
}

/* Gives the unit's present cgroup an entry of its own and takes that of its last one away. */
static void unit_follow(const struct state *s, struct unit *u, uint64_t cgroup_id)
{
	unit_forget(s, u);
	if (!cgroup_id)
		return;
	memset(s->per_cpu, 0, s->n_cpus * sizeof(*s->per_cpu));
	if (bpf_map_update_elem(s->map_fd, &cgroup_id, s->per_cpu, BPF_NOEXIST) == 0)
		u->key = cgroup_id;
}

static void measure(struct state *s, struct unit *u, struct watch_unit *w, uint64_t now_ns)
{
	struct runqlat_hist after, diff;

	if (!u->key || bpf_map_lookup_elem(s->map_fd, &u->key, s->per_cpu) < 0)
		return;
	runqlat_sum(s->per_cpu, s->n_cpus, &after);
	if (runqlat_diff(&u->before, &after, &diff) > 0) {
		w->runq_p99_us = runqlat_quantile_us(&diff, 0.99);
		w->runq_t_ns = now_ns;
		probe_emit(s->c, &signals[0], w->name, now_ns, w->runq_p99_us);
	}
	u->before = after;
}

static void follow(void *state)
{
	struct state *s = state;
	const struct watch *w = s->c->watch;

	for (uint32_t i = 0; i < w->n_units && i < SERVICES_MAX; i++)
		if (s->units[i].key != w->units[i].cgroup_id)
			unit_follow(s, &s->units[i], w->units[i].cgroup_id);
}

static void tick(void *state, uint64_t now_ns)
{
	struct state *s = state;
	struct watch *w = s->c->watch;

	for (uint32_t i = 0; i < w->n_units && i < SERVICES_MAX; i++) {
		(void)watch_refresh_cgroup(w, &w->units[i]);
		measure(s, &s->units[i], &w->units[i], now_ns);
	}
}

/* The order of the units may be another: all entries are made anew. */
static void reload(void *state)
{
	struct state *s = state;

	for (unsigned i = 0; i < SERVICES_MAX; i++)
		unit_forget(s, &s->units[i]);
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
	free(s->per_cpu);
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
	s->map_fd = bpf_map__fd(s->bpf->maps.units);
	return 0;
}

static int start(const struct probe_context *c, void **ret_state, struct err *reterr)
{
	struct state *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(reterr, -ENOMEM, "watch run queues: %s", strerror(ENOMEM));
	s->c = c;
	s->n_cpus = bpfload_cpus();
	s->per_cpu = calloc(s->n_cpus, sizeof(*s->per_cpu));
	r = s->per_cpu ? load(s, reterr) :
			 err_set(reterr, -ENOMEM, "watch run queues: %s", strerror(ENOMEM));
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
};
