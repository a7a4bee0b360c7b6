/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rounds of evidence: first about the entity, then about the unit that the first round blames. */
#include <math.h>
#include <string.h>

#include "engine/state.h"
#include "ops/inspector.h"

/* How far back evidence matters: what led to it happened before the alert fired. Ours. */
#define LOOK_BACK_NS (10 * NS_PER_S)

/* Over the 2.5 s after which the agent answers in the place of an inspector that does not. */
#define ROUND_NS (INSPECTOR_DEADLINE_NS + NS_PER_S)

/* A value older than this says nothing about now, whatever the probe's interval. Ours: ten of the
 * agent's samples. */
#define FRESH_NS (10 * NS_PER_S)

#define INSPECTOR_ENDPOINT "endpoint" /* answered from the last values, by the engine itself */
#define INSPECTOR_SIGNAL   "signal"

static bool is_own(const char *inspector)
{
	return str_equal(inspector, INSPECTOR_ENDPOINT) || str_equal(inspector, INSPECTOR_SIGNAL);
}

static void ask(struct engine *e, struct slot *s, const char *inspector,
		const struct entity *entity, bool story)
{
	struct asked *a;
	struct command *c;

	for (uint32_t i = 0; i < s->n_asked; i++)
		if (str_equal(s->asked[i].inspector, inspector) &&
		    entity_equal(&s->asked[i].entity, entity))
			return;
	if (s->n_asked == SLOT_ASKED_MAX || is_own(inspector))
		return;
	c = engine_push(e, COMMAND_COLLECT);
	if (!c)
		return;
	a = &s->asked[s->n_asked++];
	*a = (struct asked){ .id = engine_new_id(e), .entity = *entity, .story = story };
	(void)str_copy(a->inspector, sizeof(a->inspector), inspector);
	c->inspect.id = a->id;
	c->inspect.entity = *entity;
	(void)str_copy(c->inspect.inspector, sizeof(c->inspect.inspector), inspector);
	c->inspect.since_ns = s->onset_ns > LOOK_BACK_NS ? s->onset_ns - LOOK_BACK_NS : 0;
}

static void ask_clauses(struct engine *e, struct slot *s, const struct clause *clauses, uint32_t n,
			const struct entity *root)
{
	for (uint32_t i = 0; i < n; i++)
		if (clauses[i].of_root == (root != NULL))
			ask(e, s, clauses[i].inspector, root ? root : &s->entity, false);
}

static struct item *add_item(struct engine *e, struct slot *s, const struct entity *entity)
{
	struct item *item;

	if (s->n_items == SLOT_ITEMS_MAX) {
		e->stats.overflow++;
		return NULL;
	}
	item = &s->items[s->n_items++];
	memset(item, 0, sizeof(*item));
	item->entity = *entity;
	return item;
}

static void emit_item(struct engine *e, struct slot *s, struct item *item)
{
	struct record *r = engine_emit_with(e, RECORD_KIND_EVIDENCE, engine_new_id(e), s->id,
					    s->id);

	r->entity = item->entity;
	r->evidence = item->evidence;
	item->record_id = r->id;
}

static bool is_fresh(const struct engine *e, const struct signal_entry *signal)
{
	return signal && signal->t_ns + FRESH_NS >= e->now_ns;
}

/* One item per source of the values, since a source is what makes evidence independent. */
static void add_value(struct engine *e, struct slot *s, const char *inspector, const char *signal,
		      const struct entity *about)
{
	const struct signal_entry *v = perceive_latest(e, signal, about);
	struct item *item = NULL;
	char number[STR_NUMBER_MAX];

	if (!is_fresh(e, v))
		return;
	for (uint32_t i = 0; i < s->n_items && !item; i++)
		if (str_equal(s->items[i].evidence.inspector, inspector) &&
		    s->items[i].evidence.source == v->source &&
		    !evidence_find_fact(&s->items[i].evidence, signal))
			item = &s->items[i];
	if (!item) {
		item = add_item(e, s, &s->entity);
		if (!item)
			return;
		(void)str_copy(item->evidence.inspector, sizeof(item->evidence.inspector),
			       inspector);
		item->evidence.source = v->source;
		item->evidence.provenance = v->provenance;
	}
	(void)evidence_add_number(&item->evidence, signal, v->value);
	if (about->kind == ENTITY_KIND_ENDPOINT)
		str_append(item->evidence.text, sizeof(item->evidence.text), "%s%s %s=%s",
			   item->evidence.text[0] ? ", " : "", about->name, signal,
			   str_number(v->value, number));
}

