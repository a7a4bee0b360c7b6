/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "ops/probe.h"
#include "sys/bpfload.h"
#include "sys/watch.h"

#include "bpf/listeners.h"
#include "listeners.skel.h"

/* Ours: what is in the queue at both of two looks so far apart has not been taken by a program that only
 * was busy for a moment. */
#define INTERVAL_NS (2 * NS_PER_S)

/* Sockets looked at: the listening ones come first, and a host has tens. Ours. */
#define SOCKETS_MAX 1024

static const struct signal_spec signals[] = {
	{ "unit.accepts_waiting_count", ENTITY_KIND_UNIT, SOURCE_BPF, PROVENANCE_KERNEL,
	  "connections that the unit has not accepted, at both of two looks 2 s apart" },
	{ .name = NULL },
};

struct unit {
	uint64_t cgroup_id; /* 0: no listening socket was met at the last look */
	uint32_t waiting;
};

struct state {
	const struct probe_context *c;
	struct listeners_bpf *bpf;
	uint64_t next_ns;
	struct unit units[SERVICES_MAX]; /* as in watch.units */
	struct listeners_socket sockets[SOCKETS_MAX];
};

/* The fullest queue counts, where a unit has several. */
static void count_socket(struct state *s, const struct listeners_socket *socket)
{
	const struct watch *w = s->c->watch;

	for (uint32_t i = 0; i < w->n_units && i < SERVICES_MAX; i++) {
		struct unit *u = &s->units[i];

		if (w->units[i].cgroup_id != socket->cgroup)
			continue;
		if (u->cgroup_id != socket->cgroup || socket->waiting > u->waiting)
			u->waiting = socket->waiting;
		u->cgroup_id = socket->cgroup;
	}
}

/* One read: the kernel fills the buffer and stops. Returns the number of sockets; -errno. */
static ssize_t read_sockets(struct state *s)
{
	_cleanup_close_ int fd = bpf_iter_create(bpf_link__fd(s->bpf->links.listeners_read));
	ssize_t n = fd < 0 ? -errno : read(fd, s->sockets, sizeof(s->sockets));

	if (n < 0)
		return fd < 0 ? n : -errno;
	return n / (ssize_t)sizeof(s->sockets[0]);
}

static void tick(void *state, uint64_t now_ns)
{
	struct state *s = state;
	const struct watch *w = s->c->watch;
	struct unit last[SERVICES_MAX];
	ssize_t n;

	if (now_ns < s->next_ns)
		return;
	s->next_ns = now_ns + INTERVAL_NS;
	memcpy(last, s->units, sizeof(last));
	memset(s->units, 0, sizeof(s->units));
	n = read_sockets(s);
	for (ssize_t i = 0; i < n && s->sockets[i].cgroup; i++)
		count_socket(s, &s->sockets[i]);
	for (uint32_t i = 0; i < w->n_units && i < SERVICES_MAX; i++) {
		const struct unit *u = &s->units[i];

		if (u->cgroup_id && u->cgroup_id == last[i].cgroup_id)
			probe_emit(s->c, &signals[0], w->units[i].name, now_ns,
				   u->waiting < last[i].waiting ? u->waiting : last[i].waiting);
	}
}

static int supported(const struct probe_context *c, struct err *reterr)
{
	(void)c;
	return bpfload_supported(reterr);
}

/* The order of the units may be another. */
static void reload(void *state)
{
	struct state *s = state;

	memset(s->units, 0, sizeof(s->units));
}

static void stop(void *state)
{
	struct state *s = state;

	listeners_bpf__destroy(s->bpf);
	free(s);
}

static int load(struct state *s, struct err *reterr)
{
	int r;

	s->bpf = listeners_bpf__open();
	if (!s->bpf)
		return bpfload_error(-errno, "open", "listeners", reterr);
	r = listeners_bpf__load(s->bpf);
	if (r < 0)
		return bpfload_error(r, "load", "listeners", reterr);
	r = listeners_bpf__attach(s->bpf);
	return r < 0 ? bpfload_error(r, "attach", "listeners", reterr) : 0;
}

static int start(const struct probe_context *c, void **ret_state, struct err *reterr)
{
	struct state *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(reterr, -ENOMEM, "watch accept queues: %s", strerror(ENOMEM));
	s->c = c;
	r = load(s, reterr);
	if (r < 0) {
		stop(s);
		return r;
	}
	*ret_state = s;
	return 0;
}

const struct probe_ops probe_accept_queue = {
	.name = "accept_queue",
	.summary = "connections that managed units leave waiting (eBPF)",
	.source = "bpf/listeners.bpf.c; kernel include/net/sock.h, sk_ack_backlog",
	.signals = signals,
	.optional = true,
	.privileged = true,
	.supported = supported,
	.start = start,
	.tick = tick,
	.reload = reload,
	.stop = stop,
};
