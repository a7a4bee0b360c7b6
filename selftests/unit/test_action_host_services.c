/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "ops/action.h"
#include "selftests/unit/tree.h"
#include "sys/unitctl.h"

/* dns.restart_resolver and time.resync on a systemd of a few units, in place of sys/unitctl.c. */

extern const struct action_ops action_dns_restart_resolver, action_time_resync;

#define SYNCHRONIZED "run/systemd/timesync/synchronized"

static struct {
	const char *active[3]; /* names of what runs */
	const char *failed;
	const struct tree *tree;
	char restarted[ENTITY_NAME_MAX];
	bool server_answers; /* the clock is set after a restart */
} systemd;

static char text[512];
static uint8_t undo[ACTION_UNDO_MAX];

int unitctl_read(void *bus, const char *unit, struct unit_facts *ret, struct err *reterr)
{
	struct unit_facts f = { .load_state = "loaded",
				.active_state = "inactive",
				.freezer_state = "running",
				.invocation_id = "1" };

	(void)bus;
	(void)reterr;
	(void)str_copy(f.id, sizeof(f.id), unit);
	for (size_t i = 0; i < ELEMENTSOF(systemd.active); i++)
		if (str_equal(systemd.active[i], unit))
			(void)str_copy(f.active_state, sizeof(f.active_state), "active");
	if (str_equal(systemd.failed, unit))
		(void)str_copy(f.active_state, sizeof(f.active_state), "failed");
	if (str_equal(systemd.restarted, unit))
		(void)str_copy(f.invocation_id, sizeof(f.invocation_id), "2");
	*ret = f;
	return 0;
}

int unitctl_run_job(void *bus, const char *method, const char *unit, uint64_t deadline_ns,
		    struct err *reterr)
{
	(void)bus;
	(void)deadline_ns;
	(void)reterr;
	assert_string_equal(method, "RestartUnit");
	(void)str_copy(systemd.restarted, sizeof(systemd.restarted), unit);
	systemd.failed = NULL;
	systemd.active[2] = systemd.restarted;
	if (systemd.server_answers)
		tree_write(systemd.tree, SYNCHRONIZED, "");
	return 0;
}

int unitctl_wait_idle(void *bus, const char *unit, uint64_t deadline_ns, struct err *reterr)
{
	(void)bus;
	(void)unit;
	(void)deadline_ns;
	(void)reterr;
	return 0;
}

static int setup(void **state)
{
	if (tree_setup(state) < 0)
		return -1;
	memset(&systemd, 0, sizeof(systemd));
	systemd.tree = *state;
	return 0;
}

static const struct params no_params;

static struct action_context context(void)
{
	text[0] = '\0';
	return (struct action_context){ .params = &no_params,
					.root_fd = systemd.tree->fd,
					.undo = undo,
					.text = text,
					.text_size = sizeof(text) };
}

static int carry_out(const struct action_ops *a, struct action_context *c)
{
	int r = a->check(c, NULL);

	if (r == 0)
		r = a->snapshot(c, undo, NULL);
	if (r >= 0)
		r = a->apply(c, NULL);
	return r < 0 ? r : a->verify(c, NULL);
}

static void asks_the_file_who_resolves_and_restarts_that(void **state)
{
	static const struct {
		const char *conf, *unit;
	} cases[] = { { "nameserver 127.0.0.53\n", "systemd-resolved.service" },
		      { "# x\nsearch a b\nnameserver 127.0.0.1\nnameserver 9.9.9.9\n",
			"unbound.service" },
		      { "nameserver\t::1\n", "unbound.service" },
		      { "options edns0\n", "unbound.service" } };

	systemd.active[0] = "systemd-resolved.service";
	systemd.active[1] = "unbound.service";
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct action_context c = context();

		systemd.restarted[0] = '\0';
		tree_write(*state, "etc/resolv.conf", cases[i].conf);
		c.dry_run = true;
		assert_int_equal(action_dns_restart_resolver.apply(&c, NULL), 0);
		assert_non_null(strstr(text, "would restart"));
		assert_string_equal(systemd.restarted, "");
		c.dry_run = false;
		assert_int_equal(carry_out(&action_dns_restart_resolver, &c), 0);
		assert_string_equal(systemd.restarted, cases[i].unit);
	}
}

static void follows_the_link_that_a_resolver_made_and_not_out_of_the_tree(void **state)
{
	struct action_context c = context();

	systemd.active[0] = "systemd-resolved.service";
	tree_write(*state, "run/systemd/resolve/stub-resolv.conf", "nameserver 127.0.0.53\n");
	tree_write(*state, "etc/x", "");
	tree_link(*state, "etc/resolv.conf", "/run/systemd/resolve/stub-resolv.conf");
	assert_int_equal(carry_out(&action_dns_restart_resolver, &c), 0);
	assert_string_equal(systemd.restarted, "systemd-resolved.service");
}

static void restarts_a_resolver_that_failed_but_none_at_random(void **state)
{
	struct action_context c = context();

	tree_write(*state, "etc/resolv.conf", "nameserver 127.0.0.1\n");
	assert_int_equal(action_dns_restart_resolver.check(&c, NULL), -ENOENT);
	systemd.failed = "dnsmasq.service";
	assert_int_equal(carry_out(&action_dns_restart_resolver, &c), 0);
	assert_string_equal(systemd.restarted, "dnsmasq.service");
	systemd.active[0] = "unbound.service";
	assert_int_equal(action_dns_restart_resolver.check(&c, NULL), -ENOTUNIQ);
}

static void has_nothing_to_restart_where_another_machine_resolves(void **state)
{
	struct action_context c = context();
	struct err err = { 0 };

	systemd.active[0] = "systemd-resolved.service";
	tree_write(*state, "etc/resolv.conf", "nameserver 10.0.0.1\n");
	assert_int_equal(action_dns_restart_resolver.check(&c, &err), -ENOENT);
	assert_non_null(strstr(err_text(&err), "10.0.0.1"));
}

static void resyncs_by_whatever_keeps_the_clock(void **state)
{
	struct action_context c = context();

	(void)state;
	assert_int_equal(action_time_resync.check(&c, NULL), -ENOENT);
	systemd.active[0] = "chrony.service";
	assert_int_equal(carry_out(&action_time_resync, &c), 0);
	assert_string_equal(systemd.restarted, "chrony.service");
	systemd.active[1] = "systemd-timesyncd.service";
	assert_int_equal(action_time_resync.check(&c, NULL), -ENOTUNIQ);
}

static void does_not_believe_a_restart_that_no_time_server_answered(void **state)
{
	struct action_context c = context();

	tree_write(*state, SYNCHRONIZED, "");
	assert_int_equal(utimensat(systemd.tree->fd, SYNCHRONIZED,
				   (struct timespec[2]){ { .tv_sec = 5 }, { .tv_sec = 5 } }, 0),
			 0);
	systemd.active[0] = "systemd-timesyncd.service";
	assert_int_equal(carry_out(&action_time_resync, &c), -ETIMEDOUT);
	systemd.restarted[0] = '\0';
	systemd.server_answers = true;
	assert_int_equal(carry_out(&action_time_resync, &c), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(asks_the_file_who_resolves_and_restarts_that),
		TEST(follows_the_link_that_a_resolver_made_and_not_out_of_the_tree),
		TEST(restarts_a_resolver_that_failed_but_none_at_random),
		TEST(has_nothing_to_restart_where_another_machine_resolves),
		TEST(resyncs_by_whatever_keeps_the_clock),
		TEST(does_not_believe_a_restart_that_no_time_server_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
