/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/agent/rollup.o */
#include "agent/rollup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct sent {
	unsigned n_batches, n;
	struct rollup last;
};

static void on_batch(void *userdata, const struct rollups *batch)
{
	struct sent *s = userdata;

	assert_true(batch->n > 0 && batch->n <= FRAME_ROLLUPS_MAX);
	s->n_batches++;
	s->n += batch->n;
	s->last = batch->v[batch->n - 1];
}

static int setup(void **state)
{
	struct rollup_table *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	assert_int_equal(rollup_init(t, NULL), 0);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	rollup_done(*state);
	free(*state);
	return 0;
}

static void add(struct rollup_table *t, const char *unit, double value, uint64_t t_ns)
{
	struct sample s = { .value = value, .t_ns = t_ns, .source = SOURCE_CGROUP };

	(void)str_copy(s.signal, sizeof(s.signal), "unit.cpu_usage_pct");
	s.entity = entity_make(ENTITY_KIND_UNIT, unit);
	rollup_add(t, &s, 19 * US_PER_S); /* is of the ten seconds from 10 on */
}

static void aggregates_ten_seconds(void **state)
{
	struct rollup_table *t = *state;
	struct sent sent = { 0 };

	add(t, "a.service", 5, 1);
	add(t, "a.service", -1, 2);
	add(t, "a.service", 2, 3);
	rollup_flush(t, 4, on_batch, &sent);
	assert_int_equal(sent.n, 1);
	assert_int_equal(sent.last.n, 3);
	assert_float_equal(sent.last.min, -1, 1e-9);
	assert_float_equal(sent.last.max, 5, 1e-9);
	assert_float_equal(sent.last.sum, 6, 1e-9);
	assert_float_equal(sent.last.last, 2, 1e-9);
	assert_int_equal(sent.last.wall_us, 10 * US_PER_S);
}

static void each_second_of_the_last_minute_is_remembered(void **state)
{
	struct rollup_table *t = *state;
	double v = 0;

	add(t, "a.service", 1, 100 * NS_PER_S);
	add(t, "a.service", 2, 100 * NS_PER_S + 1);
	add(t, "a.service", 3, 103 * NS_PER_S);
	assert_true(series_value_at(&t->v[0], 100, &v) && v == 2);
	assert_false(series_value_at(&t->v[0], 101, &v));
	assert_true(series_value_at(&t->v[0], 103, &v) && v == 3);
	assert_false(series_value_at(&t->v[0], 104, &v));
	add(t, "a.service", 4, 100 * NS_PER_S); /* late: of no second */
	assert_true(series_value_at(&t->v[0], 103, &v) && v == 3);
	add(t, "a.service", 5, 160 * NS_PER_S);
	assert_false(series_value_at(&t->v[0], 100, &v));
	assert_true(series_value_at(&t->v[0], 103, &v) && v == 3);
	add(t, "a.service", 6, 1000 * NS_PER_S);
	assert_false(series_value_at(&t->v[0], 160, &v));
	assert_false(series_value_at(&t->v[0], 999, &v));
}

static void starts_anew_and_sends_nothing_when_nothing_came(void **state)
{
	struct rollup_table *t = *state;
	struct sent sent = { 0 };

	add(t, "a.service", 5, 1);
	rollup_flush(t, 2, on_batch, &sent);
	rollup_flush(t, 3, on_batch, &sent);
	assert_int_equal(sent.n, 1);
	add(t, "a.service", 1, 4);
	rollup_flush(t, 5, on_batch, &sent);
	assert_float_equal(sent.last.max, 1, 1e-9);
	assert_int_equal(sent.last.n, 1);
}

static void keeps_entities_apart_and_is_bounded(void **state)
{
	struct rollup_table *t = *state;
	struct sent sent = { 0 };

	for (unsigned i = 0; i < ROLLUP_SERIES_MAX + 7; i++) {
		char unit[32] = "";

		str_append(unit, sizeof(unit), "u%u.service", i);
		add(t, unit, i, 1);
	}
	assert_int_equal(t->n, ROLLUP_SERIES_MAX);
	assert_int_equal(t->n_refused, 7);
	add(t, "u3.service", 9, 2); /* one that is there still counts */
	rollup_flush(t, 3, on_batch, &sent);
	assert_int_equal(sent.n, ROLLUP_SERIES_MAX);
	assert_int_equal(sent.n_batches, ROLLUP_SERIES_MAX / FRAME_ROLLUPS_MAX);
}

static void forgets_what_is_idle_and_finds_the_rest(void **state)
{
	struct rollup_table *t = *state;
	struct sent sent = { 0 };

	add(t, "old.service", 1, 1);
	add(t, "a.service", 1, ROLLUP_IDLE_NS);
	add(t, "b.service", 1, ROLLUP_IDLE_NS);
	rollup_flush(t, ROLLUP_IDLE_NS + 2, on_batch, &sent);
	assert_int_equal(t->n, 2);
	add(t, "b.service", 1, ROLLUP_IDLE_NS + 3);
	add(t, "a.service", 1, ROLLUP_IDLE_NS + 3);
	assert_int_equal(t->n, 2);
	add(t, "old.service", 1, ROLLUP_IDLE_NS + 4);
	assert_int_equal(t->n, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(aggregates_ten_seconds, setup, teardown),
		cmocka_unit_test_setup_teardown(each_second_of_the_last_minute_is_remembered, setup,
						teardown),
		cmocka_unit_test_setup_teardown(starts_anew_and_sends_nothing_when_nothing_came,
						setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_entities_apart_and_is_bounded, setup,
						teardown),
		cmocka_unit_test_setup_teardown(forgets_what_is_idle_and_finds_the_rest, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
