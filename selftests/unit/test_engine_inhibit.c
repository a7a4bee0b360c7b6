/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: gen/registry_rule.o selftests/unit/brain.o */
/* What fires and is not told, and what windows cost. What is upstream and what flaps is in the traces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/state.h"
#include "selftests/unit/brain.h"

#define NOW_NS    (1000 * NS_PER_S)
#define MONDAY_US UINT64_C(1767571200000000)
#define MINUTE_US (60 * US_PER_S)

static void feed(struct engine *e, const char *signal, const struct entity *entity, double value,
		 uint64_t after_s)
{
	struct sample s = { .entity = *entity,
			    .provenance = PROVENANCE_SYSTEM,
			    .source = SOURCE_SYSTEMD,
			    .t_ns = NOW_NS + after_s * NS_PER_S,
			    .value = value };

	(void)str_copy(s.signal, sizeof(s.signal), signal);
	engine_sample(e, &s, MONDAY_US + after_s * US_PER_S);
	engine_tick(e, s.t_ns, MONDAY_US + after_s * US_PER_S);
}

static void what_is_silenced_is_told_when_that_ends(void **state)
{
	const struct brain *b = *state;
	struct silence s = { .from_us = MONDAY_US, .until_us = MONDAY_US + 10 * MINUTE_US };
	const struct silences silences = { 1, &s };
	const struct entity db = entity_make(ENTITY_KIND_UNIT, "db.service");
	struct engine_config config = b->config;
	_cleanup_(engine_freep) struct engine *e = NULL;

	config.silences = &silences;
	assert_int_equal(engine_new(&config, &e, NULL), 0);
	feed(e, "unit.failed_bool", &db, 1, 0);
	feed(e, "unit.failed_bool", &db, 1, 599);
	assert_int_equal(engine_stats(e)->incidents, 0);
	feed(e, "unit.failed_bool", &db, 1, 600);
	assert_int_equal(engine_stats(e)->incidents, 1);
}

static void what_is_for_information_opens_no_incident(void **state)
{
	const struct brain *b = *state;
	const struct entity db = entity_make(ENTITY_KIND_UNIT, "db.service");
	_cleanup_(engine_freep) struct engine *e = NULL;

	assert_int_equal(engine_new(&b->config, &e, NULL), 0);
	for (uint64_t t = 0; t < 20; t++)
		feed(e, "unit.memory_pressure_full_pct", &db, 90, t);
	assert_int_equal(e->n_firing, 1);
	assert_int_equal(engine_stats(e)->incidents, 0);
	assert_int_equal(engine_stats(e)->events, 0);
	/* With an incident it is told. */
	feed(e, "unit.failed_bool", &db, 1, 21);
	feed(e, "unit.failed_bool", &db, 1, 22);
	assert_int_equal(engine_stats(e)->incidents, 1);
	assert_int_equal(engine_stats(e)->events, 2);
}

static void a_disk_of_the_host_needs_no_service(void **state)
{
	const struct brain *b = *state;
	const struct entity root = entity_make(ENTITY_KIND_MOUNT, "/");
	_cleanup_(engine_freep) struct engine *e = NULL;

	assert_int_equal(engine_new(&b->config, &e, NULL), 0);
	for (uint64_t t = 0; t < 6; t++)
		feed(e, "mount.used_ratio", &root, 0.98, 10 * t);
	assert_int_equal(engine_stats(e)->incidents, 1);
	assert_int_equal(engine_configure(e, &b->config, NULL), 0);
	assert_int_equal(engine_stats(e)->open, 1);
}

/* A reload keeps the points of what stays, also behind what goes. */
static void windows_go_on_over_a_reload(void **state)
{
	const struct brain *b = *state;
	const struct entity db = entity_make(ENTITY_KIND_UNIT, "db.service");
	struct alerts few = b->alerts;
	struct engine_config config = b->config;
	_cleanup_(engine_freep) struct engine *e = NULL;
	uint32_t windows, points;

	assert_int_equal(engine_new(&config, &e, NULL), 0);
	for (uint64_t t = 0; t < 300; t++) {
		feed(e, "unit.restarts_count", &db, (double)(t / 100), t);
		feed(e, "unit.cpu_usage_pct", &db, 5, t);
		feed(e, "unit.oom_kills_count", &db, 0, t);
	}
	windows = e->n_windows;
	points = e->n_points;
	assert_int_equal(engine_configure(e, &config, NULL), 0);
	assert_int_equal(e->n_windows, windows);
	assert_int_equal(e->n_points, points);
	few.n = b->alerts.n - 5; /* the last by name: those of units */
	config.alerts = &few;
	assert_int_equal(engine_configure(e, &config, NULL), 0);
	assert_true(e->n_windows < windows && e->n_points < points);
	/* The fourth restart within ten minutes, with those from before the reload. */
	assert_int_equal(engine_configure(e, &b->config, NULL), 0);
	for (uint64_t t = 300; t < 420; t++)
		feed(e, "unit.restarts_count", &db, 4, t);
	for (uint32_t i = 0; i < e->n_windows; i++)
		assert_true(e->windows[i].points.points == &e->points[e->windows[i].first]);
}

static void a_series_costs_what_it_looks_at(void **state)
{
	const struct brain *b = *state;
	const struct entity db = entity_make(ENTITY_KIND_UNIT, "db.service");
	_cleanup_(engine_freep) struct engine *e = NULL;

	assert_int_equal(engine_new(&b->config, &e, NULL), 0);
	feed(e, "unit.failed_bool", &db, 0, 0);
	assert_int_equal(e->n_windows, 1);
	assert_int_equal(e->n_points, 1);
	assert_true(sizeof(struct window) <= 512);
	/* Nobody looks at this one. */
	feed(e, "unit.io_read_bytes_per_s", &db, 0, 1);
	assert_int_equal(e->n_windows, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_silenced_is_told_when_that_ends),
		cmocka_unit_test(what_is_for_information_opens_no_incident),
		cmocka_unit_test(a_disk_of_the_host_needs_no_service),
		cmocka_unit_test(windows_go_on_over_a_reload),
		cmocka_unit_test(a_series_costs_what_it_looks_at),
	};

	return cmocka_run_group_tests(tests, brain_setup, brain_teardown);
}
