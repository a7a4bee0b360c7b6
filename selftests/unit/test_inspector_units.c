/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ops/inspector.h"
#include "selftests/unit/tree.h"
#include "sys/later.h"
#include "sys/turn.h"
#include "sys/watch.h"

extern const struct inspector_ops inspector_unit_status, inspector_unit_exits, inspector_unit_tasks,
	inspector_unit_pressure, inspector_top_cpu, inspector_host_pressure;

#define ROOT "sys/fs/cgroup/"
#define UNIT ROOT "system.slice/a.service/"

struct bench {
	struct tree *tree;
	struct watch *watch;
	struct inspector_context c;
	struct inspector_request rq;
	unsigned n_items, n_done;
	int r;
	struct err err;
	struct evidence items[INSPECTOR_ITEMS_MAX];
	/* What waits for its time, as later_run() would. */
	const struct later_job *kind;
	void *job;
	uint64_t pause_ns;
	/* What systemd answers. */
	int query_r;
	struct unit_status status;
};

static struct bench *bench; /* for the stand-ins below, which get no user data */

/* Stands in for sys/later.o: time passes when the test says so. */
int later_run(sd_event *event, uint64_t pause_ns, const struct later_job *kind, void *job,
	      struct err *reterr)
{
	(void)event;
	(void)reterr;
	assert_true(pause_ns < INSPECTOR_DEADLINE_NS);
	bench->kind = kind;
	bench->pause_ns = pause_ns;
	bench->job = job;
	return 0;
}

/* Stands in for sys/unitbus.o: systemd answers at once. */
int unitbus_query(sd_bus *bus, const char *unit, unitbus_answer_t answer, void *userdata,
		  struct err *reterr)
{
	(void)bus;
	(void)reterr;
	assert_string_equal(unit, "a.service");
	answer(userdata, bench->query_r, &bench->status);
	return 0;
}

/* One turn of the loop. */
static void turn(struct bench *b)
{
	assert_non_null(b->kind);
	b->pause_ns = b->kind->work(b->job);
	if (b->pause_ns == 0) {
		b->kind->free(b->job);
		b->kind = NULL;
	}
}

/* Until it waits for more than its next turn. Returns the turns. */
static unsigned pass_time(struct bench *b)
{
	unsigned n = 0;

	do
		turn(b);
	while (++n && b->kind && b->pause_ns == TURN_AGAIN_NS);
	return n;
}

static void on_item(void *userdata, const struct inspector_request *rq, const struct evidence *e)
{
	struct bench *b = userdata;

	assert_int_equal(rq->id, 5);
	assert_true(b->n_items < INSPECTOR_ITEMS_MAX);
	b->items[b->n_items++] = *e;
}

