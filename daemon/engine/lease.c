/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes for a time only. Their end is systemd's; ours is to end them sooner where they are no longer
 * needed, and to tell. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/message_id.h"
#include "engine/state.h"

/* How often the unit a lease is on is looked at: it bounds how long a quota outlives its unit. Ours. */
#define LOOK_NS (15 * NS_PER_S)

/* It uses under half of what it may for this long: it no longer wants more. Ours. */
#define IDLE_NS (300 * NS_PER_S)

/* How long after its time we wait to be told of its end: aiops-expire@.service tries again every 20 s. Ours. */
#define OVERDUE_NS (60 * NS_PER_S)

/* A revert is a step; systemd's own limit for one is 90 s. */
#define REVERT_AGAIN_NS (60 * NS_PER_S)
#define REVERTS_MAX     3

static struct lease *find_lease(struct engine *e, const char *key)
{
	for (size_t i = 0; i < ELEMENTSOF(e->leases); i++)
		if (e->leases[i].used && str_equal(e->leases[i].key, key))
			return &e->leases[i];
	return NULL;
}

static double quota_of(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->step.params.n && i < PARAMS_MAX; i++)
		if (str_equal(plan->step.params.v[i].name, "quota_pct"))
			return (double)plan->step.params.v[i].integer;
	return 0;
}

void lease_add(struct engine *e, struct slot *s)
{
	uint64_t span_ns = params_duration_ns(&s->plan.step.params);
	struct lease *l = find_lease(e, s->key);

	if (span_ns == 0)
		return;
	for (size_t i = 0; !l && i < ELEMENTSOF(e->leases); i++)
		if (!e->leases[i].used)
			l = &e->leases[i];
	if (!l) {
		e->stats.overflow++;
		return;
	}
	memset(l, 0, sizeof(*l));
	l->used = true;
	l->incident_id = s->id;
	l->parent_id = s->last_id;
	l->root = s->root;
	l->until_ns = e->now_ns + span_ns + OVERDUE_NS;
	l->due_ns = e->now_ns + LOOK_NS;
	l->quota_pct = quota_of(&s->plan);
	(void)str_copy(l->key, sizeof(l->key), s->key);
	(void)str_copy(l->action, sizeof(l->action), s->plan.step.action);
	(void)str_copy(l->service, sizeof(l->service), s->incident.service);
	(void)str_copy(l->runbook, sizeof(l->runbook), s->plan.runbook);
}

void lease_drop(struct engine *e, const char *key)
{
	struct lease *l = find_lease(e, key);

	if (l)
		memset(l, 0, sizeof(*l));
}

bool lease_is_in_force(const struct engine *e, const char *action, const struct entity *root)
{
	for (size_t i = 0; i < ELEMENTSOF(e->leases); i++)
		if (e->leases[i].used && str_equal(e->leases[i].action, action) &&
		    entity_equal(&e->leases[i].root, root))
			return true;
	return false;
}

static void take_back(struct engine *e, struct lease *l, const char *reason)
{
	struct command *c = engine_push(e, COMMAND_REVERT);

	if (reason)
		(void)str_copy(l->reason, sizeof(l->reason), reason);
	l->reverting = true;
	l->due_ns = e->now_ns + REVERT_AGAIN_NS;
	if (!c)
		return;
	(void)str_copy(c->revert.key, sizeof(c->revert.key), l->key);
	(void)str_copy(c->revert.reason, sizeof(c->revert.reason), l->reason);
}

static void give_up(struct engine *e, struct lease *l, const char *text)
{
	char clean[RECORD_TEXT_MAX];

	narrate_lease(e, l, LOG_ERR, MESSAGE_ID_ACTION_NOT_REVERTED,
		      "%s of '%s' could not be taken back: %s. A person must look.", l->action,
		      l->root.name, str_escape(clean, sizeof(clean), text));
	memset(l, 0, sizeof(*l));
}

static void emit_attempt(struct engine *e, struct lease *l, const struct attempt_update *u)
{
	struct record *r = engine_emit_with(e, RECORD_KIND_ATTEMPT, engine_new_id(e), l->parent_id,
					    l->incident_id);

	r->entity = l->root;
	r->attempt = u->attempt;
	l->parent_id = r->id;
}

