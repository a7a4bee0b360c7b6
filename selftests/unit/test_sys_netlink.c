/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "sys/netlink.h"

#define MARK 0x1000u

/* A network of our own, in a user namespace: no root needed, nothing of the host is touched. */
static int setup(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 || unshare(CLONE_NEWNET) == 0)
		return 0;
	print_message("skipped: no network namespace can be made here\n");
	_exit(77);
}

static struct netlink *nl;

static int open_it(void **state)
{
	struct err err = { 0 };

	(void)state;
	if (netlink_open(&nl, &err) < 0)
		fail_msg("%s", err_text(&err));
	return 0;
}

/* skip() jumps over a test's own cleanup. */
static int close_it(void **state)
{
	(void)state;
	nl = netlink_free(nl);
	return 0;
}

/* An ifb, if the kernel has them. */
static bool make_ifb(const char *name, struct netlink_link *ret)
{
	struct err err = { 0 };
	int r = netlink_add_ifb(nl, name, ret, &err);

	if (r == -EOPNOTSUPP)
		return false;
	if (r < 0)
		fail_msg("%s", err_text(&err));
	return true;
}

static void lists_the_loopback_as_no_kind(void **state)
{
	struct netlink_link links[NETLINK_LINKS_MAX] = { 0 };
	struct err err = { 0 };
	ssize_t n = netlink_list_links(nl, links, ELEMENTSOF(links), &err);
	bool found = false;

	(void)state;
	assert_true(n >= 1);
	for (ssize_t i = 0; i < n; i++)
		if (str_equal(links[i].name, "lo")) {
			found = true;
			assert_string_equal(links[i].kind, "");
			assert_false(links[i].is_up);
		}
	assert_true(found);
	assert_int_equal(netlink_list_links(nl, links, 0, &err), -E2BIG);
}

static void makes_an_ifb_once_and_deletes_it_once(void **state)
{
	struct netlink_link l = { 0 };
	struct err err = { 0 };

	(void)state;
	if (!make_ifb("aiops-test", &l))
		skip();
	assert_string_equal(l.kind, "ifb");
	assert_true(l.is_up && l.index > 0);
	assert_int_equal(netlink_add_ifb(nl, "aiops-test", &l, &err), -EEXIST);
	assert_int_equal(netlink_delete_ifb(nl, "aiops-test", &err), 1);
	assert_int_equal(netlink_delete_ifb(nl, "aiops-test", &err), 0);
	assert_int_equal(netlink_find_link(nl, "aiops-test", &l, &err), -ENODEV);
}

static void deletes_no_link_of_another_kind(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(netlink_delete_ifb(nl, "lo", &err), -EBUSY);
	assert_non_null(strstr(err_text(&err), "'lo'"));
}

static void puts_clsact_on_a_device_once_and_takes_it_off_once(void **state)
{
	struct netlink_link lo = { 0 };
	struct err err = { 0 };
	int r;

	(void)state;
	assert_int_equal(netlink_find_link(nl, "lo", &lo, &err), 0);
	r = netlink_add_clsact(nl, lo.index, &err);
	if (r == -EOPNOTSUPP || r == -ENOENT)
		skip();
	assert_int_equal(r, 1);
	assert_int_equal(netlink_add_clsact(nl, lo.index, &err), 0);
	assert_int_equal(netlink_delete_clsact(nl, lo.index, &err), 1);
	assert_int_equal(netlink_delete_clsact(nl, lo.index, &err), 0);
}

static void a_device_that_is_gone_has_nothing_to_delete(void **state)
{
	const struct netlink_redirect gone = { .ifindex = 9999, .to_ifindex = 9998, .mark = MARK };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(netlink_delete_clsact(nl, gone.ifindex, &err), 0);
	assert_int_equal(netlink_delete_redirect(nl, &gone, &err), 0);
}

static void a_redirect_is_deleted_only_as_we_made_it(void **state)
{
	struct netlink_link lo = { 0 }, ifb = { 0 };
	struct netlink_redirect ours = { .mark = MARK }, other;
	struct err err = { 0 };
	int r;

	(void)state;
	if (!make_ifb("aiops-test", &ifb))
		skip();
	assert_int_equal(netlink_find_link(nl, "lo", &lo, &err), 0);
	ours.ifindex = lo.index;
	ours.to_ifindex = ifb.index;
	r = netlink_add_clsact(nl, lo.index, &err);
	r = r < 0 ? r : netlink_add_redirect(nl, &ours, &err);
	if (r < 0) {
		print_message("skipped: %s\n", err_text(&err));
		skip();
	}
	assert_int_equal(netlink_add_redirect(nl, &ours, &err), -EEXIST);
	other = ours;
	other.to_ifindex = lo.index;
	assert_int_equal(netlink_delete_redirect(nl, &other, &err), -ESTALE);
	assert_int_equal(netlink_delete_clsact(nl, lo.index, &err), 0);
	assert_int_equal(netlink_delete_redirect(nl, &ours, &err), 1);
	assert_int_equal(netlink_delete_redirect(nl, &ours, &err), 0);
	assert_int_equal(netlink_delete_clsact(nl, lo.index, &err), 1);
}

static void a_netem_counts_its_packets(void **state)
{
	const struct netlink_netem netem = { .delay_us = 1000, .queue_packets = 10 };
	struct netlink_link ifb = { 0 };
	uint64_t packets = 1;
	struct err err = { 0 };

	(void)state;
	if (!make_ifb("aiops-queue", &ifb))
		skip();
	assert_int_equal(netlink_read_netem_packets(nl, ifb.index, &packets, &err), -ENOENT);
	if (netlink_add_netem(nl, ifb.index, &netem, &err) < 0) {
		print_message("skipped: %s\n", err_text(&err));
		skip();
	}
	assert_int_equal(netlink_read_netem_packets(nl, ifb.index, &packets, &err), 0);
	assert_int_equal(packets, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lists_the_loopback_as_no_kind, open_it, close_it),
		cmocka_unit_test_setup_teardown(makes_an_ifb_once_and_deletes_it_once, open_it,
						close_it),
		cmocka_unit_test_setup_teardown(deletes_no_link_of_another_kind, open_it, close_it),
		cmocka_unit_test_setup_teardown(puts_clsact_on_a_device_once_and_takes_it_off_once,
						open_it, close_it),
		cmocka_unit_test_setup_teardown(a_device_that_is_gone_has_nothing_to_delete,
						open_it, close_it),
		cmocka_unit_test_setup_teardown(a_redirect_is_deleted_only_as_we_made_it, open_it,
						close_it),
		cmocka_unit_test_setup_teardown(a_netem_counts_its_packets, open_it, close_it),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
