/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: gen/registry_rule.o selftests/unit/brain.o */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "engine/state.h"
#include "selftests/unit/brain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_NS      (500 * NS_PER_S)
#define WALL_US     UINT64_C(1764000000000000)
#define CHECKSUM_AT 8
#define COVERED_AT  16

static struct brain *brain;
static uint8_t good[ENGINE_SAVE_MAX], bad[ENGINE_SAVE_MAX];
static size_t good_size;

static void sample(struct engine *e, const char *signal, const char *unit, double value)
{
	struct sample s = { .t_ns = NOW_NS, .value = value };

	(void)str_copy(s.signal, sizeof(s.signal), signal);
	s.entity = entity_make(ENTITY_KIND_UNIT, unit);
	s.source = SOURCE_SYSTEMD;
	s.provenance = PROVENANCE_SYSTEM;
	engine_sample(e, &s, WALL_US);
}

/* The state of an engine with two open incidents. */
static void prepare(void)
{
	_cleanup_(engine_freep) struct engine *e = NULL;
	void *state = NULL;
	ssize_t n;

	if (brain)
		return;
	assert(brain_setup(&state) == 0);
	brain = state;
	assert(engine_new(&brain->config, &e, NULL) == 0);
	sample(e, "unit.failed_bool", "api.service", 1);
	sample(e, "unit.failed_bool", "db.service", 1);
	engine_tick(e, NOW_NS + NS_PER_S, WALL_US);
	n = engine_save(e, good, sizeof(good));
	assert(n > 0);
	good_size = (size_t)n;
}

/* FNV-1a, as engine/save.c: whoever may write the file could do that, too. */
static void seal(uint8_t *state, size_t size)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = COVERED_AT; i < size; i++)
		h = (h ^ state[i]) * UINT64_C(1099511628211);
	memcpy(state + CHECKSUM_AT, &h, sizeof(h));
}

/* (two bytes of position, byte) triples over the good state. */
static void lay_over(const uint8_t *data, size_t size)
{
	memcpy(bad, good, good_size);
	for (size_t i = 0; i + 2 < size; i += 3) {
		size_t at = (size_t)(data[i] << 8 | data[i + 1]);

		bad[COVERED_AT + at % (good_size - COVERED_AT)] = data[i + 2];
	}
	seal(bad, good_size);
}

static void live_on(struct engine *e)
{
	static struct command c;
	static struct record records[ENGINE_INCIDENTS_MAX + ENGINE_CLOSED_MAX];

	for (unsigned i = 1; i < 20; i++) {
		sample(e, "unit.failed_bool", "api.service", i & 1);
		engine_tick(e, NOW_NS + i * 7 * NS_PER_S, WALL_US + i);
		while (engine_next_command(e, &c))
			assert(c.kind != COMMAND_EMIT || record_check(&c.record, NULL) == 0);
	}
	assert(engine_list_incidents(e, records, ELEMENTSOF(records)) <= ELEMENTSOF(records));
	assert(engine_save(e, bad, sizeof(bad)) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(engine_freep) struct engine *e = NULL;

	prepare();
	lay_over(data, size);
	assert(engine_new(&brain->config, &e, NULL) == 0);
	if (engine_restore(e, bad, good_size, NOW_NS, NULL) == 0)
		live_on(e);
	return 0;
}
