/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ops/probe.h"
#include "sys/netcount.h"

#define INTERVAL_NS (5 * NS_PER_S)
#define DEVS_MAX    32 /* without the ends of containers' cables: a host has a handful */

enum { SIGNAL_RX, SIGNAL_TX, SIGNAL_ERRORS, SIGNAL_DROPS, SIGNAL_CARRIER, SIGNAL_CHANGES };

#define SIGNAL(n, s, h)                                        \
	{                                                      \
		n, ENTITY_KIND_NETDEV, s, PROVENANCE_KERNEL, h \
	}

static const struct signal_spec signals[] = {
	[SIGNAL_RX] = SIGNAL("netdev.receive_bytes_per_s", SOURCE_PROCFS, "received, over 5 s"),
	[SIGNAL_TX] = SIGNAL("netdev.transmit_bytes_per_s", SOURCE_PROCFS, "sent, over 5 s"),
	[SIGNAL_ERRORS] = SIGNAL("netdev.errors_per_s", SOURCE_PROCFS,
				 "packets that the device could not receive or send"),
	[SIGNAL_DROPS] = SIGNAL("netdev.drops_per_s", SOURCE_PROCFS,
				"good packets that found no room, in the device or its queues"),
	[SIGNAL_CARRIER] = SIGNAL("netdev.carrier_bool", SOURCE_PROCFS,
				  "1 while a device that is set up has a link, else 0"),
	[SIGNAL_CHANGES] = SIGNAL("netdev.carrier_changes_count", SOURCE_PROCFS,
				  "how often the link came or went since the device was made"),
	{ .name = NULL },
};

struct state {
	const struct probe_context *c;
	uint64_t t_ns; /* of the last reading; 0: none */
	size_t n;
	struct netcount_dev devs[DEVS_MAX];
	char text[NETCOUNT_TEXT_MAX];
};

static const struct netcount_dev *find(const struct state *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_equal(s->devs[i].name, name))
			return &s->devs[i];
	return NULL;
}

/* Counters that went back are another device's of the same name. */
static double per_second(uint64_t before, uint64_t after, uint64_t elapsed_ns)
{
	return after < before ? 0 :
				(double)(after - before) * (double)NS_PER_S / (double)elapsed_ns;
}

static void measure_rates(const struct state *s, const struct netcount_dev *d, uint64_t now_ns)
{
	const struct netcount_dev *last = find(s, d->name);
	uint64_t elapsed_ns = now_ns - s->t_ns;

	if (!last || elapsed_ns == 0)
		return;
	probe_emit(s->c, &signals[SIGNAL_RX], d->name, now_ns,
		   per_second(last->rx_bytes, d->rx_bytes, elapsed_ns));
	probe_emit(s->c, &signals[SIGNAL_TX], d->name, now_ns,
		   per_second(last->tx_bytes, d->tx_bytes, elapsed_ns));
	probe_emit(s->c, &signals[SIGNAL_ERRORS], d->name, now_ns,
		   per_second(last->rx_errors + last->tx_errors, d->rx_errors + d->tx_errors,
			      elapsed_ns));
	probe_emit(s->c, &signals[SIGNAL_DROPS], d->name, now_ns,
		   per_second(last->rx_drops + last->tx_drops, d->rx_drops + d->tx_drops,
			      elapsed_ns));
}

/* Returns 0; -EINVAL from the kernel: the device is not set up. */
static int read_link(const struct state *s, const char *dev, const char *file, uint64_t *ret)
{
	char path[64] = "", text[32] = "";
	ssize_t n;

	str_append(path, sizeof(path), "sys/class/net/%s/%s", dev, file);
	n = fd_read_file(s->c->root_fd, path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	text[strcspn(text, "\n")] = '\0';
	return str_parse_u64(text, ret);
}

static void measure_link(const struct state *s, const char *dev, uint64_t now_ns)
{
	uint64_t v = 0;

	if (read_link(s, dev, "carrier", &v) == 0)
		probe_emit(s->c, &signals[SIGNAL_CARRIER], dev, now_ns, (double)v);
	if (read_link(s, dev, "carrier_changes", &v) == 0)
		probe_emit(s->c, &signals[SIGNAL_CHANGES], dev, now_ns, (double)v);
}

/* Ends of containers' cables come and go with them, and carry what a bridge counts as well. */
static bool is_told(const char *name)
{
	return strncmp(name, "veth", 4) != 0 && strncmp(name, "cali", 4) != 0 &&
	       !strchr(name, '/') && str_is_clean_utf8(name, strlen(name));
}

static size_t read_devs(struct state *s, struct netcount_dev *ret)
{
	struct netcount_dev all[8 * DEVS_MAX];
	size_t n = 0, n_all;

	if (fd_read_file(s->c->root_fd, "proc/net/dev", s->text, sizeof(s->text)) < 0)
		return 0;
	n_all = netcount_parse_devs(s->text, all, ELEMENTSOF(all));
	for (size_t i = 0; i < n_all && n < DEVS_MAX; i++)
		if (is_told(all[i].name))
			ret[n++] = all[i];
	return n;
}

static void tick(void *state, uint64_t now_ns)
{
	struct state *s = state;
	struct netcount_dev now[DEVS_MAX];
	size_t n;

	if (s->t_ns && now_ns < s->t_ns + INTERVAL_NS)
		return;
	n = read_devs(s, now);
	for (size_t i = 0; i < n; i++) {
		measure_rates(s, &now[i], now_ns);
		if (!str_equal(now[i].name, "lo"))
			measure_link(s, now[i].name, now_ns);
	}
	memcpy(s->devs, now, n * sizeof(now[0]));
	s->n = n;
	s->t_ns = now_ns;
}

static int start(const struct probe_context *c, void **ret_state, struct err *reterr)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(reterr, -ENOMEM, "watch network devices: %s", strerror(ENOMEM));
	s->c = c;
	if (faccessat(c->root_fd, "proc/net/dev", R_OK, 0) < 0) {
		free(s);
		return err_set(reterr, -ENOENT, "watch network devices: no /proc/net/dev");
	}
	*ret_state = s;
	return 0;
}

const struct probe_ops probe_netdev = {
	.name = "netdev",
	.summary = "traffic, errors, drops and link of network devices",
	.source = "proc(5), /proc/net/dev; kernel Documentation/ABI/testing/sysfs-class-net",
	.signals = signals,
	.optional = true,
	.start = start,
	.tick = tick,
	.stop = free,
};
