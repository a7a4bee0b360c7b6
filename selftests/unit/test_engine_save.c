/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: gen/registry_rule.o selftests/unit/brain.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/state.h"
#include "selftests/unit/brain.h"

#define NOW_NS  (500 * NS_PER_S)
#define WALL_US UINT64_C(1764000000000000)

static uint8_t saved[ENGINE_SAVE_MAX];

static struct engine *new_engine(void **state)
{
	const struct brain *b = *state;
	struct engine *e = NULL;

	assert_int_equal(engine_new(&b->config, &e, NULL), 0);
	return e;
}

/* An engine with one open incident: api.service failed. */
static struct engine *with_incident(void **state)
{
	struct engine *e = new_engine(state);
	struct sample s = { .signal = "unit.failed_bool",
			    .entity = { ENTITY_KIND_UNIT, "api.service" },
			    .source = SOURCE_SYSTEMD,
			    .provenance = PROVENANCE_SYSTEM,
			    .t_ns = NOW_NS,
			    .value = 1 };

	engine_sample(e, &s, WALL_US);
	assert_int_equal(engine_stats(e)->open, 1);
	return e;
}

static void brings_back_an_open_incident(void **state)
{
	_cleanup_(engine_freep) struct engine *one = with_incident(state), *two = new_engine(state);
	ssize_t size = engine_save(one, saved, sizeof(saved));
	struct record a, b;

	assert_true(size > 0);
	assert_int_equal(engine_restore(two, saved, (size_t)size, NOW_NS, NULL), 0);
	assert_int_equal(engine_list_incidents(one, &a, 1), 1);
	assert_int_equal(engine_list_incidents(two, &b, 1), 1);
	assert_int_equal(a.id, b.id);
	assert_memory_equal(&a.incident, &b.incident, sizeof(a.incident));
	assert_true(engine_next_ns(two) < CLOCK_NEVER_NS);
}

static void gives_no_id_twice_after_a_restart(void **state)
{
	_cleanup_(engine_freep) struct engine *one = with_incident(state), *two = new_engine(state);
	ssize_t size = engine_save(one, saved, sizeof(saved));

	assert_int_equal(engine_restore(two, saved, (size_t)size, NOW_NS, NULL), 0);
	two->wall_us = 1; /* the clock was set back meanwhile */
	assert_true(engine_new_id(two) > one->last_id);
}

static void does_not_clear_before_values_have_come(void **state)
{
	_cleanup_(engine_freep) struct engine *one = with_incident(state), *two = new_engine(state);
	ssize_t size = engine_save(one, saved, sizeof(saved));

	assert_int_equal(engine_restore(two, saved, (size_t)size, NOW_NS, NULL), 0);
	engine_tick(two, NOW_NS + NS_PER_S, WALL_US);
	assert_int_equal(engine_stats(two)->open, 1);
	engine_tick(two, NOW_NS + 20 * NS_PER_S, WALL_US);
	assert_int_equal(engine_stats(two)->open, 0);
}

static void refuses_every_cut_of_a_state(void **state)
{
	_cleanup_(engine_freep) struct engine *one = with_incident(state), *two = new_engine(state);
	ssize_t size = engine_save(one, saved, sizeof(saved));

	for (ssize_t n = 0; n < size; n += n < 200 ? 1 : 97)
		assert_int_equal(engine_restore(two, saved, (size_t)n, NOW_NS, NULL), -EBADMSG);
	assert_int_equal(engine_stats(two)->open, 0);
}

static void refuses_every_flipped_byte(void **state)
{
	_cleanup_(engine_freep) struct engine *one = with_incident(state), *two = new_engine(state);
	ssize_t size = engine_save(one, saved, sizeof(saved));

	for (ssize_t n = 0; n < size; n += n < 200 ? 1 : 97) {
		saved[n] ^= 0x20;
		assert_int_equal(engine_restore(two, saved, (size_t)size, NOW_NS, NULL), -EBADMSG);
		saved[n] ^= 0x20;
	}
	assert_int_equal(engine_restore(two, saved, (size_t)size, NOW_NS, NULL), 0);
}

static void says_when_the_buffer_is_too_small(void **state)
{
	_cleanup_(engine_freep) struct engine *one = with_incident(state);

	assert_int_equal(engine_save(one, saved, 16), -ENOSPC);
	assert_int_equal(engine_save(one, saved, 300), -ENOSPC);
}

static void fits_when_everything_is_full(void **state)
{
	_cleanup_(engine_freep) struct engine *e = new_engine(state);

	for (size_t i = 0; i < ENGINE_INCIDENTS_MAX; i++)
		e->slots[i].stage = STAGE_REST;
	for (size_t i = 0; i < ENGINE_LEASES_MAX; i++)
		e->leases[i].used = true;
	for (size_t i = 0; i < ENGINE_BREAKERS_MAX; i++)
		e->breakers[i].unit[0] = 'x';
	e->n_learnt = RUNBOOKS_MAX;
	assert_true(engine_save(e, saved, ENGINE_SAVE_MAX) > 0);
}

