/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a saved state may hold. Its checksum finds a torn file; this finds one that was made up, or made
 * by an engine with a bug: every text ends, every number is one that the engine could have written. */
#include <math.h>
#include <string.h>

#include "engine/state.h"

#define TEXT(s) str_is_terminated(s, sizeof(s))

/* Read as bytes: a bool that is neither true nor false may not be looked at. */
static bool is_bool(const void *p)
{
	return *(const uint8_t *)p <= 1;
}

static bool is_key(const char *key)
{
	return str_is_terminated(key, STR_HEX128_MAX) && (!key[0] || str_is_hex128(key));
}

/* What goes out on record as it is must pass as a record. */
static bool records_are_sane(const struct slot *s)
{
	struct record r = { .id = s->id, .kind = RECORD_KIND_INCIDENT, .entity = s->entity };

	r.incident = s->incident;
	if (record_check(&r, NULL) < 0)
		return false;
	r.kind = RECORD_KIND_PLAN;
	r.plan = s->plan;
	return record_check(&r, NULL) == 0;
}

static bool texts_are_sane(const struct slot *s)
{
	for (uint32_t i = 0; i < RUNBOOK_ALERTS_MAX; i++)
		if (!TEXT(s->alerts[i]))
			return false;
	return TEXT(s->left_by) && TEXT(s->hold_by) && TEXT(s->told_cause) &&
	       TEXT(s->after_revert) && TEXT(s->verify_signal) && is_key(s->key);
}

static bool bools_are_sane(const struct slot *s)
{
	const void *const bools[] = { &s->told_opened, &s->withdrawing,  &s->acked,
				      &s->revertible,  &s->counted,      &s->has_before,
				      &s->was_bad,     &s->seen,         &s->sustained,
				      &s->regressed,   &s->failed_again, &s->was_broken };

	for (size_t i = 0; i < ELEMENTSOF(bools); i++)
		if (!is_bool(bools[i]))
			return false;
	return true;
}

/* Times that have been; due_ns and watch_from_ns are set anew. */
static bool times_are_sane(const struct slot *s, uint64_t now_ns)
{
	const uint64_t past_ns[] = { s->onset_ns,          s->hold_since_ns,
				     s->proposed_ns,       s->done_ns,
				     s->good_since_ns,     s->healthy_since_ns,
				     s->broken_since_ns,   s->incident.detected_ns,
				     s->incident.acted_ns, s->incident.healed_ns };

	for (size_t i = 0; i < ELEMENTSOF(past_ns); i++)
		if (past_ns[i] > now_ns)
			return false;
	return true;
}

bool save_slot_is_sane(const struct slot *s, uint64_t now_ns)
{
	return s->stage > STAGE_FREE && s->stage < _STAGE_MAX &&
	       (unsigned)s->phase < _ATTEMPT_PHASE_MAX && entity_is_valid(&s->entity) &&
	       entity_is_valid(&s->root) && s->id > 0 && s->id <= INT64_MAX &&
	       s->n_alerts <= RUNBOOK_ALERTS_MAX && isfinite(s->before) && isfinite(s->after) &&
	       texts_are_sane(s) && bools_are_sane(s) && times_are_sane(s, now_ns) &&
	       records_are_sane(s);
}

bool save_lease_is_sane(const struct lease *l, uint64_t now_ns)
{
	return is_bool(&l->used) && is_bool(&l->reverting) && l->used && is_key(l->key) &&
	       l->key[0] && TEXT(l->action) && TEXT(l->service) && TEXT(l->runbook) &&
	       TEXT(l->reason) && entity_is_valid(&l->root) && isfinite(l->quota_pct) &&
	       l->idle_since_ns <= now_ns && l->until_ns != CLOCK_NEVER_NS;
}

bool save_breaker_is_sane(const struct breaker *b, uint64_t now_ns)
{
	if (!TEXT(b->unit) || !b->unit[0] || !TEXT(b->runbook) || b->n > BREAKER_ATTEMPTS ||
	    !is_bool(&b->told) || b->used_ns > now_ns + 1)
		return false;
	for (uint32_t i = 0; i < b->n; i++)
		if (b->at_ns[i] > now_ns)
			return false;
	return true;
}

bool save_learnt_is_sane(const struct learnt *l)
{
	return TEXT(l->runbook) && l->runbook[0];
}
