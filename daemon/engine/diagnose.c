/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Evidence to a cause: every candidate runbook is scored, one may win, and unknown is an answer. */
#include <stdio.h>
#include <string.h>

#include "base/message_id.h"
#include "engine/state.h"

/* Points by which the best must lead the next best: the weight of one fact that points somewhere. Ours. */
#define MARGIN 2

/* A single clause may not decide, and one source may be wrong or be fooled.
 * Source: ARCHITECTURE, "two independent items"; OpenSec's evidence gate. */
#define SOURCES_MIN 2
#define TRUSTED_MIN 1

/* Looks before the answer is "unknown": a cause may need seconds until its averages show it. Ours. */
#define TRIES_MAX    3
#define TRY_AGAIN_NS (2 * NS_PER_S)

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
		(void)snprintf(h->reason, sizeof(h->reason), "score %d of %d", h->score,
			       h->min_score);
}

static bool is_eligible(const struct tally *t)
{
	return !t->hypothesis.excluded && t->hypothesis.score >= t->hypothesis.min_score;
}

/* The evidence gate: no action without it. */
static bool evidence_is_sufficient(const struct tally *t)
{
	return t->n_sources >= SOURCES_MIN && t->n_trusted >= TRUSTED_MIN;
}

/* Keeps the best few, best first, eligible before others; order of equals is that of the files. */
static void insert_tally(struct tally *best, uint32_t *n, const struct tally *t)
{
	uint32_t at = *n;

	while (at > 0 && (is_eligible(t) > is_eligible(&best[at - 1]) ||
			  (is_eligible(t) == is_eligible(&best[at - 1]) &&
			   t->hypothesis.score > best[at - 1].hypothesis.score)))
		at--;
	if (at == HYPOTHESES_MAX)
		return;
	if (*n < HYPOTHESES_MAX)
		(*n)++;
	memmove(&best[at + 1], &best[at], (*n - at - 1) * sizeof(best[0]));
	best[at] = *t;
}

/* The winner, or NULL with the reason. */
static const struct tally *choose(const struct tally *best, uint32_t n, char *reason, size_t size)
{
	if (n == 0 || !is_eligible(&best[0])) {
		(void)snprintf(reason, size, "no runbook explains what was measured");
		return NULL;
	}
	if (n > 1 && is_eligible(&best[1]) &&
	    best[0].hypothesis.score - best[1].hypothesis.score < MARGIN) {
		(void)snprintf(reason, size, "'%s' and '%s' explain it about equally well",
			       best[0].runbook->id, best[1].runbook->id);
		return NULL;
	}
	if (!evidence_is_sufficient(&best[0])) {
		(void)snprintf(reason, size,
			       "'%s' would explain it, but only %u independent source%s about '%s' "
			       "%s so",
			       best[0].runbook->id, best[0].n_sources,
			       best[0].n_sources == 1 ? "" : "s", best[0].root.name,
			       best[0].n_sources == 1 ? "says" : "say");
		return NULL;
	}
	return &best[0];
}

static void fill_diagnosis(struct slot *s, const struct tally *best, uint32_t n,
			   const struct tally *winner)
{
	struct diagnosis *d = &s->diagnosis;

	memset(d, 0, sizeof(*d));
	(void)str_copy(d->cause, sizeof(d->cause), winner ? winner->runbook->id : "unknown");
	d->root = winner ? winner->root : s->entity;
	d->n_sources = winner ? winner->n_sources : 0;
	for (uint32_t i = 0; i < n; i++)
		d->hypotheses[d->n_hypotheses++] = best[i].hypothesis;
	for (uint32_t i = 0; i < s->n_items && d->n_evidence < EVIDENCE_REFS_MAX; i++)
		if (!winner || (winner->supports >> i & 1))
			d->evidence_ids[d->n_evidence++] = s->items[i].record_id;
}

static void emit_diagnosis(struct engine *e, struct slot *s)
{
	struct record *r;

	s->last_id = s->id; /* a new diagnosis starts a new chain from the incident */
	r = engine_emit(e, s, RECORD_KIND_DIAGNOSIS);
	r->diagnosis = s->diagnosis;
	s->last_id = r->id;
}

static void tell_cause(struct engine *e, struct slot *s, const struct runbook *r)
{
	char subject[ENTITY_TEXT_MAX + RULE_NAME_MAX], evidence[RECORD_TEXT_MAX];

	if (str_equal(s->told_cause, r->id))
		return;
	(void)str_copy(s->told_cause, sizeof(s->told_cause), r->id);
	s->told_opened = true;
	narrate_evidence(evidence, sizeof(evidence), s, r);
	narrate(e, s, LOG_WARNING, MESSAGE_ID_INCIDENT_DIAGNOSED, "%s: %s. Evidence: %s.",
		narrate_subject(s, subject, sizeof(subject)), s->diagnosis.text, evidence);
}