static void on_done(void *userdata, const struct inspector_request *rq, int r,
		    const struct err *err)
{
	struct bench *b = userdata;

	assert_int_equal(rq->id, 5);
	b->n_done++;
	b->r = r;
	if (r < 0)
		b->err = *err;
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
	b->c = (struct inspector_context){ .watch = b->watch,
					   .root_fd = b->tree->fd,
					   .item = on_item,
					   .done = on_done,
					   .userdata = b };
	b->rq = (struct inspector_request){ .id = 5,
					    .entity = entity_make(ENTITY_KIND_UNIT, "a.service") };
	*state = bench = b;
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

static const struct evidence *item_of(const struct bench *b, enum source source)
{
	for (unsigned i = 0; i < b->n_items; i++)
		if (b->items[i].source == source)
			return &b->items[i];
	fail_msg("no item from %s", source_to_string(source));
	return NULL;
}

static double number(const struct evidence *e, const char *name)
{
	const struct fact *f = evidence_find_fact(e, name);

	if (!f)
		fail_msg("no fact %s", name);
	return f ? f->number : -1;
}

static const char *text(const struct evidence *e, const char *name)
{
	const struct fact *f = evidence_find_fact(e, name);

	if (!f)
		fail_msg("no fact %s", name);
	return f ? f->text : "";
}

static void write_status(struct bench *b, const char *active, const char *result)
{
	(void)str_copy(b->status.load_state, sizeof(b->status.load_state), "loaded");
	(void)str_copy(b->status.active_state, sizeof(b->status.active_state), active);
	(void)str_copy(b->status.result, sizeof(b->status.result), result);
}

static void status_says_how_it_was_killed(void **state)
{
	struct bench *b = *state;
	const struct evidence *e;

	write_status(b, "failed", "signal");
	b->status.exit_code = CLD_KILLED;
	b->status.exit_status = SIGKILL;
	b->status.job_id = 3;
	assert_int_equal(inspector_unit_status.collect(&b->c, &b->rq, NULL), 0);
	assert_int_equal(b->n_done, 1);
	e = item_of(b, SOURCE_SYSTEMD);
	assert_string_equal(text(e, "unit.active_state"), "failed");
	assert_string_equal(text(e, "unit.result"), "signal");
	assert_float_equal(number(e, "unit.exit_signal"), SIGKILL, 0);
	assert_float_equal(number(e, "unit.exit_code"), 0, 0);
	assert_string_equal(text(e, "unit.job_pending"), "yes");
	assert_string_equal(text(e, "unit.stopped_by"), "");
	assert_non_null(strstr(e->text, "killed by signal 9 (KILL)"));
}

static void status_knows_a_stop_by_an_admin(void **state)
{
	struct bench *b = *state;

	write_status(b, "inactive", "success");
	assert_int_equal(inspector_unit_status.collect(&b->c, &b->rq, NULL), 0);
	assert_string_equal(text(&b->items[0], "unit.stopped_by"), ""); /* it was never active */
	b->n_items = 0;
	b->status.active_exit_mono_us = 1;
	assert_int_equal(inspector_unit_status.collect(&b->c, &b->rq, NULL), 0);
	assert_string_equal(text(&b->items[0], "unit.stopped_by"), "admin");
}

static void status_knows_an_end_that_nobody_asked_for(void **state)
{
	static const struct {
		const char *type, *restart;
		uint32_t n_triggers;
		uint64_t main_exit_us, active_exit_us, unasked_us;
		const char *stopped_by;
	} rows[] = {
		{ "simple", "no", 0, 1000, 1000, 0, "itself" },
		{ "notify", "no", 0, 1000, 1200, 0, "itself" },
		{ "forking", "no", 0, 1000, 1200, 0, "itself" },
		{ "simple", "no", 0, 1200, 1000, 0,
		  "admin" }, /* left active first: it was stopped */
		{ "notify", "no", 0, 1200, 1000, 1000, "itself" },     /* it said that it would */
		{ "notify", "no", 0, 1200, 1000, 900, "admin" },       /* that was another time */
		{ "simple", "no", 0, 0, 1000, 0, "admin" },            /* it has no main process */
		{ "simple", "on-failure", 0, 1000, 1000, 0, "admin" }, /* its owner says: well */
		{ "simple", "no", 1, 1000, 1000, 0, "admin" }, /* its socket starts it again */
		{ "oneshot", "no", 0, 1000, 1000, 0, "admin" },
		{ "dbus", "no", 0, 1000, 1000, 0, "admin" },
	};
	struct bench *b = *state;

	write_status(b, "inactive", "success");
	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		struct unit_status *s = &b->status;

		(void)str_copy(s->type, sizeof(s->type), rows[i].type);
		(void)str_copy(s->restart, sizeof(s->restart), rows[i].restart);
		s->n_triggers = rows[i].n_triggers;
		s->main_exit_mono_us = rows[i].main_exit_us;
		s->active_exit_mono_us = rows[i].active_exit_us;
		watch_find(b->watch, "a.service")->unasked_exit_mono_us = rows[i].unasked_us;
		b->n_items = 0;
		assert_int_equal(inspector_unit_status.collect(&b->c, &b->rq, NULL), 0);
		assert_string_equal(text(&b->items[0], "unit.stopped_by"), rows[i].stopped_by);
	}
}

