/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's own network namespace: a container's sockets are in the container's. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ops/probe.h"
#include "sys/netcount.h"

#define INTERVAL_NS (5 * NS_PER_S)
#define TEXT_MAX    (16 * 1024) /* bytes; /proc/net/netstat, the longest, has 4,000 */

#define SIGNAL(n, h)                                                     \
	{                                                                \
		n, ENTITY_KIND_HOST, SOURCE_PROCFS, PROVENANCE_KERNEL, h \
	}

enum {
	SIGNAL_ESTABLISHED,
	SIGNAL_TCP,
	SIGNAL_ORPHANS,
	SIGNAL_TIME_WAIT,
	SIGNAL_UDP,
	SIGNAL_SOCKETS,
	SIGNAL_CONNECTS,
	SIGNAL_CONNECT_FAILURES,
	SIGNAL_RESETS_SENT,
	SIGNAL_RESETS,
	SIGNAL_LISTEN_DROPS,
	SIGNAL_UDP_ERRORS,
	_SIGNAL_FIELDS, /* those above are figures as they are read, or their rates */
	SIGNAL_MEMORY = _SIGNAL_FIELDS,
	SIGNAL_RETRANSMITS,
	SIGNAL_CONNTRACK,
	SIGNAL_CONNTRACK_RATIO,
};

static const struct signal_spec signals[] = {
	[SIGNAL_ESTABLISHED] = SIGNAL("host.tcp_established_count",
				      "connections in ESTABLISHED or CLOSE-WAIT"),
	[SIGNAL_TCP] = SIGNAL("host.tcp_sockets_count", "TCP sockets, but those in TIME-WAIT"),
	[SIGNAL_ORPHANS] = SIGNAL("host.tcp_orphans_count",
				  "connections that no process holds any longer"),
	[SIGNAL_TIME_WAIT] = SIGNAL("host.tcp_time_wait_count", "connections in TIME-WAIT"),
	[SIGNAL_UDP] = SIGNAL("host.udp_sockets_count", "UDP sockets"),
	[SIGNAL_SOCKETS] = SIGNAL("host.sockets_count", "sockets of all kinds"),
	[SIGNAL_CONNECTS] = SIGNAL("host.tcp_connects_per_s", "connections begun from here"),
	[SIGNAL_CONNECT_FAILURES] = SIGNAL("host.tcp_connect_failures_per_s",
					   "connections, of either side, never established"),
	[SIGNAL_RESETS_SENT] = SIGNAL("host.tcp_resets_sent_per_s", "RST segments sent"),
	[SIGNAL_RESETS] = SIGNAL("host.tcp_resets_per_s", "established connections cut off"),
	[SIGNAL_LISTEN_DROPS] = SIGNAL("host.tcp_listen_drops_per_s",
				       "connections dropped at a listening socket"),
	[SIGNAL_UDP_ERRORS] = SIGNAL("host.udp_receive_errors_per_s",
				     "IPv4 datagrams lost, mostly for a full buffer"),
	[SIGNAL_MEMORY] = SIGNAL("host.tcp_memory_bytes", "memory of all TCP buffers"),
	[SIGNAL_RETRANSMITS] = SIGNAL("host.tcp_retransmit_ratio", "of the segments sent"),
	[SIGNAL_CONNTRACK] = SIGNAL("host.conntrack_count", "connections that netfilter follows"),
	[SIGNAL_CONNTRACK_RATIO] = SIGNAL("host.conntrack_used_ratio", "of the most it can follow"),
	{ .name = NULL },
};

enum file { FILE_SOCKSTAT, FILE_SOCKSTAT6, FILE_SNMP, FILE_NETSTAT, _FILE_MAX };

static const char *const files[_FILE_MAX] = {
	[FILE_SOCKSTAT] = "proc/net/sockstat",
	[FILE_SOCKSTAT6] = "proc/net/sockstat6",
	[FILE_SNMP] = "proc/net/snmp",
	[FILE_NETSTAT] = "proc/net/netstat",
};

static const struct field {
	unsigned signal;
	enum file file;
	bool is_counter;
	const char *table, *column;
} fields[] = {
	{ SIGNAL_ESTABLISHED, FILE_SNMP, false, "Tcp", "CurrEstab" },
	{ SIGNAL_TCP, FILE_SOCKSTAT, false, "TCP", "inuse" },
	{ SIGNAL_TCP, FILE_SOCKSTAT6, false, "TCP6", "inuse" },
	{ SIGNAL_ORPHANS, FILE_SOCKSTAT, false, "TCP", "orphan" },
	{ SIGNAL_TIME_WAIT, FILE_SOCKSTAT, false, "TCP", "tw" },
	{ SIGNAL_UDP, FILE_SOCKSTAT, false, "UDP", "inuse" },
	{ SIGNAL_UDP, FILE_SOCKSTAT6, false, "UDP6", "inuse" },
	{ SIGNAL_SOCKETS, FILE_SOCKSTAT, false, "sockets", "used" },
	{ SIGNAL_CONNECTS, FILE_SNMP, true, "Tcp", "ActiveOpens" },
	{ SIGNAL_CONNECT_FAILURES, FILE_SNMP, true, "Tcp", "AttemptFails" },
	{ SIGNAL_RESETS_SENT, FILE_SNMP, true, "Tcp", "OutRsts" },
	{ SIGNAL_RESETS, FILE_SNMP, true, "Tcp", "EstabResets" },
	{ SIGNAL_LISTEN_DROPS, FILE_NETSTAT, true, "TcpExt", "ListenDrops" },
	{ SIGNAL_UDP_ERRORS, FILE_SNMP, true, "Udp", "InErrors" },
};

