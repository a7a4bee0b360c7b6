/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One runbook against the evidence. Pure, and all that a replayed fixture needs. */
#include <stdio.h>
#include <string.h>

#include "engine/state.h"

bool evidence_is_trusted(const struct evidence *evidence)
{
	/* The journal's text is untrusted whoever vouches for it. */
	return evidence->provenance > PROVENANCE_UNTRUSTED &&
	       evidence->provenance < _PROVENANCE_MAX && evidence->source != SOURCE_JOURNAL &&
	       (unsigned)evidence->source < _SOURCE_MAX;
}

bool diagnose_is_candidate(const struct slot *s, const struct runbook *r)
{
	for (uint32_t i = 0; i < r->n_alerts; i++)
		for (uint32_t j = 0; j < s->n_alerts; j++)
			if (str_equal(r->alerts[i], s->alerts[j]))
				return true;
	return false;
}

bool diagnose_root(const struct runbook *r, const struct item *items, uint32_t n_items,
		   const struct entity *entity, struct entity *ret)
{
	if (!r->root_fact[0]) {
		*ret = *entity;
		return true;
	}
	for (uint32_t i = 0; i < n_items; i++) {
		const struct fact *f = evidence_find_fact(&items[i].evidence, r->root_fact);

		if (!f || f->type != FACT_TYPE_TEXT || !evidence_is_trusted(&items[i].evidence) ||
		    !entity_equal(&items[i].entity, entity))
			continue;
		*ret = entity_make(ENTITY_KIND_UNIT, f->text);
		/* A neighbour that is the entity itself is no neighbour. */
		return str_is_unit_name(f->text) && !entity_equal(ret, entity);
	}
	return false;
}

bool diagnose_clause_holds(const struct clause *c, const struct fact *f)
{
	char number[32];
	const char *text = f->text;
	bool found = false;

	if (c->test == CLAUSE_TEST_ABOVE)
		return f->type == FACT_TYPE_NUMBER && f->number > c->number;
	if (c->test == CLAUSE_TEST_BELOW)
		return f->type == FACT_TYPE_NUMBER && f->number < c->number;
	if (f->type == FACT_TYPE_NUMBER) {
		(void)snprintf(number, sizeof(number), "%g", f->number);
		text = number;
	}
	for (uint32_t i = 0; i < c->n_values && i < RUNBOOK_VALUES_MAX && !found; i++)
		found = str_equal(c->values[i], text);
	return found == (c->test == CLAUSE_TEST_IN);
}

/* The clause on all items it speaks of: it holds when it holds on any; *ret_on says on which. */
static enum clause_state clause_eval(const struct clause *c, const struct item *items,
				     uint32_t n_items, const struct entity *about,
				     evidence_set *ret_on)
{
	enum clause_state state = CLAUSE_ABSENT;

	*ret_on = 0;
	for (uint32_t i = 0; about && i < n_items; i++) {
		const struct evidence *evidence = &items[i].evidence;
		const struct fact *f = evidence_find_fact(evidence, c->fact);

		if (!f || !str_equal(evidence->inspector, c->inspector) ||
		    !evidence_is_trusted(evidence) || !entity_equal(&items[i].entity, about))
			continue;
		if (diagnose_clause_holds(c, f)) {
			*ret_on |= UINT32_C(1) << i;
			state = CLAUSE_HOLDS;
		} else if (state == CLAUSE_ABSENT) {
			state = CLAUSE_FAILS;
		}
	}
	return state;
}

static bool item_is_about(const struct item *item, const struct entity *entity,
			  const struct entity *root, const char *root_fact)
{
	const struct fact *f;

	if (entity_equal(&item->entity, root))
		return true;
	if (entity_equal(entity, root) || !root_fact[0])
		return false;
	f = evidence_find_fact(&item->evidence, root_fact);
	return f && f->type == FACT_TYPE_TEXT && str_equal(f->text, root->name);
}

static void count_sources(struct tally *t, const struct item *items, uint32_t n_items,
			  const struct entity *entity)
{
	for (uint32_t i = 0; i < n_items; i++) {
		const struct evidence *evidence = &items[i].evidence;
		uint32_t bit;

		if (!(t->supports >> i & 1) || !evidence_is_trusted(evidence) ||
		    !item_is_about(&items[i], entity, &t->root, t->runbook->root_fact))
			continue;
		bit = UINT32_C(1) << (unsigned)evidence->source;
		if (t->sources & bit)
			continue;
		t->sources |= bit;
		t->n_sources++;
		t->n_trusted++;
	}
}

static void rule_out(struct hypothesis *h, const char *why, const struct clause *c)
{
	if (h->excluded)
		return;
	h->excluded = true;
	(void)snprintf(h->reason, sizeof(h->reason), "%s %.40s %.48s", why, c->inspector, c->fact);
}

static void apply_clause(struct tally *t, const struct clause *c, enum clause_state state,
			 evidence_set on)
{
	struct hypothesis *h = &t->hypothesis;

	if (state == CLAUSE_HOLDS) {
		h->score += c->weight;
		h->n_supports++;
		if (c->weight > 0)
			t->supports |= on;
	} else if (state == CLAUSE_FAILS) {
		h->score -= c->against;
		h->n_contradicts++;
	}
	t->dead = t->dead || (c->required && state == CLAUSE_FAILS);
	if (c->required && state != CLAUSE_HOLDS)
		rule_out(h, state == CLAUSE_FAILS ? "it needs another" : "it needs", c);
}

void diagnose_score(const struct runbook *r, const struct item *items, uint32_t n_items,
		    const struct entity *entity, struct tally *ret)
{
	struct hypothesis *h = &ret->hypothesis;
	const struct entity *about;
	enum clause_state state;
	evidence_set on;

	memset(ret, 0, sizeof(*ret));
	ret->runbook = r;
	ret->has_root = diagnose_root(r, items, n_items, entity, &ret->root);
	(void)str_copy(h->runbook, sizeof(h->runbook), r->id);
	h->min_score = r->min_score;
	for (uint32_t i = 0; i < r->n_exclude; i++) {
		about = !r->exclude[i].of_root ? entity : ret->has_root ? &ret->root : NULL;
		if (clause_eval(&r->exclude[i], items, n_items, about, &on) != CLAUSE_HOLDS)
			continue;
		ret->dead = true;
		rule_out(h, "ruled out by", &r->exclude[i]);
	}
	for (uint32_t i = 0; i < r->n_evidence; i++) {
		about = !r->evidence[i].of_root ? entity : ret->has_root ? &ret->root : NULL;
		state = clause_eval(&r->evidence[i], items, n_items, about, &on);
		apply_clause(ret, &r->evidence[i], state, on);
	}
	if (!ret->has_root) {
		h->excluded = true;
		(void)str_copy(h->reason, sizeof(h->reason), "no other unit is to blame");
	} else {
		count_sources(ret, items, n_items, entity);
	}
	if (!h->excluded && h->score < h->min_score)
		(void)str_copy(h->reason, sizeof(h->reason), "not enough speaks for it");
}
