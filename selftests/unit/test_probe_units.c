/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ops/probe.h"
#include "selftests/unit/tree.h"
#include "sys/watch.h"

extern const struct probe_ops probe_cgroup_unit, probe_psi_unit, probe_host;

#define ROOT "sys/fs/cgroup/"
#define UNIT ROOT "system.slice/a.service/"

/* A probe on a tree of its own, and what it said last of each signal. */
struct bench {
	struct tree *tree;
	struct watch *watch;
	struct probe_context c;
	void *state;
	unsigned n;
	struct sample samples[64];
};

static void on_sample(void *userdata, const struct sample *s)
{
	struct bench *b = userdata;

	assert_true(b->n < ELEMENTSOF(b->samples));
	b->samples[b->n++] = *s;
}

static const struct sample *find(const struct bench *b, const char *signal)
{
	for (unsigned i = b->n; i > 0; i--)
		if (str_equal(b->samples[i - 1].signal, signal))
			return &b->samples[i - 1];
	return NULL;
}

static void expect(const struct bench *b, const char *signal, double value)
{
	const struct sample *s = find(b, signal);

	if (!s)
		fail_msg("no sample of %s", signal);
	else
		assert_float_equal(s->value, value, 1e-6);
}

static int setup(void **state)
{
	static const char *const names[] = { "a.service" };
	struct bench *b = calloc(1, sizeof(*b));
	void *tree = NULL;

	assert_non_null(b);
	assert_int_equal(tree_setup(&tree), 0);
	b->tree = tree;
	tree_write(b->tree, ROOT "cgroup.procs", "");
	tree_write(b->tree, ROOT "cgroup.controllers", "");
	assert_int_equal(watch_new(b->tree->fd, &b->watch, NULL), 0);
	assert_int_equal(watch_set_units(b->watch, names, 1, NULL), 0);
	b->c = (struct probe_context){
		.root_fd = b->tree->fd, .watch = b->watch, .emit = on_sample, .userdata = b
	};
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	void *tree = b->tree;

	b->watch = watch_free(b->watch);
	assert_int_equal(tree_teardown(&tree), 0);
	free(b);
	return 0;
}

static void write_unit(const struct bench *b)
{
	tree_write(b->tree, UNIT "cgroup.procs", "10\n");
	tree_write(b->tree, UNIT "cpu.stat", "usage_usec 1000000\n");
	tree_write(b->tree, UNIT "memory.current", "4096\n");
	tree_write(b->tree, UNIT "memory.max", "8192\n");
	tree_write(b->tree, UNIT "memory.events", "oom 0\noom_kill 0\n");
	tree_write(b->tree, UNIT "io.stat", "8:0 rbytes=100 wbytes=10 rios=1 wios=1\n");
	tree_write(b->tree, UNIT "pids.current", "3\n");
	tree_write(b->tree, UNIT "cgroup.events", "populated 1\nfrozen 0\n");
}

static void cgroup_says_whether_anything_lives_in_the_unit(void **state)
{
	struct bench *b = *state;

	assert_int_equal(probe_cgroup_unit.start(&b->c, &b->state, NULL), 0);
	probe_cgroup_unit.tick(b->state, NS_PER_S);
	expect(b, "unit.populated_bool", 0); /* no cgroup, no process */
	write_unit(b);
	probe_cgroup_unit.tick(b->state, 2 * NS_PER_S);
	expect(b, "unit.populated_bool", 1);
	tree_write(b->tree, UNIT "cgroup.events", "populated 0\nfrozen 0\n");
	probe_cgroup_unit.tick(b->state, 3 * NS_PER_S);
	expect(b, "unit.populated_bool", 0);
	probe_cgroup_unit.stop(b->state);
}