static void add_endpoints(struct engine *e, struct slot *s)
{
	const struct service *service = correlate_service(e, &s->entity, NULL);

	for (uint32_t i = 0; service && i < service->n_endpoints; i++) {
		struct entity about = entity_make(ENTITY_KIND_ENDPOINT, service->endpoints[i].name);

		add_value(e, s, INSPECTOR_ENDPOINT, "endpoint.up_bool", &about);
		add_value(e, s, INSPECTOR_ENDPOINT, "endpoint.latency_ms", &about);
	}
}

static void add_signals(struct engine *e, struct slot *s, const struct clause *clauses, uint32_t n)
{
	struct entity host = entity_make(ENTITY_KIND_HOST, "");

	for (uint32_t i = 0; i < n; i++)
		if (str_equal(clauses[i].inspector, INSPECTOR_SIGNAL) && !clauses[i].of_root)
			add_value(e, s, INSPECTOR_SIGNAL, clauses[i].fact,
				  strncmp(clauses[i].fact, "host.", 5) == 0 ? &host : &s->entity);
}

static const char *const stories[] = { "journal_tail", "what_changed" };

static bool was_asked(const struct slot *s, const char *inspector)
{
	for (uint32_t i = 0; i < s->n_asked; i++)
		if (str_equal(s->asked[i].inspector, inspector))
			return true;
	return false;
}

/* A new round starts afresh, but for the story: the recorder may be slow, and what it said or still has to
 * say stays. */
static void keep_story(struct slot *s)
{
	uint32_t n_items = s->n_items, n_asked = s->n_asked;

	s->n_items = s->n_asked = 0;
	for (uint32_t i = 0; i < n_asked; i++)
		if (s->asked[i].story)
			s->asked[s->n_asked++] = s->asked[i];
	for (uint32_t i = 0; i < n_items; i++)
		if (was_asked(s, s->items[i].evidence.inspector))
			s->items[s->n_items++] = s->items[i];
}

static const struct runbook *runbook_at(const struct engine *e, uint32_t i)
{
	return i < e->config.runbooks->n ? &e->config.runbooks->v[i] : NULL;
}

/* The engine's own values first, then what is asked for. */
void collect_start(struct engine *e, struct slot *s)
{
	const struct runbook *r;
	uint32_t told;

	s->stage = STAGE_COLLECT;
	s->round = 1;
	keep_story(s);
	told = s->n_items;
	s->due_ns = e->now_ns + ROUND_NS;
	add_endpoints(e, s);
	if (s->entity.kind == ENTITY_KIND_UNIT)
		ask(e, s, "unit_status", &s->entity, false);
	for (uint32_t i = 0; (r = runbook_at(e, i)); i++) {
		if (!diagnose_is_candidate(s, r))
			continue;
		ask_clauses(e, s, r->exclude, r->n_exclude, NULL);
		ask_clauses(e, s, r->evidence, r->n_evidence, NULL);
		add_signals(e, s, r->exclude, r->n_exclude);
		add_signals(e, s, r->evidence, r->n_evidence);
	}
	for (uint32_t i = told; i < s->n_items; i++)
		emit_item(e, s, &s->items[i]);
	for (size_t i = 0; s->entity.kind == ENTITY_KIND_UNIT && i < ELEMENTSOF(stories); i++)
		ask(e, s, stories[i], &s->entity, true);
	if (s->n_asked == 0)
		collect_deadline(e, s);
}

/* A candidate that what is there has not ruled out yet. */
static bool is_alive(const struct slot *s, const struct runbook *r)
{
	struct tally t;

	if (!diagnose_is_candidate(s, r))
		return false;
	diagnose_score(r, s->items, s->n_items, &s->entity, &t);
	return !t.dead;
}

