/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "base/clock.h"
#include "ops/probe.h"
#include "sys/bpfload.h"
#include "sys/latency.h"
#include "sys/unitcounts.h"

#include "bpf/tcp.h"
#include "tcp.skel.h"

#define INTERVAL_NS (5 * NS_PER_S)

enum {
	SIGNAL_CONNECT,
	SIGNAL_RTT,
	SIGNAL_FAILURES,
	SIGNAL_RETRANSMITS,
	SIGNAL_SENT,
	SIGNAL_RECEIVED,
	_SIGNAL_MAX
};

#define SIGNAL(n, kind, h)                                              \
	{                                                               \
		n, ENTITY_KIND_##kind, SOURCE_BPF, PROVENANCE_KERNEL, h \
	}

static const struct signal_spec signals[] = {
	[SIGNAL_CONNECT] = SIGNAL("unit.tcp_connect_latency_p99_us", UNIT,
				  "99 % of its connections of 5 s were made in less"),
	[SIGNAL_RTT] = SIGNAL("unit.tcp_rtt_p50_us", UNIT,
			      "round trip of half of its connections that ended in 5 s"),
	[SIGNAL_FAILURES] = SIGNAL("unit.tcp_connect_failures_per_s", UNIT,
				   "connections that it began and did not get"),
	[SIGNAL_RETRANSMITS] = SIGNAL("unit.tcp_retransmits_per_s", UNIT, "segments sent again"),
	[SIGNAL_SENT] = SIGNAL("unit.tcp_resets_sent_per_s", UNIT, "connections that it cut off"),
	[SIGNAL_RECEIVED] = SIGNAL("unit.tcp_resets_received_per_s", UNIT,
				   "connections that the other side cut off"),
	[_SIGNAL_MAX + SIGNAL_CONNECT] = SIGNAL("host.tcp_connect_latency_p99_us", HOST,
						"99 % of all connections of 5 s were made in less"),
	[_SIGNAL_MAX + SIGNAL_RTT] = SIGNAL("host.tcp_rtt_p50_us", HOST,
					    "round trip of half of all that ended in 5 s"),
	{ .name = NULL },
};

struct state {
	const struct probe_context *c;
	struct tcp_bpf *bpf;
	struct unitcounts counts;
	uint64_t t_ns; /* of the last reading; 0: none */
};

/* set: of a unit or of the host, as in signals[] */
static void tell_times(const struct state *s, unsigned set, const char *name,
		       const struct tcp_counts *c, uint64_t now_ns)
{
	if (latency_samples(&c->connect) > 0)
		probe_emit(s->c, &signals[set + SIGNAL_CONNECT], name, now_ns,
			   latency_quantile_us(&c->connect, 0.99));
	if (latency_samples(&c->rtt) > 0)
		probe_emit(s->c, &signals[set + SIGNAL_RTT], name, now_ns,
			   latency_quantile_us(&c->rtt, 0.5));
}

static void tell_unit(const struct state *s, const char *name, const struct tcp_counts *c,
		      double elapsed_s, uint64_t now_ns)
{
	const uint32_t counts[_SIGNAL_MAX] = { [SIGNAL_FAILURES] = c->failures,
					       [SIGNAL_RETRANSMITS] = c->retransmits,
					       [SIGNAL_SENT] = c->resets_sent,
					       [SIGNAL_RECEIVED] = c->resets_received };

	tell_times(s, 0, name, c, now_ns);
	for (unsigned i = SIGNAL_FAILURES; i < _SIGNAL_MAX; i++)
		probe_emit(s->c, &signals[i], name, now_ns, counts[i] / elapsed_s);
}

static void add(struct tcp_counts *sum, const struct tcp_counts *c)
{
	for (unsigned i = 0; i < LATENCY_SLOTS; i++) {
		sum->connect.slots[i] += c->connect.slots[i];
		sum->rtt.slots[i] += c->rtt.slots[i];
	}
}

static void measure(struct state *s, double elapsed_s, uint64_t now_ns)
{
	const struct watch *w = s->c->watch;
	struct tcp_counts c, all = { 0 };

	for (uint32_t i = 0; i < w->n_units && i < SERVICES_MAX; i++) {
		if (unitcounts_take(&s->counts, i, &c) < 0)
			continue;
		tell_unit(s, w->units[i].name, &c, elapsed_s, now_ns);
		add(&all, &c);
	}
	if (unitcounts_take(&s->counts, UNITCOUNTS_OTHER, &c) >= 0)
		add(&all, &c);
	tell_times(s, _SIGNAL_MAX, "", &all, now_ns);
}

static void tick(void *state, uint64_t now_ns)
{
	struct state *s = state;

	if (s->t_ns && now_ns < s->t_ns + INTERVAL_NS)
		return;
	if (s->t_ns)
		measure(s, (double)(now_ns - s->t_ns) / (double)NS_PER_S, now_ns);
	s->t_ns = now_ns;
}

static void follow(void *state)
{
	struct state *s = state;

	unitcounts_follow(&s->counts, s->c->watch);
}

static void reload(void *state)
{
	struct state *s = state;

	unitcounts_forget(&s->counts);
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
	if (bpfload_tracepoint_param("inet_sock_set_state", reterr) != BPFLOAD_PARAM_POINTER ||
	    bpfload_tracepoint_param("tcp_send_reset", reterr) != BPFLOAD_PARAM_POINTER)
		return err_set(
			reterr, -EOPNOTSUPP,
			"watch connections: the kernel lacks the tracepoints of TCP; sockets has the "
			"host's counters from /proc/net instead");
	return 0;
}

static void stop(void *state)
{
	struct state *s = state;

	tcp_bpf__destroy(s->bpf);
	unitcounts_done(&s->counts);
	free(s);
}

static int load(struct state *s, struct err *reterr)
{
	int r;

	s->bpf = tcp_bpf__open();
	if (!s->bpf)
		return bpfload_error(-errno, "open", "tcp", reterr);
	r = tcp_bpf__load(s->bpf);
	if (r < 0)
		return bpfload_error(r, "load", "tcp", reterr);
	r = tcp_bpf__attach(s->bpf);
	if (r < 0)
		return bpfload_error(r, "attach", "tcp", reterr);
	return unitcounts_init(&s->counts, bpf_map__fd(s->bpf->maps.units),
			       bpf_map__fd(s->bpf->maps.other), sizeof(struct tcp_counts), reterr);
}

static int start(const struct probe_context *c, void **ret_state, struct err *reterr)
{
	struct state *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(reterr, -ENOMEM, "watch connections: %s", strerror(ENOMEM));
	s->c = c;
	r = load(s, reterr);
	if (r < 0) {
		stop(s);
		return r;
	}
	*ret_state = s;
	return 0;
}

const struct probe_ops probe_tcp = {
	.name = "tcp",
	.summary = "how connections begin and end (eBPF)",
	.source = "bpf/tcp.bpf.c; kernel include/trace/events/tcp.h, sock.h",
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
