/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bpf/unitmark.h"
#include "ops/fault.h"
#include "sys/bpfload.h"
#include "sys/netlink.h"
#include "sys/victim.h"
#include "unitmark.skel.h"

/* Two halves. The effect: a program on the unit's cgroup marks what it sends; it hangs on our fd, so
 * the kernel takes it away when we die, however we die. The residue: a filter on each device sends
 * what is marked through a queue of our own; without marks it is inert, and clear() removes it. The
 * devices' own queues stay as they are. */

#define DELAY_MAX_MS 60000
/* netem drops beyond its queue. Source: 100 packets a millisecond is 1.2 Gbit/s of full ones. */
#define QUEUE_PACKETS_PER_MS 100
#define QUEUE_PACKETS_MIN    1000
#define QUEUE_PACKETS_MAX    100000

static const struct param_spec params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .help = "the service whose packets are late" },
	{ .name = "delay_ms",
	  .type = PARAM_TYPE_INTEGER,
	  .unit = "ms",
	  .min = 1,
	  .max = DELAY_MAX_MS,
	  .default_text = "1000",
	  .help = "added to each packet it sends" },
	{ .name = "jitter_ms",
	  .type = PARAM_TYPE_INTEGER,
	  .unit = "ms",
	  .min = 0,
	  .max = DELAY_MAX_MS,
	  .default_text = "0",
	  .help = "more or less by up to this; at most the delay" },
	{ .name = NULL },
};

struct device {
	uint32_t index;
	uint32_t is_clsact_ours; /* boolean: there was none before */
};

/* The kernel's module makes these two by itself when it is loaded for the first time. */
static const char *const module_ifbs[] = { "ifb0", "ifb1" };

struct state {
	char ifb[IFNAMSIZ];
	uint32_t ifb_index; /* 0: not made yet */
	uint32_t new_ifbs;  /* bits: this one of module_ifbs[] was not there before */
	uint32_t n_devices;
	struct device devices[NETLINK_LINKS_MAX];
};

struct delay {
	struct state state;
	struct victim victim;
	struct netlink *nl;
	struct unitmark_bpf *skel;
	struct bpf_link *link;
};

static int check(const struct fault_context *c, struct err *reterr)
{
	int64_t delay_ms = params_integer(c->params, "delay_ms");
	int64_t jitter_ms = params_integer(c->params, "jitter_ms");
	struct victim v = { 0 };

	if (jitter_ms > delay_ms)
		return err_set(reterr, -EINVAL,
			       "parameter 'jitter_ms' is %" PRId64 ": at most delay_ms, %" PRId64,
			       jitter_ms, delay_ms);
	return victim_read_running(c->bus, params_text(c->params, "unit"), &v, reterr);
}

/* The loopback and real hardware: a packet through a bridge or a tunnel leaves by one of these in the
 * end, and must not be late twice. */
static bool is_wanted(const struct netlink_link *l)
{
	return l->is_up && !l->kind[0];
}

static int choose_devices(struct netlink *nl, struct state *s, struct err *reterr)
{
	struct netlink_link links[4 * NETLINK_LINKS_MAX] = { 0 };
	ssize_t n = netlink_list_links(nl, links, ELEMENTSOF(links), reterr);

	if (n < 0)
		return (int)n;
	s->new_ifbs = (1u << ELEMENTSOF(module_ifbs)) - 1;
	for (ssize_t i = 0; i < n; i++) {
		for (size_t k = 0; k < ELEMENTSOF(module_ifbs); k++)
			if (str_equal(links[i].name, module_ifbs[k]))
				s->new_ifbs &= ~(1u << k);
		if (!is_wanted(&links[i]))
			continue;
		if (s->n_devices == ELEMENTSOF(s->devices))
			return err_set(reterr, -E2BIG, "delay packets: over %zu devices",
				       ELEMENTSOF(s->devices));
		s->devices[s->n_devices++] = (struct device){ .index = links[i].index };
	}
	return 0;
}

static int make_queue(const struct fault_context *c, struct delay *d, struct err *reterr)
{
	uint32_t delay_ms = (uint32_t)params_integer(c->params, "delay_ms");
	uint32_t packets = delay_ms * QUEUE_PACKETS_PER_MS;
	const struct netlink_netem netem = {
		.delay_us = delay_ms * 1000,
		.jitter_us = (uint32_t)params_integer(c->params, "jitter_ms") * 1000,
		.queue_packets = packets < QUEUE_PACKETS_MIN ? QUEUE_PACKETS_MIN :
				 packets > QUEUE_PACKETS_MAX ? QUEUE_PACKETS_MAX :
							       packets,
	};
	struct netlink_link ifb = { 0 };
	int r;

	str_append(d->state.ifb, sizeof(d->state.ifb), "aiops-%.8s", c->key);
	r = c->record(c, &d->state, sizeof(d->state), reterr);
	if (r < 0)
		return r;
	r = netlink_add_ifb(d->nl, d->state.ifb, &ifb, reterr);
	if (r < 0)
		return r;
	d->state.ifb_index = ifb.index;
	r = c->record(c, &d->state, sizeof(d->state), reterr);
	return r < 0 ? r : netlink_add_netem(d->nl, ifb.index, &netem, reterr);
}

static int divert_device(const struct fault_context *c, struct delay *d, struct device *device,
			 struct err *reterr)
{
	const struct netlink_redirect redirect = {
		.ifindex = device->index,
		.to_ifindex = d->state.ifb_index,
		.mark = UNITMARK_BIT,
	};
	int r;