static void found(struct engine *e, struct slot *s, const struct tally *winner)
{
	const struct runbook *r = winner->runbook;

	s->root = winner->root;
	s->n_sources = winner->n_sources;
	narrate_template(s->diagnosis.text, sizeof(s->diagnosis.text), r->cause, s);
	(void)str_copy(s->incident.cause, sizeof(s->incident.cause), r->id);
	emit_diagnosis(e, s);
	incident_set_state(e, s, INCIDENT_STATE_DIAGNOSED, "%s", s->diagnosis.text);
	tell_cause(e, s, r);
	s->alternative = 0;
	plan_next(e, s);
}

static void unknown(struct engine *e, struct slot *s, const char *reason)
{
	char subject[ENTITY_TEXT_MAX + RULE_NAME_MAX], evidence[RECORD_TEXT_MAX];
	char untrusted[160], full[RECORD_TEXT_MAX];

	if (++s->n_tries < TRIES_MAX) {
		s->stage = STAGE_WAIT;
		s->due_ns = e->now_ns + TRY_AGAIN_NS;
		return;
	}
	(void)str_copy(s->diagnosis.text, sizeof(s->diagnosis.text), reason);
	(void)str_copy(s->incident.cause, sizeof(s->incident.cause), "unknown");
	emit_diagnosis(e, s);
	narrate_evidence(evidence, sizeof(evidence), s, NULL);
	narrate_untrusted(untrusted, sizeof(untrusted), s);
	(void)snprintf(full, sizeof(full), "the cause is unknown: %.300s", reason);
	incident_escalate(e, s, NULL, full);
	s->told_opened = true;
	narrate(e, s, s->incident.severity == SEVERITY_CRITICAL ? LOG_ERR : LOG_WARNING,
		MESSAGE_ID_INCIDENT_UNKNOWN,
		"%s: %s; the cause is unknown (%s), so nothing was touched. Measured: %s.%s",
		narrate_subject(s, subject, sizeof(subject)), s->incident.title, reason, evidence,
		untrusted);
}

/* Closed on record; the slot stays while alerts fire, so that it is told once. */
static void leave_alone(struct engine *e, struct slot *s, const struct guard *g)
{
	char subject[ENTITY_TEXT_MAX + RULE_NAME_MAX];
	struct record *r;

	s->stage = STAGE_LEFT;
	s->due_ns = CLOCK_NEVER_NS;
	if (str_equal(s->left_by, g->by) && !incident_state_is_open(s->incident.state))
		return;
	(void)str_copy(s->left_by, sizeof(s->left_by), g->by);
	r = engine_emit(e, s, RECORD_KIND_DECISION);
	r->decision.verdict = DECISION_DENY;
	(void)str_copy(r->decision.by, sizeof(r->decision.by), g->by);
	(void)str_copy(r->decision.text, sizeof(r->decision.text), g->text);
	s->last_id = r->id;
	narrate(e, s, LOG_INFO, MESSAGE_ID_INCIDENT_LEFT_ALONE, "%s is left alone: %s.",
		narrate_subject(s, subject, sizeof(subject)), g->text);
	incident_set_state(e, s, INCIDENT_STATE_CLEARED, "%s", g->text);
}

void diagnose_run(struct engine *e, struct slot *s)
{
	struct guard hands_off = guard_hands_off(s->items, s->n_items, &s->entity, e->now_ns);
	struct tally best[HYPOTHESES_MAX + 1];
	char reason[RECORD_TEXT_MAX];
	const struct tally *winner;
	uint32_t n = 0;

	if (hands_off.verdict == GUARD_LEAVE) {
		leave_alone(e, s, &hands_off);
		return;
	}
	if (hands_off.verdict == GUARD_GO)
		hands_off = guard_upgrade(e);
	if (hands_off.verdict == GUARD_WAIT) {
		guard_hold(e, s, &hands_off);
		return;
	}
	for (uint32_t i = 0; i < e->config.runbooks->n; i++) {
		struct tally t;

		if (!diagnose_is_candidate(s, &e->config.runbooks->v[i]))
			continue;
		diagnose_score(&e->config.runbooks->v[i], s->items, s->n_items, &s->entity, &t);
		insert_tally(best, &n, &t);
	}
	winner = choose(best, n, reason, sizeof(reason));
	fill_diagnosis(s, best, n, winner);
	if (winner)
		found(e, s, winner);
	else
		unknown(e, s, reason);
}