static void status_says_why_there_is_no_answer(void **state)
{
	struct bench *b = *state;

	b->query_r = -ETIMEDOUT;
	assert_int_equal(inspector_unit_status.collect(&b->c, &b->rq, NULL), 0);
	assert_int_equal(b->n_items, 0);
	assert_int_equal(b->n_done, 1);
	assert_int_equal(b->r, -ETIMEDOUT);
	assert_string_equal(b->err.text,
			    "ask systemd about unit 'a.service': Connection timed out");
}

static void add_exit(struct bench *b, const char *unit, uint64_t t_ns, int sig, bool is_oom)
{
	struct watch_exit x = { .t_ns = t_ns, .signal = sig, .is_oom = is_oom, .pid = 42 };

	(void)str_copy(x.unit, sizeof(x.unit), unit);
	(void)str_copy(x.comm, sizeof(x.comm), "api");
	watch_add_exit(b->watch, &x);
}

static void exits_tells_the_last_death_of_the_unit_in_time(void **state)
{
	struct bench *b = *state;
	const struct evidence *e = &b->items[0];

	b->watch->has_exits = true;
	b->rq.since_ns = 100;
	add_exit(b, "a.service", 50, SIGSEGV, false); /* too old */
	add_exit(b, "a.service", 110, 0, true);
	add_exit(b, "a.service", 111, SIGKILL, false);
	add_exit(b, "b.service", 112, SIGABRT, false);
	assert_int_equal(inspector_unit_exits.collect(&b->c, &b->rq, NULL), 0);
	assert_int_equal(b->n_done, 1);
	assert_int_equal(e->source, SOURCE_BPF);
	assert_int_equal(e->provenance, PROVENANCE_KERNEL);
	assert_float_equal(number(e, "exit.signal"), SIGKILL, 0);
	assert_string_equal(text(e, "exit.comm"), "api");
	assert_float_equal(number(e, "exit.deaths_count"), 1, 0);
	assert_float_equal(number(e, "oom.kills_count"), 1, 0);
}

static void exits_tells_that_nothing_died(void **state)
{
	struct bench *b = *state;

	b->watch->has_exits = true;
	assert_int_equal(inspector_unit_exits.collect(&b->c, &b->rq, NULL), 0);
	assert_null(evidence_find_fact(&b->items[0], "exit.signal"));
	assert_float_equal(number(&b->items[0], "oom.kills_count"), 0, 0);
}

static void exits_does_not_take_blindness_for_nothing(void **state)
{
	struct bench *b = *state;

	assert_int_equal(inspector_unit_exits.collect(&b->c, &b->rq, NULL), -EOPNOTSUPP);
	assert_int_equal(b->n_done, 0);
}

static void tasks_counts_states_and_cpu_from_two_sources(void **state)
{
	struct bench *b = *state;
	const struct evidence *cgroup, *procfs;

	tree_write(b->tree, UNIT "cgroup.procs", "10\n11\n12\n");
	tree_write(b->tree, UNIT "cgroup.events", "populated 1\nfrozen 0\n");
	tree_write(b->tree, UNIT "cpu.stat", "usage_usec 1000\n");
	tree_write(b->tree, "proc/10/stat", "10 (a) T 1 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 9 1\n");
	tree_write(b->tree, "proc/11/stat", "11 (a) R 1 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 9 1\n");
	assert_int_equal(inspector_unit_tasks.collect(&b->c, &b->rq, NULL), 0);
	assert_int_equal(b->n_done, 0);
	tree_write(b->tree, UNIT "cpu.stat", "usage_usec 900000000\n");
	pass_time(b);
	assert_int_equal(b->n_done, 1);
	cgroup = item_of(b, SOURCE_CGROUP);
	procfs = item_of(b, SOURCE_PROCFS);
	assert_float_equal(number(cgroup, "tasks.count"), 3, 0);
	assert_true(number(cgroup, "unit.cpu_usage_pct") > 100);
	assert_float_equal(number(cgroup, "cgroup.frozen_bool"), 0, 0);
	assert_float_equal(number(procfs, "tasks.stopped_count"), 1, 0);
	assert_float_equal(number(procfs, "tasks.running_count"), 1, 0);
}