bool lease_update(struct engine *e, const struct attempt_update *u)
{
	struct lease *l = find_lease(e, u->attempt.key);
	char text[RECORD_TEXT_MAX];

	if (!l)
		return false;
	if (u->attempt.phase == ATTEMPT_PHASE_REVERTED) {
		emit_attempt(e, l, u);
		narrate_lease(e, l, LOG_NOTICE, MESSAGE_ID_ACTION_REVERTED,
			      "%s of '%s' was taken back: %s.", l->action, l->root.name,
			      l->reason[0] ? l->reason :
					     str_escape(text, sizeof(text), u->attempt.text));
		memset(l, 0, sizeof(*l));
	} else if (u->attempt.phase == ATTEMPT_PHASE_UNKNOWN ||
		   u->attempt.phase == ATTEMPT_PHASE_FAILED ||
		   (l->reverting && u->attempt.error < 0)) {
		emit_attempt(e, l, u);
		give_up(e, l, u->attempt.text);
	}
	return true;
}

static void ask(struct engine *e, struct lease *l, const char *inspector, uint64_t *ret_id)
{
	struct command *c = engine_push(e, COMMAND_COLLECT);

	*ret_id = 0;
	if (!c)
		return;
	*ret_id = c->inspect.id = engine_new_id(e);
	c->inspect.entity = l->root;
	c->inspect.since_ns = e->now_ns;
	(void)str_copy(c->inspect.inspector, sizeof(c->inspect.inspector), inspector);
}

static bool text_is(const struct evidence *evidence, const char *name, const char *a, const char *b)
{
	const struct fact *f = evidence_find_fact(evidence, name);

	return f && f->type == FACT_TYPE_TEXT && (str_equal(f->text, a) || str_equal(f->text, b));
}

static void watch_use(struct engine *e, struct lease *l, const struct evidence *evidence)
{
	const struct fact *f = evidence_find_fact(evidence, "unit.cpu_usage_pct");

	if (!f || f->type != FACT_TYPE_NUMBER)
		return;
	if (l->quota_pct <= 0 || f->number >= l->quota_pct / 2)
		l->idle_since_ns = 0;
	else if (!l->idle_since_ns)
		l->idle_since_ns = e->now_ns;
	else if (e->now_ns - l->idle_since_ns >= IDLE_NS)
		take_back(e, l, "it no longer uses what it is allowed");
}

void lease_item(struct engine *e, const struct inspect_item *item)
{
	for (size_t i = 0; i < ELEMENTSOF(e->leases); i++) {
		struct lease *l = &e->leases[i];

		if (!l->used || l->reverting || !item->id || !evidence_is_trusted(&item->evidence))
			continue;
		if (item->id == l->asked_status) {
			if (text_is(&item->evidence, "unit.active_state", "inactive", "failed") ||
			    text_is(&item->evidence, "unit.load_state", "not-found", "masked"))
				take_back(e, l, "the unit has ended");
		} else if (item->id == l->asked_tasks) {
			watch_use(e, l, &item->evidence);
		}
	}
}

static bool is_being_judged(const struct engine *e, const struct lease *l)
{
	for (size_t i = 0; i < ELEMENTSOF(e->slots); i++)
		if ((e->slots[i].stage == STAGE_VERIFY || e->slots[i].stage == STAGE_REVERT) &&
		    str_equal(e->slots[i].key, l->key))
			return true;
	return false;
}

static void look(struct engine *e, struct lease *l)
{
	if (l->reverting && ++l->n_tries >= REVERTS_MAX) {
		give_up(e, l, "the executor does not say that it is");
	} else if (l->reverting) {
		take_back(e, l, NULL);
	} else if (is_being_judged(e, l)) {
		l->due_ns = e->now_ns + LOOK_NS;
	} else if (e->now_ns >= l->until_ns) {
		take_back(e, l, "its time is over and systemd did not say that it ended it");
	} else {
		ask(e, l, "unit_status", &l->asked_status);
		ask(e, l, "unit_tasks", &l->asked_tasks);
		l->due_ns = e->now_ns + LOOK_NS < l->until_ns ? e->now_ns + LOOK_NS : l->until_ns;
	}
}

void lease_restored(struct engine *e)
{
	for (size_t i = 0; i < ELEMENTSOF(e->leases); i++) {
		struct lease *l = &e->leases[i];
		struct command *c = l->used ? engine_push(e, COMMAND_QUERY) : NULL;

		l->asked_status = l->asked_tasks = 0;
		if (c)
			(void)str_copy(c->query.key, sizeof(c->query.key), l->key);
	}
}

void lease_tick(struct engine *e)
{
	for (size_t i = 0; i < ELEMENTSOF(e->leases); i++)
		if (e->leases[i].used && e->leases[i].due_ns <= e->now_ns)
			look(e, &e->leases[i]);
}

uint64_t lease_next_ns(const struct engine *e)
{
	uint64_t next_ns = CLOCK_NEVER_NS;

	for (size_t i = 0; i < ELEMENTSOF(e->leases); i++)
		if (e->leases[i].used && e->leases[i].due_ns < next_ns)
			next_ns = e->leases[i].due_ns;
	return next_ns;
}