/* Would the answer still make a difference? What only dead candidates asked for would not. */
static bool is_awaited(const struct engine *e, const struct slot *s, const struct asked *a)
{
	bool of_root = !entity_equal(&a->entity, &s->entity);
	const struct runbook *r;

	if (a->done)
		return false;
	if (a->story)
		return s->n_tries > 0; /* nobody knows the cause yet: then the story matters */
	if (str_equal(a->inspector, "unit_status"))
		return true;
	for (uint32_t i = 0; (r = runbook_at(e, i)); i++)
		if (runbook_needs_inspector(r, a->inspector, of_root) && is_alive(s, r))
			return true;
	return false;
}

static bool all_done(const struct engine *e, const struct slot *s)
{
	for (uint32_t i = 0; i < s->n_asked; i++)
		if (is_awaited(e, s, &s->asked[i]))
			return false;
	return true;
}

/* Asks about the units that the candidates blame. Returns false when there is nothing to ask. */
static bool start_second_round(struct engine *e, struct slot *s)
{
	uint32_t before = s->n_asked;
	const struct runbook *r;
	struct entity root;

	for (uint32_t i = 0; (r = runbook_at(e, i)); i++) {
		if (!r->root_fact[0] || !is_alive(s, r) ||
		    !diagnose_root(r, s->items, s->n_items, &s->entity, &root))
			continue;
		ask_clauses(e, s, r->exclude, r->n_exclude, &root);
		ask_clauses(e, s, r->evidence, r->n_evidence, &root);
		ask(e, s, "unit_status", &root, false);
	}
	if (s->n_asked == before)
		return false;
	s->round = 2;
	s->due_ns = e->now_ns + ROUND_NS;
	return true;
}

void collect_deadline(struct engine *e, struct slot *s)
{
	if (s->round == 1 && start_second_round(e, s))
		return;
	diagnose_run(e, s);
}

static struct slot *find_asked(struct engine *e, uint64_t id, struct asked **ret)
{
	for (size_t i = 0; i < ELEMENTSOF(e->slots); i++) {
		struct slot *s = &e->slots[i];

		for (uint32_t j = 0; s->stage != STAGE_FREE && j < s->n_asked; j++)
			if (s->asked[j].id == id) {
				*ret = &s->asked[j];
				return s;
			}
	}
	return NULL;
}

static bool facts_are_finite(const struct evidence *evidence)
{
	for (uint32_t i = 0; i < evidence->n_facts; i++)
		if (evidence->facts[i].type == FACT_TYPE_NUMBER &&
		    !isfinite(evidence->facts[i].number))
			return false;
	return evidence->n_facts <= FACTS_MAX;
}

/* Late evidence is kept for the story only while the round it belongs to goes on or nothing is decided. */
void collect_item(struct engine *e, const struct inspect_item *item)
{
	struct asked *a = NULL;
	struct slot *s = find_asked(e, item->id, &a);
	struct item *kept;

	if (!s || a->done || !facts_are_finite(&item->evidence))
		return;
	/* An answer is filed under what was asked, whatever it says of itself. */
	if (s->stage != STAGE_COLLECT && !a->story)
		return;
	kept = add_item(e, s, &a->entity);
	if (!kept)
		return;
	kept->evidence = item->evidence;
	(void)str_copy(kept->evidence.inspector, sizeof(kept->evidence.inspector), a->inspector);
	if (a->story)
		kept->evidence.provenance = kept->evidence.source == SOURCE_FILES ?
						    kept->evidence.provenance :
						    PROVENANCE_UNTRUSTED;
	emit_item(e, s, kept);
}

void collect_done(struct engine *e, const struct inspect_done *done)
{
	struct asked *a = NULL;
	struct slot *s = find_asked(e, done->id, &a);

	if (!s || a->done)
		return;
	a->done = true;
	a->blind = done->r < 0;
	if (s->stage == STAGE_COLLECT && all_done(e, s))
		collect_deadline(e, s);
}
