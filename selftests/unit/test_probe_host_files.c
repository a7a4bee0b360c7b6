/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
/* Probes that read files of the host, on a recorded tree. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ops/probe.h"
#include "selftests/unit/tree.h"

extern const struct probe_ops probe_netdev, probe_sockets, probe_mounts, probe_clock,
	probe_host_files;

#define HEAD "Inter-|   Receive | Transmit\n face |bytes packets|bytes\n"

struct bench {
	struct tree *tree;
	struct probe_context c;
	void *state;
	unsigned n;
	struct sample samples[128];
};

static void on_sample(void *userdata, const struct sample *s)
{
	struct bench *b = userdata;

	assert_true(b->n < ELEMENTSOF(b->samples));
	assert_true(entity_is_valid(&s->entity));
	b->samples[b->n++] = *s;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	void *tree = NULL;

	assert_non_null(b);
	assert_int_equal(tree_setup(&tree), 0);
	b->tree = tree;
	b->c = (struct probe_context){ .root_fd = b->tree->fd, .emit = on_sample, .userdata = b };
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	void *tree = b->tree;

	assert_int_equal(tree_teardown(&tree), 0);
	free(b);
	return 0;
}

static const struct sample *find(const struct bench *b, const char *signal, const char *entity)
{
	for (unsigned i = b->n; i > 0; i--)
		if (str_equal(b->samples[i - 1].signal, signal) &&
		    str_equal(b->samples[i - 1].entity.name, entity))
			return &b->samples[i - 1];
	return NULL;
}

static void expect(const struct bench *b, const char *signal, const char *entity, double value)
{
	const struct sample *s = find(b, signal, entity);

	if (!s)
		fail_msg("no sample of %s", signal);
	else
		assert_float_equal(s->value, value, 1e-6);
}

static void netdev_measures_rates_and_the_link(void **state)
{
	struct bench *b = *state;

	tree_write(b->tree, "proc/net/dev",
		   HEAD "  eth0: 1000 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0\n"
			"veth1: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n");
	tree_write(b->tree, "sys/class/net/eth0/carrier", "1\n");
	tree_write(b->tree, "sys/class/net/eth0/carrier_changes", "4\n");
	assert_int_equal(probe_netdev.start(&b->c, &b->state, NULL), 0);
	probe_netdev.tick(b->state, NS_PER_S);
	assert_null(find(b, "netdev.receive_bytes_per_s", "eth0")); /* one reading is no rate */
	expect(b, "netdev.carrier_bool", "eth0", 1);
	expect(b, "netdev.carrier_changes_count", "eth0", 4);
	tree_write(b->tree, "proc/net/dev", HEAD "  eth0: 6000 1 2 3 1 0 0 0 1500 1 3 1 0 0 0 0\n");
	tree_write(b->tree, "sys/class/net/eth0/carrier", "0\n");
	probe_netdev.tick(b->state, 2 * NS_PER_S); /* too early to look again */
	assert_null(find(b, "netdev.receive_bytes_per_s", "eth0"));
	probe_netdev.tick(b->state, 6 * NS_PER_S);
	expect(b, "netdev.receive_bytes_per_s", "eth0", 1000);
	expect(b, "netdev.transmit_bytes_per_s", "eth0", 200);
	expect(b, "netdev.errors_per_s", "eth0", 1);
	expect(b, "netdev.drops_per_s", "eth0", 1);
	expect(b, "netdev.carrier_bool", "eth0", 0);
	assert_null(find(b, "netdev.receive_bytes_per_s", "veth1"));
	probe_netdev.stop(b->state);
}

static void netdev_takes_a_new_device_of_the_same_name_as_new(void **state)
{
	struct bench *b = *state;

	tree_write(b->tree, "proc/net/dev", HEAD "a: 9000 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0\n");
	assert_int_equal(probe_netdev.start(&b->c, &b->state, NULL), 0);
	probe_netdev.tick(b->state, NS_PER_S);
	tree_write(b->tree, "proc/net/dev", HEAD "a: 10 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n");
	probe_netdev.tick(b->state, 6 * NS_PER_S);
	expect(b, "netdev.receive_bytes_per_s", "a", 0);
	probe_netdev.stop(b->state);
}

static void write_net(const struct bench *b, const char *tcp, const char *ext)
{
	char text[512] = "";

	str_append(
		text, sizeof(text),
		"Tcp: ActiveOpens AttemptFails EstabResets CurrEstab OutSegs RetransSegs OutRsts\n"
		"Tcp: %s\nUdp: InErrors\nUdp: 0\n",
		tcp);
	tree_write(b->tree, "proc/net/snmp", text);
	text[0] = '\0';
	str_append(text, sizeof(text), "TcpExt: ListenOverflows ListenDrops\nTcpExt: %s\n", ext);
	tree_write(b->tree, "proc/net/netstat", text);
}

