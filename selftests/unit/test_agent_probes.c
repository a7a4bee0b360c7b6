/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/agent/probes.o */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "sys/bpfload.h"

const struct probe_ops *const probe_registry[] = { NULL };

/* A probe that costs what the test says. */
static struct {
	uint64_t cost_ns;
	unsigned ticks, stops;
} fake;

static uint64_t fake_cost_ns(void *state)
{
	(void)state;
	return fake.cost_ns;
}

static void fake_tick(void *state, uint64_t now_ns)
{
	(void)state;
	(void)now_ns;
	fake.ticks++;
}

static void fake_stop(void *state)
{
	(void)state;
	fake.stops++;
}

static const struct probe_ops probe_fake = { .name = "fake",
					     .cost_ns = fake_cost_ns,
					     .tick = fake_tick,
					     .stop = fake_stop };

static struct agent a;

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	memset(&a, 0, sizeof(a));
	a.n_probes = 1;
	a.probes[0] = (struct agent_probe){ .ops = &probe_fake, .state = &fake };
	return rollup_init(&a.rollups, NULL);
}

static int teardown(void **state)
{
	(void)state;
	rollup_done(&a.rollups);
	return 0;
}

/* So many seconds in which it takes this share of each CPU. */
static void pass(unsigned from_s, unsigned to_s, double share_pct)
{
	for (unsigned s = from_s; s < to_s; s++) {
		fake.cost_ns += (uint64_t)((double)(NS_PER_S * bpfload_cpus()) * share_pct / 100);
		agent_probes_tick(&a, (100 + s) * NS_PER_S);
	}
}

static void a_probe_within_its_budget_stays(void **state)
{
	(void)state;
	pass(0, 300, AGENT_PROBE_BUDGET_PCT * 0.9);
	assert_int_equal(fake.stops, 0);
	assert_int_equal(fake.ticks, 300);
	assert_true(a.probes[0].cost_pct > 0 &&
		    a.probes[0].cost_pct < AGENT_PROBE_BUDGET_PCT * (double)bpfload_cpus());
}

static void what_a_probe_costs_is_a_measurement(void **state)
{
	(void)state;
	pass(0, 60, AGENT_PROBE_BUDGET_PCT * 0.9);
	assert_int_equal(a.rollups.n, 1);
	assert_string_equal(a.rollups.v[0].rollup.signal, "probe.fake_cost_pct");
	assert_true(a.rollups.v[0].rollup.last == a.probes[0].cost_pct);
}

static void a_probe_over_its_budget_for_a_minute_is_detached(void **state)
{
	(void)state;
	pass(0, 60, AGENT_PROBE_BUDGET_PCT * 1.2);
	assert_int_equal(fake.stops, 0); /* the first look has nothing to compare with */
	pass(60, 71, AGENT_PROBE_BUDGET_PCT * 1.2);
	assert_int_equal(fake.stops, 1);
	assert_null(a.probes[0].state);
	assert_non_null(strstr(a.probes[0].error, "detach probe 'fake': it took"));
	pass(71, 100, 50);
	assert_int_equal(fake.stops, 1);
	assert_true(fake.ticks <= 71);
}

static void a_burst_is_forgiven(void **state)
{
	(void)state;
	for (unsigned s = 0; s < 600; s += 60) {
		pass(s, s + 40, 40);
		pass(s + 40, s + 60, 0);
	}
	assert_int_equal(fake.stops, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_probe_within_its_budget_stays),
		TEST(what_a_probe_costs_is_a_measurement),
		TEST(a_probe_over_its_budget_for_a_minute_is_detached),
		TEST(a_burst_is_forgiven),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