static void tasks_of_a_dead_unit_are_none(void **state)
{
	struct bench *b = *state;

	assert_int_equal(inspector_unit_tasks.collect(&b->c, &b->rq, NULL), 0);
	pass_time(b);
	assert_int_equal(b->n_items, 1);
	assert_float_equal(number(&b->items[0], "tasks.count"), 0, 0);
	assert_float_equal(number(&b->items[0], "unit.cpu_usage_pct"), 0, 0);
}

static void pressure_and_run_queue_are_two_items(void **state)
{
	struct bench *b = *state;
	struct watch_unit *u = watch_find(b->watch, "a.service");

	tree_write(b->tree, UNIT "cgroup.procs", "10\n");
	tree_write(b->tree, UNIT "cpu.pressure", "some total=1000\nfull total=0\n");
	u->runq_p99_us = 20000;
	u->runq_t_ns = clock_boot_ns();
	assert_int_equal(inspector_unit_pressure.collect(&b->c, &b->rq, NULL), 0);
	tree_write(b->tree, UNIT "cpu.pressure", "some total=900000000\nfull total=0\n");
	pass_time(b);
	assert_int_equal(b->n_items, 2);
	assert_float_equal(number(item_of(b, SOURCE_PSI), "pressure.cpu_some_pct"), 100, 0);
	assert_null(evidence_find_fact(item_of(b, SOURCE_PSI), "pressure.io_full_pct"));
	assert_float_equal(number(item_of(b, SOURCE_BPF), "runq.p99_us"), 20000, 0);
}

static void pressure_of_a_unit_without_cgroup_is_not_zero_but_unknown(void **state)
{
	struct bench *b = *state;

	assert_int_equal(inspector_unit_pressure.collect(&b->c, &b->rq, NULL), -ENOENT);
	assert_int_equal(b->n_done, 0);
	/* It goes away while we measure. */
	tree_write(b->tree, UNIT "cgroup.procs", "10\n");
	assert_int_equal(inspector_unit_pressure.collect(&b->c, &b->rq, NULL), 0);
	assert_int_equal(unlinkat(b->tree->fd, UNIT "cgroup.procs", 0), 0);
	assert_int_equal(unlinkat(b->tree->fd, UNIT, AT_REMOVEDIR), 0);
	pass_time(b);
	assert_int_equal(b->r, -ENOENT);
	assert_int_equal(b->n_items, 0);
}

static void top_cpu_names_the_unit_and_its_busiest_process(void **state)
{
	struct bench *b = *state;
	const struct evidence *cgroup, *procfs;

	tree_write(b->tree, ROOT "system.slice/burner.service/cpu.stat", "usage_usec 5\n");
	tree_write(b->tree, ROOT "system.slice/burner.service/cgroup.procs", "10\n11\n");
	tree_write(b->tree, UNIT "cpu.stat", "usage_usec 999999999\n");
	tree_write(b->tree, UNIT "cgroup.procs", "12\n");
	tree_write(b->tree, "proc/10/stat", "10 (x) R 1 1 1 0 -1 0 1 2 3 4 5 0 7 8 20 0 1 0 9 1\n");
	tree_write(b->tree, "proc/11/stat", "11 (y) R 1 1 1 0 -1 0 1 2 3 4 5 0 7 8 20 0 1 0 9 1\n");
	assert_int_equal(inspector_top_cpu.collect(&b->c, &b->rq, NULL), 0);
	tree_write(b->tree, ROOT "system.slice/burner.service/cpu.stat", "usage_usec 700005\n");
	tree_write(b->tree, UNIT "cpu.stat", "usage_usec 1000000099\n");
	pass_time(b);
	assert_int_equal(b->n_done, 0);
	cgroup = item_of(b, SOURCE_CGROUP);
	assert_string_equal(text(cgroup, "top.unit"), "burner.service");
	assert_true(number(cgroup, "top.cpu_share_pct") > number(cgroup, "top.second_share_pct"));
	tree_write(b->tree, "proc/11/stat",
		   "11 (y) R 1 1 1 0 -1 0 1 2 3 4 90 0 7 8 20 0 1 0 9 1\n");
	pass_time(b);
	assert_int_equal(b->n_done, 1);
	procfs = item_of(b, SOURCE_PROCFS);
	assert_string_equal(text(procfs, "top.process_comm"), "y");
	assert_true(number(procfs, "top.process_cpu_pct") > 0);
}

