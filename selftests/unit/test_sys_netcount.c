/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/netcount.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Recorded, with some columns left out. */
static const char snmp[] =
	"Ip: Forwarding DefaultTTL\nIp: 1 64\n"
	"Tcp: RtoAlgorithm RtoMin MaxConn ActiveOpens CurrEstab\nTcp: 1 200 -1 57900 3\n"
	"UdpLite: InErrors\nUdpLite: 9\n"
	"Udp: InDatagrams InErrors\nUdp: 1672 7\n";
static const char sockstat[] = "sockets: used 29\n"
			       "TCP: inuse 2 orphan 1 tw 293 alloc 9 mem 83\n"
			       "UDP: inuse 0 mem 5\n";

static void finds_a_figure_by_the_name_of_its_column(void **state)
{
	uint64_t v = 0;

	(void)state;
	assert_int_equal(netcount_find(snmp, "Tcp", "ActiveOpens", &v), 0);
	assert_int_equal(v, 57900);
	assert_int_equal(netcount_find(snmp, "Tcp", "CurrEstab", &v), 0);
	assert_int_equal(v, 3);
	assert_int_equal(netcount_find(snmp, "Udp", "InErrors", &v), 0);
	assert_int_equal(v, 7); /* not UdpLite's */
}

static void says_what_is_not_there(void **state)
{
	uint64_t v = 0;

	(void)state;
	assert_int_equal(netcount_find(snmp, "Tcp", "Active", &v), -ENODATA);
	assert_int_equal(netcount_find(snmp, "Tcp", "MaxConn", &v), -EBADMSG); /* -1 is no count */
	assert_int_equal(netcount_find(snmp, "Sctp", "CurrEstab", &v), -ENODATA);
	assert_int_equal(netcount_find("Tcp: A B\nTcp: 1\n", "Tcp", "B", &v), -ENODATA);
	assert_int_equal(netcount_find("Tcp: A\nTcp: 1x\n", "Tcp", "A", &v), -EBADMSG);
	assert_int_equal(netcount_find("Tcp: A\n", "Tcp", "A", &v), -ENODATA);
	assert_int_equal(netcount_find("", "Tcp", "A", &v), -ENODATA);
}

static void finds_a_kind_of_socket(void **state)
{
	uint64_t v = 0;

	(void)state;
	assert_int_equal(netcount_find_socket(sockstat, "TCP", "tw", &v), 0);
	assert_int_equal(v, 293);
	assert_int_equal(netcount_find_socket(sockstat, "UDP", "mem", &v), 0);
	assert_int_equal(v, 5);
	assert_int_equal(netcount_find_socket(sockstat, "UDP", "tw", &v), -ENODATA);
	assert_int_equal(netcount_find_socket(sockstat, "RAW", "inuse", &v), -ENODATA);
	assert_int_equal(netcount_find_socket("TCP: inuse", "TCP", "inuse", &v), -ENODATA);
}

static void reads_devices_whatever_they_are_called(void **state)
{
	char text[] = "Inter-|   Receive                            |  Transmit\n"
		      " face |bytes packets errs drop fifo frame compressed multicast|bytes\n"
		      "    lo: 100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0\n"
		      "eth0:1: 5000 9 1 2 3 0 0 0 7000 8 4 5 6 0 0 0\n"
		      "cut0: 1 2 3\n"
		      "a_name_that_is_too_long: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n";
	struct netcount_dev devs[4];

	(void)state;
	assert_int_equal(netcount_parse_devs(text, devs, 4), 2);
	assert_string_equal(devs[0].name, "lo");
	assert_int_equal(devs[0].rx_bytes, 100);
	assert_string_equal(devs[1].name, "eth0:1");
	assert_int_equal(devs[1].rx_errors, 1);
	assert_int_equal(devs[1].rx_drops, 5);
	assert_int_equal(devs[1].tx_bytes, 7000);
	assert_int_equal(devs[1].tx_errors, 4);
	assert_int_equal(devs[1].tx_drops, 11);
}

static void reads_no_more_devices_than_there_is_room_for(void **state)
{
	char text[] = "a: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\nb: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n";
	struct netcount_dev dev;

	(void)state;
	assert_int_equal(netcount_parse_devs(text, &dev, 1), 1);
	assert_string_equal(dev.name, "a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_a_figure_by_the_name_of_its_column),
		cmocka_unit_test(says_what_is_not_there),
		cmocka_unit_test(finds_a_kind_of_socket),
		cmocka_unit_test(reads_devices_whatever_they_are_called),
		cmocka_unit_test(reads_no_more_devices_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