static void cgroup_measures_over_the_time_that_passed(void **state)
{
	struct bench *b = *state;

	write_unit(b);
	assert_int_equal(probe_cgroup_unit.start(&b->c, &b->state, NULL), 0);
	probe_cgroup_unit.tick(b->state, NS_PER_S);
	assert_null(find(b, "unit.cpu_usage_pct")); /* one reading is no rate */
	expect(b, "unit.memory_bytes", 4096);
	expect(b, "unit.memory_max_ratio", 0.5);
	expect(b, "unit.pids_count", 3);
	expect(b, "unit.oom_kills_count", 0);
	tree_write(b->tree, UNIT "cpu.stat", "usage_usec 1500000\n");
	tree_write(b->tree, UNIT "io.stat", "8:0 rbytes=300 wbytes=10 rios=1 wios=1\n");
	tree_write(b->tree, UNIT "memory.max", "max\n");
	tree_write(b->tree, UNIT "memory.events", "oom 1\noom_kill 2\n");
	b->n = 0;
	probe_cgroup_unit.tick(b->state, 3 * NS_PER_S);
	expect(b, "unit.cpu_usage_pct", 25);
	expect(b, "unit.io_read_bytes_per_s", 100);
	expect(b, "unit.io_write_bytes_per_s", 0);
	expect(b, "unit.oom_kills_count", 2);
	assert_null(find(b, "unit.memory_max_ratio")); /* no limit, no ratio */
	probe_cgroup_unit.stop(b->state);
}

static void cgroup_says_little_about_a_unit_that_is_not_there(void **state)
{
	struct bench *b = *state;

	assert_int_equal(probe_cgroup_unit.start(&b->c, &b->state, NULL), 0);
	probe_cgroup_unit.tick(b->state, NS_PER_S);
	assert_int_equal(b->n, 1); /* that nothing lives in it */
	/* It is started: a new cgroup; controllers that are off are left out. */
	tree_write(b->tree, UNIT "cgroup.procs", "10\n");
	tree_write(b->tree, UNIT "pids.current", "3\n");
	probe_cgroup_unit.tick(b->state, 2 * NS_PER_S);
	assert_int_equal(b->n, 2);
	expect(b, "unit.pids_count", 3);
	probe_cgroup_unit.stop(b->state);
}

static void cgroup_starts_anew_with_a_new_cgroup(void **state)
{
	struct bench *b = *state;

	tree_write(b->tree, UNIT "cgroup.procs", "10\n");
	tree_write(b->tree, UNIT "cpu.stat", "usage_usec 1000000\n");
	assert_int_equal(probe_cgroup_unit.start(&b->c, &b->state, NULL), 0);
	probe_cgroup_unit.tick(b->state, NS_PER_S);
	assert_int_equal(unlinkat(b->tree->fd, UNIT "cgroup.procs", 0), 0);
	assert_int_equal(unlinkat(b->tree->fd, UNIT "cpu.stat", 0), 0);
	assert_int_equal(unlinkat(b->tree->fd, UNIT, AT_REMOVEDIR), 0);
	probe_cgroup_unit.tick(b->state, 2 * NS_PER_S);
	tree_write(b->tree, UNIT "cgroup.procs", "11\n");
	tree_write(b->tree, UNIT "cpu.stat", "usage_usec 9000000\n");
	probe_cgroup_unit.tick(b->state, 3 * NS_PER_S);
	assert_null(find(b, "unit.cpu_usage_pct")); /* not 800 % */
	probe_cgroup_unit.stop(b->state);
}

static void psi_measures_the_share_of_time(void **state)
{
	struct bench *b = *state;

	tree_write(b->tree, UNIT "cgroup.procs", "10\n");
	tree_write(b->tree, UNIT "cpu.pressure", "some avg10=0.00 total=1000\nfull total=0\n");
	tree_write(b->tree, UNIT "memory.pressure", "some total=9\nfull avg10=0 total=500\n");
	assert_int_equal(probe_psi_unit.start(&b->c, &b->state, NULL), 0);
	probe_psi_unit.tick(b->state, NS_PER_S);
	assert_int_equal(b->n, 0);
	tree_write(b->tree, UNIT "cpu.pressure", "some avg10=0.00 total=251000\nfull total=0\n");
	tree_write(b->tree, UNIT "memory.pressure", "some total=999\nfull avg10=0 total=100500\n");
	probe_psi_unit.tick(b->state, 2 * NS_PER_S);
	expect(b, "unit.cpu_pressure_some_pct", 25);
	expect(b, "unit.memory_pressure_full_pct", 10);
	assert_null(find(b, "unit.io_pressure_full_pct"));
	probe_psi_unit.reload(b->state);
	b->n = 0;
	probe_psi_unit.tick(b->state, 3 * NS_PER_S);
	assert_int_equal(b->n, 0); /* first reading of files opened anew */
	probe_psi_unit.stop(b->state);
}