/* In no turn more than TURN_STEPS_MAX of them; the one in the last slice is found all the same. */
static void top_cpu_looks_at_a_thousand_units_in_many_turns(void **state)
{
	enum { UNITS = 1000, TASKS = 200, TURNS = UNITS / TURN_STEPS_MAX };
	struct bench *b = *state;
	char path[128], procs[TASKS * 6 + 1] = "";
	unsigned n_turns = 0;

	for (int i = 0; i < UNITS; i++) {
		path[0] = '\0';
		str_append(path, sizeof(path), ROOT "system.slice/u%d.service/cpu.stat", i);
		tree_write(b->tree, path, "usage_usec 5\n");
	}
	for (int i = 0; i < TASKS; i++) {
		path[0] = '\0';
		str_append(path, sizeof(path), "proc/%d/stat", 1000 + i);
		str_append(procs, sizeof(procs), "%d\n", 1000 + i);
		tree_write(b->tree, path, "10 (x) R 1 1 1 0 -1 0 1 2 3 4 5 0 7 8 20 0 1 0 9 1\n");
	}
	tree_write(b->tree, ROOT "z.slice/z.service/cpu.stat", "usage_usec 5\n");
	tree_write(b->tree, ROOT "z.slice/z.service/cgroup.procs", procs);
	assert_int_equal(inspector_top_cpu.collect(&b->c, &b->rq, NULL), 0);
	assert_int_equal(b->pause_ns, TURN_AGAIN_NS);
	n_turns = 1 + pass_time(b);
	assert_true(n_turns > TURNS);
	tree_write(b->tree, ROOT "z.slice/z.service/cpu.stat", "usage_usec 700005\n");
	assert_true(pass_time(b) > TURNS + TASKS / TURN_STEPS_MAX);
	assert_string_equal(text(item_of(b, SOURCE_CGROUP), "top.unit"), "z.service");
	tree_write(b->tree, "proc/1199/stat",
		   "10 (y) R 1 1 1 0 -1 0 1 2 3 4 90 0 7 8 20 0 1 0 9 1\n");
	assert_true(pass_time(b) > TASKS / TURN_STEPS_MAX);
	assert_string_equal(text(item_of(b, SOURCE_PROCFS), "top.process_comm"), "y");
	assert_int_equal(b->n_done, 1);
}

static void tasks_of_a_large_unit_are_counted_in_many_turns(void **state)
{
	enum { TASKS = 300 };
	struct bench *b = *state;
	char path[64], procs[TASKS * 6 + 1] = "";

	for (int i = 0; i < TASKS; i++) {
		path[0] = '\0';
		str_append(path, sizeof(path), "proc/%d/stat", 1000 + i);
		str_append(procs, sizeof(procs), "%d\n", 1000 + i);
		tree_write(b->tree, path, "10 (x) T 1 1 1 0 -1 0 1 2 3 4 5 0 7 8 20 0 1 0 9 1\n");
	}
	tree_write(b->tree, UNIT "cpu.stat", "usage_usec 5\n");
	tree_write(b->tree, UNIT "cgroup.procs", procs);
	assert_int_equal(inspector_unit_tasks.collect(&b->c, &b->rq, NULL), 0);
	assert_true(pass_time(b) > TASKS / TURN_STEPS_MAX);
	assert_float_equal(number(item_of(b, SOURCE_PROCFS), "tasks.stopped_count"), TASKS, 0);
	assert_int_equal(b->n_done, 1);
}

