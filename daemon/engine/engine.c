/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"

uint64_t engine_new_id(struct engine *e)
{
	e->last_id = e->wall_us > e->last_id ? e->wall_us : e->last_id + 1;
	return e->last_id;
}

struct command *engine_push(struct engine *e, enum command_kind kind)
{
	struct command *c;

	if (e->n_commands == ENGINE_COMMANDS_MAX) {
		e->stats.commands_dropped++;
		return NULL;
	}
	c = &e->commands[(e->first_command + e->n_commands++) % ENGINE_COMMANDS_MAX];
	memset(c, 0, sizeof(*c));
	c->kind = kind;
	return c;
}

struct record *engine_emit_with(struct engine *e, enum record_kind kind, uint64_t id,
				uint64_t parent_id, uint64_t incident_id)
{
	struct command *c = engine_push(e, COMMAND_EMIT);
	struct record *r = c ? &c->record : memset(&e->scratch, 0, sizeof(e->scratch));

	r->id = id;
	r->parent_id = parent_id;
	r->incident_id = incident_id;
	r->kind = kind;
	r->t_ns = e->now_ns;
	r->wall_us = e->wall_us;
	return r;
}

struct record *engine_emit(struct engine *e, const struct slot *s, enum record_kind kind)
{
	struct record *r = engine_emit_with(e, kind, engine_new_id(e), s->last_id, s->id);

	r->entity = s->entity;
	return r;
}

/* Time never goes back, whoever delivers late. */
static void set_time(struct engine *e, uint64_t now_ns, uint64_t wall_us)
{
	if (now_ns > e->now_ns)
		e->now_ns = now_ns;
	if (wall_us)
		e->wall_us = wall_us;
}

int engine_new(const struct engine_config *config, struct engine **ret, struct err *reterr)
{
	_cleanup_(engine_freep) struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		return err_set(reterr, -ENOMEM, "allocate engine: Cannot allocate memory");
	for (size_t i = 0; i < ELEMENTSOF(e->slots); i++)
		e->slots[i].items = e->items[i];
	e->config = *config;
	perceive_configure(e);
	*ret = TAKE_PTR(e);
	return 0;
}

struct engine *engine_free(struct engine *e)
{
	free(e);
	return NULL;
}

/* An incident whose unit is no longer managed is nobody's business any more. */
static void close_unmanaged(struct engine *e)
{
	for (size_t i = 0; i < ELEMENTSOF(e->slots); i++) {
		struct slot *s = &e->slots[i];

		if (s->stage == STAGE_FREE || s->stage == STAGE_ACT || s->stage == STAGE_REVERT)
			continue;
		if (!correlate_is_managed(e, &s->entity))
			incident_close(e, s, INCIDENT_STATE_CLEARED, "it is no longer managed");
	}
}

int engine_configure(struct engine *e, const struct engine_config *config, struct err *reterr)
{
	(void)reterr;
	e->config = *config;
	perceive_configure(e);
	close_unmanaged(e);
	return 0;
}

void engine_sample(struct engine *e, const struct sample *s, uint64_t wall_us)
{
	e->stats.samples++;
	/* A time far ahead would hold up everything that waits for one. */
	if (e->now_ns && s->t_ns > e->now_ns && s->t_ns - e->now_ns > 3600 * NS_PER_S)
		return;
	set_time(e, s->t_ns, wall_us);
	perceive_sample(e, s);
}

void engine_evidence(struct engine *e, const struct inspect_item *item, uint64_t now_ns,
		     uint64_t wall_us)
{
	set_time(e, now_ns, wall_us);
	collect_item(e, item);
	lease_item(e, item);
}

void engine_inspected(struct engine *e, const struct inspect_done *done, uint64_t now_ns,
		      uint64_t wall_us)
{
	set_time(e, now_ns, wall_us);
	collect_done(e, done);
}

static struct slot *find_key(struct engine *e, const char *key)
{
	for (size_t i = 0; i < ELEMENTSOF(e->slots); i++)
		if (e->slots[i].stage != STAGE_FREE && e->slots[i].key[0] &&
		    str_equal(e->slots[i].key, key))
			return &e->slots[i];
	return NULL;
}

