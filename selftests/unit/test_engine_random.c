/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: gen/registry_rule.o selftests/unit/brain.o */
/* Whatever comes in, and in whatever order: what must never happen does not. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/state.h"
#include "selftests/unit/brain.h"

#define SEQUENCES 200
#define STEPS     1500
#define KEYS_MAX  512
#define ASKED_MAX 512
#define WALL_US   UINT64_C(1764000000000000)

static const char *const units[] = { "api.service", "db.service", "dbus.service", "ssh.service",
				     "burner.service" };

struct asked_for {
	uint64_t id;
	struct entity entity;
	char inspector[RULE_NAME_MAX];
};

struct world {
	struct engine *engine;
	const struct brain *brain;
	uint64_t seed, now_ns;
	struct asked_for asked[ASKED_MAX];
	unsigned n_asked, n_keys, n_proposals, mood;
	char keys[KEYS_MAX][STR_HEX128_MAX];
	uint32_t said[ELEMENTSOF(units)]; /* bits of sources, all time */
};

/* xorshift64*. Source: Vigna, An experimental exploration of Marsaglia's xorshift generators. */
static uint64_t roll(struct world *w, uint64_t sides)
{
	w->seed ^= w->seed >> 12;
	w->seed ^= w->seed << 25;
	w->seed ^= w->seed >> 27;
	return (w->seed * UINT64_C(2685821657736338717) >> 11) % sides;
}

static uint64_t wall(const struct world *w)
{
	return WALL_US + w->now_ns / NS_PER_US;
}

static const char *pick_unit(struct world *w)
{
	return units[roll(w, ELEMENTSOF(units))];
}

static void give_sample(struct world *w)
{
	static const struct {
		const char *signal;
		enum entity_kind kind;
		double low, high;
	} signals[] = {
		{ "unit.active_bool", ENTITY_KIND_UNIT, 0, 1 },
		{ "unit.failed_bool", ENTITY_KIND_UNIT, 0, 1 },
		{ "unit.cpu_pressure_some_pct", ENTITY_KIND_UNIT, 1, 95 },
		{ "unit.oom_kill_event", ENTITY_KIND_UNIT, 0, 4711 },
		{ "unit.exit_event", ENTITY_KIND_UNIT, 9, 1001 },
		{ "endpoint.up_bool", ENTITY_KIND_ENDPOINT, 0, 1 },
		{ "endpoint.latency_ms", ENTITY_KIND_ENDPOINT, 2, 900 },
		{ "host.memory_available_ratio", ENTITY_KIND_HOST, 0.001, 0.7 },
		{ "host.package_manager_event", ENTITY_KIND_HOST, 1, 1 },
	};
	size_t i = roll(w, ELEMENTSOF(signals) - (roll(w, 40) > 0));
	struct sample s = { .t_ns = w->now_ns - roll(w, 100) * NS_PER_MS,
			    .source = (enum source)roll(w, _SOURCE_MAX),
			    .provenance = PROVENANCE_KERNEL };

	(void)str_copy(s.signal, sizeof(s.signal), signals[i].signal);
	s.value = roll(w, 2) ? signals[i].low : signals[i].high;
	s.entity = entity_make(signals[i].kind, signals[i].kind == ENTITY_KIND_UNIT ? pick_unit(w) :
						signals[i].kind == ENTITY_KIND_ENDPOINT ?
										      "api-health" :
										      "");
	engine_sample(w->engine, &s, wall(w));
}

static void add_random_fact(struct world *w, struct evidence *e)
{
	static const struct {
		const char *name, *values[6];
	} texts[] = {
		{ "unit.active_state", { "active", "failed", "failed", "inactive", "activating" } },
		{ "unit.sub_state", { "running", "failed", "auto-restart" } },
		{ "unit.result", { "success", "signal", "signal", "exit-code", "oom-kill" } },
		{ "unit.load_state", { "loaded", "loaded", "loaded", "masked" } },
		{ "unit.restart_policy", { "no", "no", "always" } },
		{ "unit.job_pending", { "no", "no", "yes" } },
		{ "unit.freezer_state", { "running", "running", "frozen" } },
		{ "top.unit", { "burner.service", "ssh.service", "db.service", "api.service" } },
	};
	static const char *const numbers[] = {
		"exit.signal",         "exit.code",
		"oom.kills_count",     "tasks.count",
		"tasks.stopped_count", "unit.cpu_usage_pct",
		"cgroup.frozen_bool",  "pressure.cpu_some_pct",
		"runq.p99_us",         "top.cpu_share_pct",
		"top.process_cpu_pct",
	};
	size_t i = roll(w, ELEMENTSOF(texts)), n = 0;

	if (roll(w, 2)) {
		(void)evidence_add_number(e, numbers[roll(w, ELEMENTSOF(numbers))],
					  roll(w, 3) ? 90 : 0);
		return;
	}
	while (n < 6 && texts[i].values[n])
		n++;
	(void)evidence_add_text(e, texts[i].name, texts[i].values[roll(w, n)]);
}