static void keeps_windows_and_incidents_over_a_reload(void **state)
{
	const struct brain *b = *state;
	_cleanup_(engine_freep) struct engine *e = with_incident(state);

	assert_int_equal(engine_configure(e, &b->config, NULL), 0);
	engine_tick(e, NOW_NS + NS_PER_S, WALL_US);
	assert_int_equal(engine_stats(e)->open, 1);
	assert_int_equal(e->n_firing, 1);
}

static void closes_what_is_no_longer_managed(void **state)
{
	const struct brain *b = *state;
	_cleanup_(engine_freep) struct engine *e = with_incident(state);
	struct services none = { 0 };
	struct engine_config config = b->config;

	config.services = &none;
	assert_int_equal(engine_configure(e, &config, NULL), 0);
	assert_int_equal(engine_stats(e)->open, 0);
	assert_int_equal(e->n_firing, 0);
	assert_int_equal(e->n_signals, 0);
}

static void drops_and_counts_when_nobody_takes_its_commands(void **state)
{
	_cleanup_(engine_freep) struct engine *e = with_incident(state);
	struct sample s = { .signal = "unit.failed_bool",
			    .entity = { ENTITY_KIND_UNIT, "api.service" },
			    .t_ns = NOW_NS };
	struct command c;
	unsigned n = 0;

	for (unsigned i = 0; i < 4000; i++) {
		s.t_ns += 100 * NS_PER_MS;
		s.value = i % 2;
		engine_sample(e, &s, WALL_US + i);
		engine_tick(e, s.t_ns, WALL_US + i);
	}
	assert_true(engine_stats(e)->commands_dropped > 0);
	while (engine_next_command(e, &c))
		n++;
	assert_int_equal(n, ENGINE_COMMANDS_MAX);
}

static void ignores_a_time_far_ahead(void **state)
{
	_cleanup_(engine_freep) struct engine *e = with_incident(state);
	struct sample s = { .signal = "unit.failed_bool",
			    .entity = { ENTITY_KIND_UNIT, "api.service" },
			    .t_ns = UINT64_MAX - 5 };

	engine_sample(e, &s, WALL_US);
	assert_int_equal(e->now_ns, NOW_NS);
	assert_int_equal(engine_stats(e)->open, 1);
}

/* In the middle of a verdict: with the clock of before the restart it would stand at the wrong time. */
static void tells_nothing_while_it_restores(void **state)
{
	_cleanup_(engine_freep) struct engine *one = with_incident(state), *two = new_engine(state);
	struct command c;
	ssize_t size;

	one->slots[0].stage = STAGE_VERIFY;
	size = engine_save(one, saved, sizeof(saved));
	assert_int_equal(engine_restore(two, saved, (size_t)size, NOW_NS, NULL), 0);
	assert_int_equal(two->slots[0].stage, STAGE_VERIFY);
	assert_false(engine_next_command(two, &c));
}

static void an_attempt_never_goes_back_on_record(void **state)
{
	static const enum attempt_phase phases[] = { ATTEMPT_PHASE_SNAPSHOT, ATTEMPT_PHASE_CLAIMED,
						     ATTEMPT_PHASE_SNAPSHOT,
						     ATTEMPT_PHASE_APPLIED };
	_cleanup_(engine_freep) struct engine *e = with_incident(state);
	struct attempt_update u = { .attempt = { .key = "k", .action = "unit.start" } };
	struct command c;
	unsigned n = 0;

	e->slots[0].stage = STAGE_ACT;
	e->slots[0].counted = true;
	for (size_t i = 0; i < ELEMENTSOF(phases); i++) {
		u.attempt.phase = phases[i];
		execute_update(e, &e->slots[0], &u);
	}
	while (engine_next_command(e, &c))
		n += c.kind == COMMAND_EMIT && c.record.kind == RECORD_KIND_ATTEMPT;
	assert_int_equal(n, 2);
	assert_int_equal(e->slots[0].phase, ATTEMPT_PHASE_APPLIED);
}

/* A state with one of each, whose checksum fits whatever is changed in it. */
static size_t save_one_of_each(void **state)
{
	_cleanup_(engine_freep) struct engine *e = with_incident(state);
	struct slot *s = &e->slots[0];
	ssize_t size;

	s->stage = STAGE_ACT;
	(void)str_copy(s->key, sizeof(s->key), "0123456789abcdef0123456789abcdef");
	e->leases[0].used = true;
	e->leases[0].root = s->entity;
	(void)str_copy(e->leases[0].key, sizeof(s->key), "00000000000000000000000000000001");
	(void)str_copy(e->breakers[0].unit, sizeof(e->breakers[0].unit), "api.service");
	e->breakers[0].n = 1;
	(void)str_copy(e->learnt[0].runbook, sizeof(e->learnt[0].runbook), "service-crashed");
	e->n_learnt = 1;
	size = engine_save(e, saved, sizeof(saved));
	assert_true(size > 0);
	return (size_t)size;
}

static void seal(size_t size)
{
	size_t covered = offsetof(struct save_head, version);
	uint64_t sum = save_checksum(saved + covered, size - covered);

	memcpy(saved + offsetof(struct save_head, checksum), &sum, sizeof(sum));
}