static void sockets_are_counted_and_their_counters_are_rates(void **state)
{
	struct bench *b = *state;

	tree_write(b->tree, "proc/net/sockstat",
		   "sockets: used 29\nTCP: inuse 2 orphan 1 tw 293 alloc 9 mem 3\nUDP: inuse 4\n");
	tree_write(b->tree, "proc/net/sockstat6", "TCP6: inuse 5\nUDP6: inuse 1\n");
	write_net(b, "100 10 7 3 1000 0 20", "1 2");
	assert_int_equal(probe_sockets.start(&b->c, &b->state, NULL), 0);
	probe_sockets.tick(b->state, NS_PER_S);
	expect(b, "host.tcp_established_count", "", 3);
	expect(b, "host.tcp_sockets_count", "", 7); /* of both families */
	expect(b, "host.udp_sockets_count", "", 5);
	expect(b, "host.tcp_time_wait_count", "", 293);
	expect(b, "host.tcp_orphans_count", "", 1);
	expect(b, "host.sockets_count", "", 29);
	expect(b, "host.tcp_memory_bytes", "", 3.0 * (double)sysconf(_SC_PAGESIZE));
	assert_null(find(b, "host.tcp_connects_per_s", ""));
	assert_null(find(b, "host.conntrack_used_ratio", "")); /* nothing follows connections */
	write_net(b, "150 20 12 3 1090 10 30", "1 12");
	tree_write(b->tree, "proc/sys/net/netfilter/nf_conntrack_count", "30\n");
	tree_write(b->tree, "proc/sys/net/netfilter/nf_conntrack_max", "120\n");
	probe_sockets.tick(b->state, 6 * NS_PER_S);
	expect(b, "host.tcp_connects_per_s", "", 10);
	expect(b, "host.tcp_connect_failures_per_s", "", 2);
	expect(b, "host.tcp_resets_per_s", "", 1);
	expect(b, "host.tcp_resets_sent_per_s", "", 2);
	expect(b, "host.tcp_listen_drops_per_s", "", 2);
	expect(b, "host.tcp_retransmit_ratio", "", 0.1);
	expect(b, "host.conntrack_count", "", 30);
	expect(b, "host.conntrack_used_ratio", "", 0.25);
	probe_sockets.stop(b->state);
}

static void sockets_say_nothing_of_what_the_kernel_does_not_tell(void **state)
{
	struct bench *b = *state;

	tree_write(b->tree, "proc/net/sockstat", "sockets: used 5\n");
	assert_int_equal(probe_sockets.start(&b->c, &b->state, NULL), 0);
	probe_sockets.tick(b->state, NS_PER_S);
	probe_sockets.tick(b->state, 6 * NS_PER_S);
	assert_int_equal(b->n, 2);
	expect(b, "host.sockets_count", "", 5);
	probe_sockets.stop(b->state);
}

static void mounts_measures_space_and_inodes(void **state)
{
	struct bench *b = *state;

	tree_write(b->tree, "proc/self/mountinfo",
		   "21 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
		   "22 1 0:5 / /proc rw - proc proc rw\n");
	assert_int_equal(probe_mounts.start(&b->c, &b->state, NULL), 0);
	probe_mounts.tick(b->state, NS_PER_S);
	assert_in_range(b->n, 2, 3); /* a file system may have no bound on its inodes */
	assert_true(find(b, "mount.used_ratio", "/")->value <= 1);
	assert_true(find(b, "mount.available_bytes", "/")->value >= 0);
	b->n = 0;
	probe_mounts.tick(b->state, 2 * NS_PER_S);
	assert_int_equal(b->n, 0); /* a disk does not fill so fast */
	probe_mounts.stop(b->state);
}

static void clock_tells_no_step_where_nobody_sets_it(void **state)
{
	struct bench *b = *state;
	struct err err = { 0 };

	if (probe_clock.supported(&b->c, &err) < 0)
		skip();
	assert_int_equal(probe_clock.start(&b->c, &b->state, NULL), 0);
	probe_clock.tick(b->state, NS_PER_S);
	assert_null(find(b, "clock.step_ms", "realtime"));
	assert_non_null(find(b, "clock.synchronized_bool", "realtime"));
	assert_non_null(find(b, "clock.offset_ms", "realtime"));
	assert_non_null(find(b, "clock.error_max_ms", "realtime"));
	probe_clock.tick(b->state, 2 * NS_PER_S);
	expect(b, "clock.step_ms", "realtime", 0);
	probe_clock.stop(b->state);
}

static void host_files_counts_what_is_open_and_sees_the_need_for_a_reboot(void **state)
{
	struct bench *b = *state;

	tree_write(b->tree, "proc/sys/fs/file-nr", "850\t0\t1000\n");
	assert_int_equal(probe_host_files.start(&b->c, &b->state, NULL), 0);
	probe_host_files.tick(b->state, NS_PER_S);
	expect(b, "host.open_files_count", "", 850);
	expect(b, "host.open_files_ratio", "", 0.85);
	expect(b, "host.reboot_required_bool", "", 0);
	tree_write(b->tree, "run/reboot-required", "");
	probe_host_files.tick(b->state, 11 * NS_PER_S);
	expect(b, "host.reboot_required_bool", "", 1);
	probe_host_files.stop(b->state);
}

static void each_says_what_it_lacks(void **state)
{
	struct bench *b = *state;
	struct err err = { 0 };

	assert_int_equal(probe_netdev.start(&b->c, &b->state, &err), -ENOENT);
	assert_int_equal(probe_sockets.start(&b->c, &b->state, &err), -ENOENT);
	assert_int_equal(probe_mounts.start(&b->c, &b->state, &err), -ENOENT);
	assert_int_equal(probe_host_files.start(&b->c, &b->state, &err), -ENOENT);
	assert_string_equal(err.text, "watch open files: no /proc/sys/fs/file-nr");
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(netdev_measures_rates_and_the_link),
		TEST(netdev_takes_a_new_device_of_the_same_name_as_new),
		TEST(sockets_are_counted_and_their_counters_are_rates),
		TEST(sockets_say_nothing_of_what_the_kernel_does_not_tell),
		TEST(mounts_measures_space_and_inodes),
		TEST(clock_tells_no_step_where_nobody_sets_it),
		TEST(host_files_counts_what_is_open_and_sees_the_need_for_a_reboot),
		TEST(each_says_what_it_lacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