/* What an inspector would truly say of a unit that crashed, hangs, was killed for memory or is starved:
 * noise alone seldom comes to an action. */
static void add_likely_facts(struct world *w, const struct asked_for *a, struct evidence *e)
{
	static const struct {
		const char *inspector, *fact, *text[4];
		double number[4];
	} table[] = {
		{ "unit_status",
		  "unit.active_state",
		  { "failed", "active", "failed", "active" },
		  { 0 } },
		{ "unit_status",
		  "unit.result",
		  { "signal", "success", "oom-kill", "success" },
		  { 0 } },
		{ "unit_exits", "exit.signal", { 0 }, { 9, 0, 9, 0 } },
		{ "unit_exits", "oom.kills_count", { 0 }, { 0, 0, 1, 0 } },
		{ "unit_tasks", "tasks.stopped_count", { 0 }, { 0, 3, 0, 0 } },
		{ "unit_tasks", "unit.cpu_usage_pct", { 0 }, { 0, 0, 0, 90 } },
		{ "unit_pressure", "pressure.cpu_some_pct", { 0 }, { 0, 0, 0, 90 } },
		{ "top_cpu", "top.cpu_share_pct", { 0 }, { 3, 3, 3, 90 } },
		{ "top_cpu",
		  "top.unit",
		  { "db.service", "db.service", "db.service", "burner.service" },
		  { 0 } },
	};
	static const enum source sources[] = { SOURCE_SYSTEMD, SOURCE_SYSTEMD, SOURCE_BPF,
					       SOURCE_BPF,     SOURCE_PROCFS,  SOURCE_CGROUP,
					       SOURCE_PSI,     SOURCE_CGROUP,  SOURCE_CGROUP };

	for (size_t i = 0; i < ELEMENTSOF(table); i++) {
		if (!str_equal(table[i].inspector, a->inspector))
			continue;
		e->source = sources[i];
		e->provenance = PROVENANCE_KERNEL;
		if (table[i].text[w->mood])
			(void)evidence_add_text(e, table[i].fact, table[i].text[w->mood]);
		else
			(void)evidence_add_number(e, table[i].fact, table[i].number[w->mood]);
	}
}

static void note_support(struct world *w, const struct asked_for *a, const struct evidence *e)
{
	const struct fact *top = evidence_find_fact(e, "top.unit");

	if (e->provenance == PROVENANCE_UNTRUSTED || e->source == SOURCE_JOURNAL)
		return;
	for (size_t i = 0; i < ELEMENTSOF(units); i++)
		if (str_equal(a->entity.name, units[i]) || (top && str_equal(top->text, units[i])))
			w->said[i] |= 1u << (unsigned)e->source;
}

static void answer(struct world *w)
{
	struct asked_for *a = w->n_asked ? &w->asked[roll(w, w->n_asked)] : NULL;
	struct inspect_item item = { 0 };
	struct inspect_done done = { 0 };

	if (!a)
		return;
	for (uint64_t i = roll(w, 8) ? 1 : roll(w, 3); i > 0; i--) {
		item.id = a->id;
		memset(&item.evidence, 0, sizeof(item.evidence));
		(void)str_copy(item.evidence.inspector, RULE_NAME_MAX, a->inspector);
		item.evidence.source = (enum source)roll(w, _SOURCE_MAX);
		item.evidence.provenance = (enum provenance)roll(w, _PROVENANCE_MAX);
		if (roll(w, 10))
			add_likely_facts(w, a, &item.evidence);
		for (uint64_t k = roll(w, 5) ? 0 : roll(w, 14); k > 0; k--)
			add_random_fact(w, &item.evidence);
		note_support(w, a, &item.evidence);
		engine_evidence(w->engine, &item, w->now_ns, wall(w));
	}
	if (roll(w, 8) == 0)
		return;
	done.id = a->id;
	*a = w->asked[--w->n_asked];
	engine_inspected(w->engine, &done, w->now_ns, wall(w));
}