static void top_cpu_of_an_idle_host_is_nobody(void **state)
{
	struct bench *b = *state;

	tree_write(b->tree, UNIT "cpu.stat", "usage_usec 7\n");
	assert_int_equal(inspector_top_cpu.collect(&b->c, &b->rq, NULL), 0);
	pass_time(b);
	assert_int_equal(b->n_items, 0);
	assert_int_equal(b->n_done, 1);
	assert_int_equal(b->r, 0);
}

static void host_pressure_reads_all_three(void **state)
{
	struct bench *b = *state;
	struct err err = { 0 };

	assert_int_equal(inspector_host_pressure.collect(&b->c, &b->rq, &err), -EOPNOTSUPP);
	tree_write(b->tree, "proc/pressure/cpu", "some total=0\nfull total=0\n");
	tree_write(b->tree, "proc/pressure/memory", "some total=0\nfull total=0\n");
	tree_write(b->tree, "proc/pressure/io", "some total=0\nfull total=0\n");
	assert_int_equal(inspector_host_pressure.collect(&b->c, &b->rq, NULL), 0);
	tree_write(b->tree, "proc/pressure/io", "some total=0\nfull total=900000000\n");
	pass_time(b);
	assert_float_equal(number(&b->items[0], "host.cpu_pressure_some_pct"), 0, 0);
	assert_float_equal(number(&b->items[0], "host.io_pressure_full_pct"), 100, 0);
}

static bool is_declared(const struct inspector_ops *ops, const struct evidence *e,
			const struct fact *f)
{
	for (const struct signal_spec *s = ops->facts; s->name; s++)
		if (str_equal(s->name, f->name))
			return s->source == e->source && s->provenance == e->provenance;
	return false;
}

static void every_fact_is_declared_with_its_source(void **state)
{
	static const struct inspector_ops *const all[] = { &inspector_unit_tasks,
							   &inspector_unit_pressure,
							   &inspector_top_cpu };
	struct bench *b = *state;

	tree_write(b->tree, UNIT "cgroup.procs", "10\n");
	tree_write(b->tree, UNIT "cpu.stat", "usage_usec 1000\n");
	tree_write(b->tree, UNIT "cpu.pressure", "some total=1000\nfull total=0\n");
	for (size_t i = 0; i < ELEMENTSOF(all); i++) {
		b->n_items = 0;
		assert_int_equal(all[i]->collect(&b->c, &b->rq, NULL), 0);
		while (b->kind)
			pass_time(b);
		for (unsigned k = 0; k < b->n_items; k++)
			for (uint32_t n = 0; n < b->items[k].n_facts; n++)
				assert_true(
					is_declared(all[i], &b->items[k], &b->items[k].facts[n]));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(status_says_how_it_was_killed),
		TEST(status_knows_a_stop_by_an_admin),
		TEST(status_knows_an_end_that_nobody_asked_for),
		TEST(status_says_why_there_is_no_answer),
		TEST(exits_tells_the_last_death_of_the_unit_in_time),
		TEST(exits_tells_that_nothing_died),
		TEST(exits_does_not_take_blindness_for_nothing),
		TEST(tasks_counts_states_and_cpu_from_two_sources),
		TEST(tasks_of_a_dead_unit_are_none),
		TEST(pressure_and_run_queue_are_two_items),
		TEST(pressure_of_a_unit_without_cgroup_is_not_zero_but_unknown),
		TEST(top_cpu_names_the_unit_and_its_busiest_process),
		TEST(top_cpu_of_an_idle_host_is_nobody),
		TEST(top_cpu_looks_at_a_thousand_units_in_many_turns),
		TEST(tasks_of_a_large_unit_are_counted_in_many_turns),
		TEST(host_pressure_reads_all_three),
		TEST(every_fact_is_declared_with_its_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