/* Restores and lives on for a while: nothing may come out that is no record. */
static bool lives_on(void **state, size_t size)
{
	_cleanup_(engine_freep) struct engine *e = new_engine(state);
	struct sample sample = { .signal = "unit.failed_bool",
				 .entity = { ENTITY_KIND_UNIT, "api.service" },
				 .source = SOURCE_SYSTEMD,
				 .provenance = PROVENANCE_SYSTEM };
	struct command c;

	if (engine_restore(e, saved, size, NOW_NS, NULL) < 0)
		return false;
	for (unsigned i = 1; i <= 12; i++) {
		struct err err = { 0 };

		sample.t_ns = NOW_NS + i * 10 * NS_PER_S;
		sample.value = i % 3 == 0;
		engine_sample(e, &sample, WALL_US + i);
		engine_tick(e, sample.t_ns, WALL_US + i);
		while (engine_next_command(e, &c))
			if (c.kind == COMMAND_EMIT && record_check(&c.record, &err) < 0)
				fail_msg("%s", err_text(&err));
	}
	return true;
}

static void lives_with_every_byte_of_its_state_changed(void **state)
{
	size_t size = save_one_of_each(state), n_taken = 0;

	for (size_t i = sizeof(struct save_head); i < size; i++) {
		uint8_t before = saved[i];

		saved[i] = (uint8_t)(i % 2 ? 0xff : before + 1);
		seal(size);
		n_taken += lives_on(state, size);
		saved[i] = before;
	}
	assert_int_equal(n_taken, size - sizeof(struct save_head));
}

static void leaves_out_what_it_could_not_have_written(void **state)
{
	static const struct {
		size_t offset, size;
		uint8_t byte;
	} rows[] = {
		{ offsetof(struct slot, alerts), RULE_NAME_MAX, 'x' }, /* no end */
		{ offsetof(struct slot, hold_by), RULE_NAME_MAX, 'x' },
		{ offsetof(struct slot, after_revert), RECORD_TEXT_MAX, 'x' },
		{ offsetof(struct slot, verify_signal), SIGNAL_NAME_MAX, 'x' },
		{ offsetof(struct slot, incident.reason), RECORD_TEXT_MAX, 'x' },
		{ offsetof(struct slot, plan.undo_text), 160, 'x' },
		{ offsetof(struct slot, key), STR_HEX128_MAX - 1, 'x' },
		{ offsetof(struct slot, n_alerts), 4, 0xff },
		{ offsetof(struct slot, phase), 4, 0x7f },
		{ offsetof(struct slot, told_opened), 1, 2 },
		{ offsetof(struct slot, was_bad), 1, 2 },
		{ offsetof(struct slot, done_ns), 8, 0x7f },
		{ offsetof(struct slot, before), 8, 0xff }, /* not a number */
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		_cleanup_(engine_freep) struct engine *e = new_engine(state);
		size_t size = save_one_of_each(state);

		memset(saved + sizeof(struct save_head) + rows[i].offset, rows[i].byte,
		       rows[i].size);
		seal(size);
		assert_int_equal(engine_restore(e, saved, size, NOW_NS, NULL), 0);
		assert_int_equal(e->slots[0].stage, STAGE_FREE);
		assert_ptr_equal(e->slots[0].items, e->items[0]);
		assert_true(e->leases[0].used && e->breakers[0].n == 1 && e->n_learnt == 1);
	}
}

static void refuses_an_id_that_no_history_can_hold(void **state)
{
	_cleanup_(engine_freep) struct engine *e = new_engine(state);
	size_t size = save_one_of_each(state);

	memset(saved + offsetof(struct save_head, last_id), 0xff, sizeof(uint64_t));
	seal(size);
	assert_int_equal(engine_restore(e, saved, size, NOW_NS, NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(brings_back_an_open_incident),
		cmocka_unit_test(gives_no_id_twice_after_a_restart),
		cmocka_unit_test(does_not_clear_before_values_have_come),
		cmocka_unit_test(refuses_every_cut_of_a_state),
		cmocka_unit_test(refuses_every_flipped_byte),
		cmocka_unit_test(says_when_the_buffer_is_too_small),
		cmocka_unit_test(fits_when_everything_is_full),
		cmocka_unit_test(keeps_windows_and_incidents_over_a_reload),
		cmocka_unit_test(closes_what_is_no_longer_managed),
		cmocka_unit_test(drops_and_counts_when_nobody_takes_its_commands),
		cmocka_unit_test(ignores_a_time_far_ahead),
		cmocka_unit_test(tells_nothing_while_it_restores),
		cmocka_unit_test(lives_with_every_byte_of_its_state_changed),
		cmocka_unit_test(leaves_out_what_it_could_not_have_written),
		cmocka_unit_test(refuses_an_id_that_no_history_can_hold),
		cmocka_unit_test(an_attempt_never_goes_back_on_record),
	};

	return cmocka_run_group_tests(tests, brain_setup, brain_teardown);
}
