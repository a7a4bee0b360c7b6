/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What fires and is not told: because it says nothing new, because its cause is told already, because
 * somebody is at work. It is looked at again each second, and told when the reason is gone. */
#include "engine/state.h"

/* A package manager runs its maintainer scripts at the end, after minutes of unpacking; each of its
 * processes renews this. Ours. */
#define PACKAGE_HOLD_NS (60 * NS_PER_S)

/* What an upgrade or a service upstream held back for longer than this is told: it may hang, or ask a
 * question nobody sees. Ours, as apt's own lock timeouts are minutes. */
#define HELD_MAX_NS (600 * NS_PER_S)

/* What waits for a service may take so long to find that it is back. Ours: ten checks of an endpoint. */
#define UPSTREAM_SETTLE_NS (10 * NS_PER_S)

/* The fourth within half an hour is one with those before. Source: Nagios, "Detection and Handling of State
 * Flapping", 20 of 21 checks; netdata delays ever longer what flips. Ours: three times is no accident. */
#define FLAP_COUNT   3
#define FLAP_SPAN_NS (1800 * NS_PER_S)

bool inhibit_is_flapping(const struct engine *e, const struct entity *primary)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < e->n_closed && i < ENGINE_CLOSED_MAX; i++)
		n += entity_equal(&e->closed[i].entity, primary) &&
		     e->closed[i].incident.state == INCIDENT_STATE_CLEARED &&
		     e->now_ns < e->closed[i].t_ns + FLAP_SPAN_NS;
	return n >= FLAP_COUNT;
}

bool inhibit_is_upgrading(const struct engine *e)
{
	return e->package_ns > 0 && e->now_ns < e->package_ns + PACKAGE_HOLD_NS;
}

/* Did an incident about it end within this time? */
static bool has_ended_within(const struct engine *e, const struct entity *entity, uint64_t span_ns)
{
	for (uint32_t i = 0; i < e->n_closed && i < ENGINE_CLOSED_MAX; i++)
		if (entity_equal(&e->closed[i].entity, entity) &&
		    e->now_ns < e->closed[i].t_ns + span_ns)
			return true;
	return false;
}

/* It looks back on what an incident has told, until that is out of its short window. */
static bool is_of_the_past(const struct engine *e, const struct window *w,
			   const struct entity *primary)
{
	return w->rule->looks_back && has_ended_within(e, primary, w->alert->over_ns / 12);
}

static bool is_ill(const struct engine *e, const struct service *s)
{
	const struct entity entity = entity_make(ENTITY_KIND_UNIT, s->unit);

	for (size_t i = 0; i < ELEMENTSOF(e->slots); i++) {
		const struct slot *slot = &e->slots[i];

		if (slot->stage != STAGE_FREE && incident_state_is_open(slot->incident.state) &&
		    entity_equal(&slot->entity, &entity))
			return true;
	}
	return has_ended_within(e, &entity, UPSTREAM_SETTLE_NS);
}

/* Something it depends on has an incident of its own, so that this is a symptom of that. Only what is seen
 * from outside: a unit that has itself failed is another matter. */
static bool is_downstream(const struct engine *e, const struct window *w,
			  const struct entity *primary)
{
	const struct services *all = e->config.services;
	const struct service *s = correlate_service(e, primary, NULL), *v[SERVICES_MAX];

	if (w->entity.kind != ENTITY_KIND_ENDPOINT || !s || s->n_depends == 0)
		return false;
	for (uint32_t i = 0; i < all->n; i++) {
		int n;

		if (!all->v[i].unit[0] || !is_ill(e, &all->v[i]))
			continue;
		n = services_find_dependents(all, &all->v[i], v, SERVICES_MAX, NULL);
		for (int k = 0; k < n; k++)
			if (v[k] == s)
				return true;
	}
	return false;
}

bool inhibit_is_held(const struct engine *e, const struct window *w, const struct entity *primary)
{
	uint64_t since_ns = w->held ? w->held_since_ns : e->now_ns;

	if (w->alert->severity == SEVERITY_INFO || is_of_the_past(e, w, primary) ||
	    silences_find(e->config.silences, w->alert->id, &w->entity, primary, e->wall_us))
		return true;
	return e->now_ns < since_ns + HELD_MAX_NS &&
	       (inhibit_is_upgrading(e) || is_downstream(e, w, primary));
}