/* One reading; what could not be read is not known. */
struct reading {
	uint64_t t_ns;
	bool is_known[_SIGNAL_FIELDS], knows_segments;
	uint64_t values[_SIGNAL_FIELDS], sent, resent;
};

struct state {
	const struct probe_context *c;
	uint64_t page_bytes;
	struct reading last;
	char texts[_FILE_MAX][TEXT_MAX];
};

static void read_fields(const struct state *s, struct reading *ret)
{
	for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
		const struct field *f = &fields[i];
		const char *text = s->texts[f->file];
		uint64_t v = 0;
		bool is_socket = f->file == FILE_SOCKSTAT || f->file == FILE_SOCKSTAT6;
		int r = is_socket ? netcount_find_socket(text, f->table, f->column, &v) :
				    netcount_find(text, f->table, f->column, &v);

		if (r < 0)
			continue;
		ret->is_known[f->signal] = true;
		ret->values[f->signal] += v;
	}
	ret->knows_segments =
		netcount_find(s->texts[FILE_SNMP], "Tcp", "OutSegs", &ret->sent) == 0 &&
		netcount_find(s->texts[FILE_SNMP], "Tcp", "RetransSegs", &ret->resent) == 0;
}

static bool is_counter(unsigned signal)
{
	for (size_t i = 0; i < ELEMENTSOF(fields); i++)
		if (fields[i].signal == signal)
			return fields[i].is_counter;
	return false;
}

static void tell_field(const struct state *s, const struct reading *now, unsigned i)
{
	const struct reading *last = &s->last;
	double value = (double)now->values[i];

	if (!now->is_known[i])
		return;
	if (is_counter(i)) {
		if (!last->is_known[i] || now->values[i] < last->values[i])
			return;
		value = (double)(now->values[i] - last->values[i]) * (double)NS_PER_S /
			(double)(now->t_ns - last->t_ns);
	}
	probe_emit(s->c, &signals[i], "", now->t_ns, value);
}

/* OutSegs counts what is sent for the first time only. Source: rfc1213, tcpOutSegs. */
static void tell_retransmits(const struct state *s, const struct reading *now)
{
	const struct reading *last = &s->last;
	uint64_t sent, resent;

	if (!now->knows_segments || !last->knows_segments || now->sent < last->sent ||
	    now->resent < last->resent)
		return;
	sent = now->sent - last->sent;
	resent = now->resent - last->resent;
	probe_emit(s->c, &signals[SIGNAL_RETRANSMITS], "", now->t_ns,
		   sent + resent ? (double)resent / (double)(sent + resent) : 0);
}

static void tell_memory(const struct state *s, uint64_t now_ns)
{
	uint64_t pages = 0;

	if (netcount_find_socket(s->texts[FILE_SOCKSTAT], "TCP", "mem", &pages) == 0)
		probe_emit(s->c, &signals[SIGNAL_MEMORY], "", now_ns,
			   (double)pages * (double)s->page_bytes);
}

static int read_u64(const struct state *s, const char *path, uint64_t *ret)
{
	char text[32] = "";
	ssize_t n = fd_read_file(s->c->root_fd, path, text, sizeof(text));

	if (n < 0)
		return (int)n;
	text[strcspn(text, "\n")] = '\0';
	return str_parse_u64(text, ret);
}

/* There are no such files where nothing follows connections. */
static void tell_conntrack(const struct state *s, uint64_t now_ns)
{
	uint64_t n = 0, max = 0;

	if (read_u64(s, "proc/sys/net/netfilter/nf_conntrack_count", &n) < 0 ||
	    read_u64(s, "proc/sys/net/netfilter/nf_conntrack_max", &max) < 0 || max == 0)
		return;
	probe_emit(s->c, &signals[SIGNAL_CONNTRACK], "", now_ns, (double)n);
	probe_emit(s->c, &signals[SIGNAL_CONNTRACK_RATIO], "", now_ns, (double)n / (double)max);
}

static void tick(void *state, uint64_t now_ns)
{
	struct state *s = state;
	struct reading now = { .t_ns = now_ns };

	if (s->last.t_ns && now_ns < s->last.t_ns + INTERVAL_NS)
		return;
	for (unsigned i = 0; i < _FILE_MAX; i++)
		if (fd_read_file(s->c->root_fd, files[i], s->texts[i], TEXT_MAX) < 0)
			s->texts[i][0] = '\0';
	read_fields(s, &now);
	for (unsigned i = 0; i < _SIGNAL_FIELDS; i++)
		tell_field(s, &now, i);
	tell_memory(s, now_ns);
	tell_retransmits(s, &now);
	tell_conntrack(s, now_ns);
	s->last = now;
}

static int start(const struct probe_context *c, void **ret_state, struct err *reterr)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(reterr, -ENOMEM, "watch sockets: %s", strerror(ENOMEM));
	s->c = c;
	s->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	if (faccessat(c->root_fd, files[FILE_SOCKSTAT], R_OK, 0) < 0) {
		free(s);
		return err_set(reterr, -ENOENT, "watch sockets: no /proc/net/sockstat");
	}
	*ret_state = s;
	return 0;
}

const struct probe_ops probe_sockets = {
	.name = "sockets",
	.summary = "TCP and UDP of the host, and the table of connections",
	.source =
		"proc(5); kernel Documentation/networking/snmp_counter.rst, nf_conntrack-sysctl.rst",
	.signals = signals,
	.optional = true,
	.start = start,
	.tick = tick,
	.stop = free,
};
