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
	uint32_t before = learn_count(e, s->root.name, r->id);
	char again[64] = "";

	if (str_equal(s->told_cause, r->id))
		return;
	(void)str_copy(s->told_cause, sizeof(s->told_cause), r->id);
	s->told_opened = true;
	narrate_evidence(evidence, sizeof(evidence), s, r);
	if (before > 0)
		(void)snprintf(again, sizeof(again), " Repaired %u time%s within the hour.", before,
			       before == 1 ? "" : "s");
	narrate(e, s, LOG_WARNING, MESSAGE_ID_INCIDENT_DIAGNOSED, "%s: %s. Evidence: %s.%s",
		narrate_subject(s, subject, sizeof(subject)), s->diagnosis.text, evidence, again);
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
	char untrusted[160], blind[160], full[RECORD_TEXT_MAX];

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
	narrate_blind(blind, sizeof(blind), s);
	(void)snprintf(full, sizeof(full), "the cause is unknown: %.300s", reason);
	incident_escalate(e, s, NULL, full);
	if (str_equal(s->told_cause, "unknown"))
		return; /* looked at again for a new alert, with the same end: told once */
	(void)str_copy(s->told_cause, sizeof(s->told_cause), "unknown");
	s->told_opened = true;
	narrate(e, s, s->incident.severity == SEVERITY_CRITICAL ? LOG_ERR : LOG_WARNING,
		MESSAGE_ID_INCIDENT_UNKNOWN,
		"%s: %s; the cause is unknown (%s), so nothing was touched. Measured: %s%s.%s",
		narrate_subject(s, subject, sizeof(subject)), s->incident.title, reason, evidence,
		blind, untrusted);
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