static void psi_says_why_it_cannot_run(void **state)
{
	struct bench *b = *state;
	struct err err = { 0 };

	assert_int_equal(probe_psi_unit.supported(&b->c, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "psi=1"));
}

static void host_measures_cpu_load_and_memory(void **state)
{
	struct bench *b = *state;

	tree_write(b->tree, "proc/stat", "cpu  100 0 0 900 0 0 0 0 0 0\n");
	tree_write(b->tree, "proc/loadavg", "0.50 0 0 1/1 1\n");
	tree_write(b->tree, "proc/meminfo",
		   "MemTotal: 100 kB\nMemFree: 1 kB\nMemAvailable: 40 kB\n");
	tree_write(b->tree, "proc/self/mountinfo",
		   "21 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n");
	assert_int_equal(probe_host.start(&b->c, &b->state, NULL), 0);
	probe_host.tick(b->state, NS_PER_S);
	assert_null(find(b, "host.cpu_usage_pct"));
	expect(b, "host.load1", 0.5);
	expect(b, "host.memory_available_ratio", 0.4);
	assert_non_null(find(b, "host.disk_used_ratio"));
	tree_write(b->tree, "proc/stat", "cpu  130 0 0 970 0 0 0 0 0 0\n");
	probe_host.tick(b->state, 2 * NS_PER_S);
	expect(b, "host.cpu_usage_pct", 30);
	probe_host.stop(b->state);
}

static void host_needs_proc(void **state)
{
	struct bench *b = *state;
	struct err err = { 0 };

	assert_int_equal(probe_host.start(&b->c, &b->state, &err), -ENOENT);
	assert_string_equal(err.text, "watch host: /proc is not mounted");
}

static void samples_carry_what_their_spec_says(void **state)
{
	const struct signal_spec *spec = probe_cgroup_unit.signals;
	struct bench *b = *state;

	write_unit(b);
	assert_int_equal(probe_cgroup_unit.start(&b->c, &b->state, NULL), 0);
	probe_cgroup_unit.tick(b->state, NS_PER_S);
	assert_true(b->n > 0);
	for (unsigned i = 0; i < b->n; i++) {
		const struct sample *s = &b->samples[i];

		assert_string_equal(s->entity.name, "a.service");
		assert_int_equal(s->entity.kind, spec->entity_kind);
		assert_int_equal(s->source, SOURCE_CGROUP);
		assert_int_equal(s->provenance, PROVENANCE_KERNEL);
		assert_int_equal(s->t_ns, NS_PER_S);
	}
	probe_cgroup_unit.stop(b->state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cgroup_says_whether_anything_lives_in_the_unit,
						setup, teardown),
		cmocka_unit_test_setup_teardown(cgroup_measures_over_the_time_that_passed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(cgroup_says_little_about_a_unit_that_is_not_there,
						setup, teardown),
		cmocka_unit_test_setup_teardown(cgroup_starts_anew_with_a_new_cgroup, setup,
						teardown),
		cmocka_unit_test_setup_teardown(psi_measures_the_share_of_time, setup, teardown),
		cmocka_unit_test_setup_teardown(psi_says_why_it_cannot_run, setup, teardown),
		cmocka_unit_test_setup_teardown(host_measures_cpu_load_and_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(host_needs_proc, setup, teardown),
		cmocka_unit_test_setup_teardown(samples_carry_what_their_spec_says, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