	/* Said before it is so; taken back where there was one already. */
	device->is_clsact_ours = true;
	r = c->record(c, &d->state, sizeof(d->state), reterr);
	if (r < 0)
		return r;
	r = netlink_add_clsact(d->nl, device->index, reterr);
	if (r == 0) {
		device->is_clsact_ours = false;
		r = c->record(c, &d->state, sizeof(d->state), reterr);
	}
	return r < 0 ? r : netlink_add_redirect(d->nl, &redirect, reterr);
}

static int mark_unit(struct delay *d, struct err *reterr)
{
	int fd = victim_open_cgroup(&d->victim, reterr);
	int r;

	if (fd < 0)
		return fd;
	d->skel = unitmark_bpf__open_and_load();
	if (!d->skel) {
		r = bpfload_error(-errno, "load", "unitmark", reterr);
	} else {
		d->link = bpf_program__attach_cgroup(d->skel->progs.unitmark, fd);
		r = d->link ? 0 : bpfload_error(-errno, "attach", "unitmark", reterr);
	}
	(void)close(fd);
	return r;
}

static int inject(struct fault_context *c, struct err *reterr)
{
	struct delay *d = calloc(1, sizeof(*d));
	int r;

	c->priv = d;
	if (!d)
		return err_set(reterr, -ENOMEM, "delay packets: Out of memory");
	r = victim_read_running(c->bus, params_text(c->params, "unit"), &d->victim, reterr);
	if (r == 0)
		r = netlink_open(&d->nl, reterr);
	if (r == 0)
		r = choose_devices(d->nl, &d->state, reterr);
	if (r == 0)
		r = make_queue(c, d, reterr);
	for (uint32_t i = 0; r == 0 && i < d->state.n_devices; i++)
		r = divert_device(c, d, &d->state.devices[i], reterr);
	return r == 0 ? mark_unit(d, reterr) : r;
}

static int effect(struct fault_context *c, struct err *reterr)
{
	struct delay *d = c->priv;
	uint64_t packets = 0;
	int r = netlink_read_netem_packets(d->nl, d->state.ifb_index, &packets, reterr);

	if (r < 0 || packets == 0)
		return r;
	str_append(c->text, c->text_size, "%" PRIu64 " packets of the unit were held back",
		   packets);
	return 1;
}

/* A restart makes a new cgroup, and the program is on the old one. */
static int active(struct fault_context *c, struct err *reterr)
{
	const struct delay *d = c->priv;
	int fd = victim_open_cgroup(&d->victim, reterr);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	(void)close(fd);
	return 1;
}

/* Goes on after errors: keeps the first and what was there. */
struct tally {
	int first, changed;
};

static void tally_add(struct tally *t, int r)
{
	if (r < 0 && t->first == 0)
		t->first = r;
	t->changed |= r > 0;
}

/* The filters before the queue: a filter whose queue is gone drops what it matches. */
static void clear_devices(struct netlink *nl, const struct state *s, struct tally *t,
			  struct err *reterr)
{
	for (uint32_t i = s->n_devices; i-- > 0;) {
		const struct netlink_redirect redirect = {
			.ifindex = s->devices[i].index,
			.to_ifindex = s->ifb_index,
			.mark = UNITMARK_BIT,
		};

		tally_add(t, netlink_delete_redirect(nl, &redirect, t->first ? NULL : reterr));
		if (s->devices[i].is_clsact_ours)
			tally_add(t, netlink_delete_clsact(nl, s->devices[i].index,
							   t->first ? NULL : reterr));
	}
}

/* Only as the module made them: never up, no queue. */
static void clear_module_ifbs(struct netlink *nl, const struct state *s, struct tally *t,
			      struct err *reterr)
{
	for (size_t k = 0; k < ELEMENTSOF(module_ifbs); k++) {
		struct netlink_link l = { 0 };

		if ((s->new_ifbs & 1u << k) == 0 ||
		    netlink_find_link(nl, module_ifbs[k], &l, NULL) < 0 || l.is_up ||
		    !str_equal(l.kind, "ifb") || !str_equal(l.qdisc, "noop"))
			continue;
		tally_add(t, netlink_delete_ifb(nl, l.name, t->first ? NULL : reterr));
	}
}

static int clear(const struct fault_context *c, const void *state, size_t size, struct err *reterr)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	const struct state *s = state;
	struct tally t = { 0 };
	int r;

	(void)c;
	if (size != sizeof(*s) || s->n_devices > ELEMENTSOF(s->devices) ||
	    !str_is_terminated(s->ifb, sizeof(s->ifb)) || strncmp(s->ifb, "aiops-", 6) != 0)
		return err_set(reterr, -EBADMSG, "remove the queue: the undo state is malformed");
	r = netlink_open(&nl, reterr);
	if (r < 0)
		return r;
	clear_devices(nl, s, &t, reterr);
	if (t.first == 0)
		tally_add(&t, netlink_delete_ifb(nl, s->ifb, reterr));
	clear_module_ifbs(nl, s, &t, reterr);
	return t.first < 0 ? t.first : t.changed;
}

static void release(struct fault_context *c)
{
	struct delay *d = c->priv;

	if (!d)
		return;
	bpf_link__destroy(d->link);
	unitmark_bpf__destroy(d->skel);
	netlink_free(d->nl);
	free(d);
	c->priv = NULL;
}

static const char *const actions[] = { NULL };

const struct fault_ops fault_net_delay = {
	.name = "net.delay",
	.summary = "packets that one service sends arrive late",
	.source = "cgroup_skb marks, tc-fw(8), tc-mirred(8), tc-netem(8) on an ifb of our own",
	.params = params,
	.reverts = REVERTS_KERNEL,
	.expects = { .cause = "unknown",
		     .actions = actions,
		     .effect = "the unit's endpoint answers late while unit and host look well" },
	.check = check,
	.inject = inject,
	.effect = effect,
	.active = active,
	.clear = clear,
	.release = release,
};