static void give_update(struct world *w)
{
	struct attempt_update u = { 0 };

	if (w->n_keys == 0)
		return;
	(void)str_copy(u.attempt.key, sizeof(u.attempt.key), w->keys[roll(w, w->n_keys)]);
	if (roll(w, 2))
		(void)str_copy(u.attempt.key, sizeof(u.attempt.key), w->keys[w->n_keys - 1]);
	u.attempt.phase = (enum attempt_phase)roll(w, _ATTEMPT_PHASE_MAX);
	u.attempt.revertible = (uint32_t)roll(w, 2);
	u.attempt.error = roll(w, 8) ? 0 : -5;
	(void)str_copy(u.decision.by, sizeof(u.decision.by), roll(w, 2) ? "policy" : "cooldown");
	engine_attempt(w->engine, &u, w->now_ns, wall(w));
}

static unsigned unit_index(const char *name)
{
	for (unsigned i = 0; i < ELEMENTSOF(units); i++)
		if (str_equal(units[i], name))
			return i;
	fail_msg("proposed for '%s', which nobody named", name);
	return 0;
}

/* Values of our own samples are evidence about the entity too. */
static uint32_t sources_about(const struct world *w, const char *unit)
{
	uint32_t all = w->said[unit_index(unit)];

	for (uint32_t i = 0; i < w->engine->n_signals; i++)
		if (w->engine->signals[i].entity.kind == ENTITY_KIND_ENDPOINT)
			all |= 1u << (unsigned)w->engine->signals[i].source;
	return all;
}

static void check_proposal(struct world *w, const struct proposal *p)
{
	const char *target = plan_target(&p->plan);

	assert_false(policy_unit_is_protected(target));
	assert_true(p->n_sources >= 2 && p->n_trusted >= 1);
	assert_true(__builtin_popcount(sources_about(w, target)) >= 2);
	assert_string_equal(target, p->root.name);
	assert_true(p->deadline_ns > w->now_ns);
	assert_true(str_is_hex128(p->key));
	w->n_proposals++;
	for (unsigned i = 0; i < w->n_keys; i++)
		if (str_equal(w->keys[i], p->key))
			return; /* sent again, under the same name */
	assert_true(w->n_keys < KEYS_MAX);
	(void)str_copy(w->keys[w->n_keys++], STR_HEX128_MAX, p->key);
}

static void drain(struct world *w)
{
	static struct command c;
	struct err err = { 0 };

	while (engine_next_command(w->engine, &c)) {
		if (c.kind == COMMAND_EMIT && record_check(&c.record, &err) < 0)
			fail_msg("%s", err_text(&err));
		if (c.kind == COMMAND_PROPOSE)
			check_proposal(w, &c.proposal);
		if (c.kind == COMMAND_COLLECT && w->n_asked < ASKED_MAX) {
			struct asked_for *a = &w->asked[w->n_asked++];

			a->id = c.inspect.id;
			a->entity = c.inspect.entity;
			(void)str_copy(a->inspector, sizeof(a->inspector), c.inspect.inspector);
		}
	}
	assert_int_equal(engine_stats(w->engine)->commands_dropped, 0);
}

static bool in_flight(const struct slot *s)
{
	return s->stage == STAGE_ACT || s->stage == STAGE_VERIFY || s->stage == STAGE_REVERT;
}

static void check_one_writer(const struct world *w)
{
	const struct slot *slots = w->engine->slots;

	for (size_t i = 0; i < ENGINE_INCIDENTS_MAX; i++)
		for (size_t j = 0; j < i && slots[i].stage != STAGE_FREE; j++) {
			if (slots[j].stage == STAGE_FREE)
				continue;
			assert_false(entity_equal(&slots[i].entity, &slots[j].entity));
			if (in_flight(&slots[i]) && in_flight(&slots[j]))
				assert_string_not_equal(plan_target(&slots[i].plan),
							plan_target(&slots[j].plan));
		}
}

