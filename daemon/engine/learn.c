/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What each repair was worth: breakers per unit and runbook, a record per runbook. */
#include <string.h>

#include "engine/state.h"

/* Source: ARCHITECTURE, guard; kubernaut blocks after 3 consecutive failures and calls 3 completed but
 * recurring ones ineffective. The policy's own limit is 3 per entity and hour. */
#define BREAKER_COUNT     3
#define BREAKER_WINDOW_NS (3600 * NS_PER_S)

/* Long enough for a person to come, short enough for a night. Ours. */
#define BREAKER_COOL_OFF_NS (1800 * NS_PER_S)

struct breaker *learn_breaker(struct engine *e, const char *unit, const char *runbook)
{
	struct breaker *oldest = &e->breakers[0];

	for (size_t i = 0; i < ELEMENTSOF(e->breakers); i++) {
		struct breaker *b = &e->breakers[i];

		if (str_equal(b->unit, unit) && str_equal(b->runbook, runbook))
			return b;
		if (b->used_ns < oldest->used_ns)
			oldest = b;
	}
	memset(oldest, 0, sizeof(*oldest));
	(void)str_copy(oldest->unit, sizeof(oldest->unit), unit);
	(void)str_copy(oldest->runbook, sizeof(oldest->runbook), runbook);
	oldest->used_ns = e->now_ns + 1;
	return oldest;
}

uint64_t learn_last_attempt_ns(const struct breaker *b)
{
	return b->n ? b->at_ns[b->n - 1] : 0;
}

static void forget_old(struct breaker *b, uint64_t now_ns)
{
	uint32_t old = 0;

	while (old < b->n && b->at_ns[old] + BREAKER_WINDOW_NS <= now_ns)
		old++;
	memmove(b->at_ns, b->at_ns + old, (b->n - old) * sizeof(b->at_ns[0]));
	b->n -= old;
}

bool learn_is_open(struct engine *e, struct breaker *b, const struct runbook *r)
{
	uint32_t count = r->per_hour && r->per_hour < BREAKER_COUNT ? r->per_hour : BREAKER_COUNT;

	if (b->open_until_ns && e->now_ns >= b->open_until_ns) {
		b->open_until_ns = 0; /* a fresh start, as if nothing had been */
		b->n = b->n_failures = 0;
		b->told = false;
	}
	forget_old(b, e->now_ns);
	if (!b->open_until_ns && (b->n >= count || b->n_failures >= BREAKER_COUNT))
		b->open_until_ns = e->now_ns + BREAKER_COOL_OFF_NS;
	return b->open_until_ns > 0;
}

uint32_t learn_count(struct engine *e, const char *unit, const char *runbook)
{
	struct breaker *b = learn_breaker(e, unit, runbook);

	forget_old(b, e->now_ns);
	return b->n;
}

static struct learnt *learnt_of(struct engine *e, const char *runbook)
{
	struct learnt *l;

	for (uint32_t i = 0; i < e->n_learnt; i++)
		if (str_equal(e->learnt[i].runbook, runbook))
			return &e->learnt[i];
	if (e->n_learnt == ELEMENTSOF(e->learnt))
		return NULL;
	l = &e->learnt[e->n_learnt++];
	memset(l, 0, sizeof(*l));
	(void)str_copy(l->runbook, sizeof(l->runbook), runbook);
	return l;
}

void learn_attempt(struct engine *e, struct slot *s)
{
	struct breaker *b = learn_breaker(e, plan_target(&s->plan), s->plan.runbook);
	struct learnt *l = learnt_of(e, s->plan.runbook);

	s->incident.n_attempts++;
	b->used_ns = e->now_ns;
	if (b->n == BREAKER_ATTEMPTS) {
		memmove(b->at_ns, b->at_ns + 1, (BREAKER_ATTEMPTS - 1) * sizeof(b->at_ns[0]));
		b->n--;
	}
	b->at_ns[b->n++] = e->now_ns;
	if (l)
		l->n_tried++;
}

/* What did not help counts as a failure, and so does what nobody can tell. */
void learn_verdict(struct engine *e, struct slot *s, enum verdict_result result)
{
	struct breaker *b = learn_breaker(e, plan_target(&s->plan), s->plan.runbook);
	struct learnt *l = learnt_of(e, s->plan.runbook);

	b->used_ns = e->now_ns;
	b->n_failures = result == VERDICT_IMPROVED ? 0 : b->n_failures + 1;
	if (!l)
		return;
	l->n_worked += result == VERDICT_IMPROVED;
	l->n_failed += result != VERDICT_IMPROVED;
	l->n_wrong += result == VERDICT_WORSE;
}

/* One wrong action takes a runbook's autonomy, until the agent starts afresh with a tested one. */
enum autonomy learn_autonomy(const struct engine *e, const struct runbook *r)
{
	for (uint32_t i = 0; i < e->n_learnt; i++)
		if (str_equal(e->learnt[i].runbook, r->id) && e->learnt[i].n_wrong > 0 &&
		    r->autonomy > AUTONOMY_SUGGEST)
			return AUTONOMY_SUGGEST;
	return r->autonomy;
}

void engine_get_learnt(const struct engine *e, const struct runbook *r, struct engine_learnt *ret)
{
	*ret = (struct engine_learnt){ .autonomy = learn_autonomy(e, r) };
	for (uint32_t i = 0; i < e->n_learnt; i++)
		if (str_equal(e->learnt[i].runbook, r->id)) {
			ret->n_tried = e->learnt[i].n_tried;
			ret->n_worked = e->learnt[i].n_worked;
			ret->n_failed = e->learnt[i].n_failed;
			ret->n_wrong = e->learnt[i].n_wrong;
		}
}