void engine_attempt(struct engine *e, const struct attempt_update *u, uint64_t now_ns,
		    uint64_t wall_us)
{
	struct slot *s;

	set_time(e, now_ns, wall_us);
	s = find_key(e, u->attempt.key);
	/* The executor was given up on, but here it is. */
	if (s && s->stage == STAGE_REST && execute_is_unsettled(s))
		s->stage = STAGE_ACT;
	/* Its time may be over before it is judged: then there is nothing left to undo. */
	if (s && s->stage == STAGE_VERIFY && lease_update(e, u))
		s->revertible = s->revertible && u->attempt.phase != ATTEMPT_PHASE_REVERTED;
	else if (s && s->stage != STAGE_REST && s->stage != STAGE_WAIT)
		execute_update(e, s, u);
	else
		(void)lease_update(e, u);
}

static void slot_due(struct engine *e, struct slot *s)
{
	switch (s->stage) {
	case STAGE_FREE:
	case STAGE_REST:
	case STAGE_LEFT:
	case _STAGE_MAX:
		s->due_ns = CLOCK_NEVER_NS;
		return;
	case STAGE_SETTLE:
	case STAGE_WAIT:
		collect_start(e, s);
		return;
	case STAGE_COLLECT:
		collect_deadline(e, s);
		return;
	case STAGE_ACT:
	case STAGE_REVERT:
		execute_due(e, s);
		return;
	case STAGE_VERIFY:
		verify_step(e, s);
		return;
	}
}

void engine_tick(struct engine *e, uint64_t now_ns, uint64_t wall_us)
{
	set_time(e, now_ns, wall_us);
	perceive_tick(e);
	correlate_tick(e);
	for (size_t i = 0; i < ELEMENTSOF(e->slots); i++)
		if (e->slots[i].stage != STAGE_FREE && e->slots[i].due_ns <= e->now_ns)
			slot_due(e, &e->slots[i]);
	lease_tick(e);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t engine_next_ns(const struct engine *e)
{
	uint64_t next = earlier(perceive_next_ns(e), lease_next_ns(e));

	for (size_t i = 0; i < ELEMENTSOF(e->slots); i++)
		if (e->slots[i].stage != STAGE_FREE)
			next = earlier(next, e->slots[i].due_ns);
	return next;
}

bool engine_next_command(struct engine *e, struct command *ret)
{
	if (e->n_commands == 0) {
		e->first_command = 0; /* the front of the array stays the warm part of it */
		return false;
	}
	*ret = e->commands[e->first_command];
	e->first_command = (e->first_command + 1) % ENGINE_COMMANDS_MAX;
	e->n_commands--;
	return true;
}

const struct engine_stats *engine_stats(const struct engine *e)
{
	return &e->stats;
}

static void fill_record(const struct engine *e, const struct slot *s, struct record *ret)
{
	*ret = (struct record){
		.id = s->id,
		.incident_id = s->id,
		.kind = RECORD_KIND_INCIDENT,
		.t_ns = e->now_ns,
		.wall_us = e->wall_us,
		.entity = s->entity,
	};
	ret->incident = s->incident;
}

/* Copies the slots whose incident is open, or those whose is not. */
static size_t list_slots(const struct engine *e, bool open, struct record *ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < ELEMENTSOF(e->slots) && n < max; i++)
		if (e->slots[i].stage != STAGE_FREE &&
		    incident_state_is_open(e->slots[i].incident.state) == open)
			fill_record(e, &e->slots[i], &ret[n++]);
	return n;
}

size_t engine_list_incidents(const struct engine *e, struct record *ret, size_t max)
{
	size_t n = list_slots(e, true, ret, max);

	n += list_slots(e, false, ret + n, max - n);
	for (uint32_t i = 0; i < e->n_closed && i < ENGINE_CLOSED_MAX && n < max; i++)
		ret[n++] = e->closed[(e->n_closed - 1 - i) % ENGINE_CLOSED_MAX];
	return n;
}