static void restart(struct world *w)
{
	static uint8_t saved[ENGINE_SAVE_MAX];
	ssize_t size = engine_save(w->engine, saved, sizeof(saved));

	assert_true(size > 0);
	w->engine = engine_free(w->engine);
	assert_int_equal(engine_new(&w->brain->config, &w->engine, NULL), 0);
	assert_int_equal(engine_restore(w->engine, saved, (size_t)size, w->now_ns, NULL), 0);
	w->n_asked = 0;
}

static void step(struct world *w)
{
	switch (roll(w, 8)) {
	case 0:
	case 1:
	case 2:
		give_sample(w);
		break;
	case 3:
	case 4:
	case 5:
		answer(w);
		break;
	case 6:
		give_update(w);
		break;
	default:
		w->mood = roll(w, 40) ? w->mood : (unsigned)roll(w, 4);
		w->now_ns += roll(w, 30) ? roll(w, 400 * NS_PER_MS) : roll(w, 60 * NS_PER_S);
		engine_tick(w->engine, w->now_ns, wall(w));
		assert_true(engine_next_ns(w->engine) > w->now_ns);
		break;
	}
	drain(w);
	check_one_writer(w);
}

static unsigned run_sequence(const struct brain *b, uint64_t seed, bool with_restarts)
{
	struct world *w = calloc(1, sizeof(*w));
	unsigned n;

	assert_non_null(w);
	w->brain = b;
	w->seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	w->now_ns = 1000 * NS_PER_S;
	w->mood = (unsigned)roll(w, 4);
	assert_int_equal(engine_new(&b->config, &w->engine, NULL), 0);
	for (unsigned i = 0; i < STEPS; i++) {
		step(w);
		if (with_restarts && roll(w, 100) == 0)
			restart(w);
	}
	n = w->n_proposals;
	w->engine = engine_free(w->engine);
	free(w);
	return n;
}

static void never_acts_on_one_source_on_the_protected_or_twice_at_once(void **state)
{
	unsigned n = 0;

	for (uint64_t seed = 1; seed <= SEQUENCES; seed++)
		n += run_sequence(*state, seed, false);
	print_message("%u proposals in %d sequences\n", n, SEQUENCES);
	assert_true(n > SEQUENCES / 4); /* the dice do get somewhere */
}

static void nor_when_the_agent_restarts_at_any_moment(void **state)
{
	unsigned n = 0;

	for (uint64_t seed = 1; seed <= SEQUENCES; seed++)
		n += run_sequence(*state, 7777 + seed, true);
	assert_true(n > 0);
}

static void the_same_input_gives_the_same_output(void **state)
{
	static uint8_t one[ENGINE_SAVE_MAX], two[ENGINE_SAVE_MAX];
	uint8_t *bytes[] = { one, two };
	ssize_t sizes[2];

	for (int i = 0; i < 2; i++) {
		struct world *w = calloc(1, sizeof(*w));

		assert_non_null(w);
		w->brain = *state;
		w->seed = 42;
		w->now_ns = 1000 * NS_PER_S;
		assert_int_equal(engine_new(&w->brain->config, &w->engine, NULL), 0);
		for (unsigned k = 0; k < STEPS; k++)
			step(w);
		sizes[i] = engine_save(w->engine, bytes[i], ENGINE_SAVE_MAX);
		w->engine = engine_free(w->engine);
		free(w);
	}
	assert_int_equal(sizes[0], sizes[1]);
	assert_memory_equal(one, two, (size_t)sizes[0]);
}

static void takes_no_memory_once_it_runs(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	size_t before;

	assert_non_null(w);
	w->brain = *state;
	w->seed = 99;
	w->now_ns = 1000 * NS_PER_S;
	assert_int_equal(engine_new(&w->brain->config, &w->engine, NULL), 0);
	before = mallinfo2().uordblks;
	for (unsigned k = 0; k < STEPS; k++)
		step(w);
	assert_int_equal(mallinfo2().uordblks, before);
	w->engine = engine_free(w->engine);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_acts_on_one_source_on_the_protected_or_twice_at_once),
		cmocka_unit_test(nor_when_the_agent_restarts_at_any_moment),
		cmocka_unit_test(the_same_input_gives_the_same_output),
		cmocka_unit_test(takes_no_memory_once_it_runs),
	};

	return cmocka_run_group_tests(tests, brain_setup, brain_teardown);
}
