/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a runbook's fixtures through the code that diagnoses incidents. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"

struct fixture {
	struct item items[SLOT_ITEMS_MAX];
	uint32_t n_items;
};

static const struct fact *find_given(const struct fact *facts, uint32_t n, const char *name)
{
	for (uint32_t i = 0; i < n; i++)
		if (str_equal(facts[i].name, name))
			return &facts[i];
	return NULL;
}

static void add_fact(struct fixture *x, const char *inspector, const struct entity *entity,
		     const struct fact *f)
{
	struct item *item = NULL;

	for (uint32_t i = 0; i < x->n_items && !item; i++)
		if (str_equal(x->items[i].evidence.inspector, inspector) &&
		    entity_equal(&x->items[i].entity, entity))
			item = &x->items[i];
	if (!item && x->n_items == SLOT_ITEMS_MAX)
		return;
	if (!item) {
		item = &x->items[x->n_items++];
		item->entity = *entity;
		item->evidence.provenance = PROVENANCE_SYSTEM;
		item->evidence.source = SOURCE_SYSTEMD;
		(void)str_copy(item->evidence.inspector, sizeof(item->evidence.inspector),
			       inspector);
	}
	if (!evidence_find_fact(&item->evidence, f->name) && item->evidence.n_facts < FACTS_MAX)
		item->evidence.facts[item->evidence.n_facts++] = *f;
}

/* The fixture names facts; who states them is what the clauses say. */
static void add_facts(struct fixture *x, const struct runbook *r, const struct runbook_given *given,
		      const struct clause *clauses, uint32_t n, const struct entity *root)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct clause *c = &clauses[i];
		const struct fact *f =
			c->of_root ? find_given(given->root_facts, given->n_root_facts, c->fact) :
				     find_given(given->facts, given->n_facts, c->fact);
		const struct fact *blamed =
			r->root_fact[0] ? find_given(given->facts, given->n_facts, r->root_fact) :
					  NULL;

		if (f && (!c->of_root || root))
			add_fact(x, c->inspector, c->of_root ? root : &given->entity, f);
		/* The fact that names the root comes with the facts about it. */
		if (f && !c->of_root && blamed)
			add_fact(x, c->inspector, &given->entity, blamed);
	}
}

static void fill_fixture(struct fixture *x, const struct runbook *r,
			 const struct runbook_given *given)
{
	struct entity root;

	add_facts(x, r, given, r->exclude, r->n_exclude, NULL);
	add_facts(x, r, given, r->evidence, r->n_evidence, NULL);
	if (!diagnose_root(r, x->items, x->n_items, &given->entity, &root))
		return;
	add_facts(x, r, given, r->exclude, r->n_exclude, &root);
	add_facts(x, r, given, r->evidence, r->n_evidence, &root);
}

int engine_replay_runbook(const struct runbook *r, uint32_t test_index, struct err *reterr)
{
	_cleanup_free_ struct fixture *x = calloc(1, sizeof(*x));
	const struct runbook_test *test;
	struct tally t;
	bool matched;

	if (test_index >= r->n_tests || r->tests[test_index].fault[0] ||
	    r->tests[test_index].search[0])
		return err_set(reterr, -ENOENT, "replay runbook '%s': test %u is no fixture", r->id,
			       test_index + 1);
	if (!x)
		return err_set(reterr, -ENOMEM, "replay runbook '%s': Cannot allocate memory",
			       r->id);
	test = &r->tests[test_index];
	fill_fixture(x, r, &test->given);
	diagnose_score(r, x->items, x->n_items, &test->given.entity, &t);
	matched = !t.hypothesis.excluded && t.hypothesis.score >= t.hypothesis.min_score;
	if (matched == (test->expect == RUNBOOK_EXPECT_MATCHED))
		return 0;
	return err_set(reterr, -EBADMSG,
		       "replay '%.100s': expected %s, but it was %s: score %d of %d%s%s",
		       test->name, runbook_expect_to_string(test->expect),
		       matched ? "matched" : "rejected", t.hypothesis.score, t.hypothesis.min_score,
		       t.hypothesis.reason[0] ? ", " : "", t.hypothesis.reason);
}
