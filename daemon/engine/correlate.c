/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events to incidents: one open incident per service (or unit, or the host), its root upstream. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/message_id.h"
#include "engine/state.h"

/* Let what belongs together arrive: systemd tells of the failed unit some 10 ms after the kernel told of
 * the exit, and a unit that is stopping has failed a moment later. Ours; 1/25 of the time to beat. */
#define SETTLE_NS (200 * NS_PER_MS)

/* Looks at an unknown again for the sake of new alerts. Ours: a service has three kinds of them. */
#define REDO_MAX 2

/* The kernel saw the exit this long before the failure at most. systemd, DefaultTimeoutStopSec= is 90 s,
 * but a crash is told at once. */
#define ONSET_EXIT_NS (5 * NS_PER_S)

const struct service *correlate_service(const struct engine *e, const struct entity *entity,
					const struct endpoint **ret_endpoint)
{
	const struct endpoint *endpoint = NULL;
	const struct service *s = NULL;

	if (entity->kind == ENTITY_KIND_ENDPOINT)
		s = services_find_endpoint(e->config.services, entity->name, &endpoint);
	else if (entity->kind == ENTITY_KIND_UNIT)
		s = services_find_unit(e->config.services, entity->name);
	if (ret_endpoint)
		*ret_endpoint = endpoint;
	return s;
}

/* What belongs to the host itself is always looked after. */
bool correlate_is_managed(const struct engine *e, const struct entity *entity)
{
	switch (entity->kind) {
	case ENTITY_KIND_HOST:
	case ENTITY_KIND_MOUNT:
	case ENTITY_KIND_DISK:
	case ENTITY_KIND_NETDEV:
	case ENTITY_KIND_RESOLVER:
	case ENTITY_KIND_CLOCK:
		return true;
	case ENTITY_KIND_UNIT:
	case ENTITY_KIND_CONTAINER:
	case ENTITY_KIND_PROCESS:
	case ENTITY_KIND_ENDPOINT:
	case ENTITY_KIND_DATABASE:
	case ENTITY_KIND_SESSION:
	case _ENTITY_KIND_MAX:
		break;
	}
	return correlate_service(e, entity, NULL);
}

struct entity correlate_primary(const struct engine *e, const struct entity *entity)
{
	const struct service *s = correlate_service(e, entity, NULL);

	return s ? entity_make(ENTITY_KIND_UNIT, s->unit) : *entity;
}

struct slot *correlate_find(struct engine *e, const struct entity *primary)
{
	for (size_t i = 0; i < ELEMENTSOF(e->slots); i++)
		if (e->slots[i].stage != STAGE_FREE && entity_equal(&e->slots[i].entity, primary))
			return &e->slots[i];
	return NULL;
}

void correlate_count(struct engine *e)
{
	e->stats.open = e->stats.waiting = e->stats.escalated = 0;
	for (size_t i = 0; i < ELEMENTSOF(e->slots); i++) {
		const struct slot *s = &e->slots[i];

		if (s->stage == STAGE_FREE || !incident_state_is_open(s->incident.state))
			continue;
		e->stats.open++;
		e->stats.waiting += s->incident.state == INCIDENT_STATE_WAITING;
		e->stats.escalated += s->incident.state == INCIDENT_STATE_ESCALATED;
	}
}

void incident_set_state(struct engine *e, struct slot *s, enum incident_state state,
			const char *format, ...)
{
	struct record *r;
	va_list ap;

	s->incident.state = state;
	va_start(ap, format);
	(void)vsnprintf(s->incident.reason, sizeof(s->incident.reason), format, ap);
	va_end(ap);
	r = engine_emit(e, s, RECORD_KIND_INCIDENT);
	r->incident = s->incident;
	correlate_count(e);
}

void incident_free(struct engine *e, struct slot *s)
{
	struct record *kept = &e->closed[e->n_closed++ % ENGINE_CLOSED_MAX];
	struct item *items = s->items;

	*kept = (struct record){ .id = s->id,
				 .incident_id = s->id,
				 .kind = RECORD_KIND_INCIDENT,
				 .t_ns = e->now_ns,
				 .wall_us = e->wall_us,
				 .entity = s->entity };
	kept->incident = s->incident;
	memset(s, 0, sizeof(*s));
	s->items = items;
	correlate_count(e);
}

void incident_close(struct engine *e, struct slot *s, enum incident_state state, const char *reason)
{
	incident_set_state(e, s, state, "%s", reason);
	incident_free(e, s);
}

void incident_escalate(struct engine *e, struct slot *s, const char *message_id, const char *reason)
{
	char subject[ENTITY_TEXT_MAX + RULE_NAME_MAX];

	s->stage = STAGE_REST;
	s->due_ns = CLOCK_NEVER_NS;
	incident_set_state(e, s, INCIDENT_STATE_ESCALATED, "%s", reason);
	if (message_id)
		narrate(e, s, s->incident.severity == SEVERITY_CRITICAL ? LOG_ERR : LOG_WARNING,
			message_id, "%s needs a person: %s",
			narrate_subject(s, subject, sizeof(subject)), reason);
}

/* When the first of the values that made the alert fire was measured. */
static uint64_t window_onset_ns(const struct engine *e, const struct window *w)
{
	const struct rule_window *p = &w->points;
	const struct signal_entry *exit = perceive_latest(e, "unit.exit_event", &w->entity);
	uint64_t onset_ns = e->now_ns;

	for (uint32_t i = p->n > w->alert->n ? p->n - w->alert->n : 0; i < p->n; i++) {
		bool bad = w->alert->below ? p->points[i].value < w->bound :
					     p->points[i].value > w->bound;

		if (bad && p->points[i].t_ns < onset_ns)
			onset_ns = p->points[i].t_ns;
	}
	if (exit && exit->t_ns < onset_ns && onset_ns - exit->t_ns < ONSET_EXIT_NS)
		onset_ns = exit->t_ns;
	return onset_ns;
}

static struct slot *free_slot(struct engine *e)
{
	for (size_t i = 0; i < ELEMENTSOF(e->slots); i++)
		if (e->slots[i].stage == STAGE_FREE)
			return &e->slots[i];
	e->stats.overflow++;
	return NULL;
}

static void fill_summary(const struct window *w, double value, char *buf, size_t size)
{
	const char *p = w->alert->summary;
	char number[STR_NUMBER_MAX];

	buf[0] = '\0';
	while (*p) {
		if (strncmp(p, "{entity}", 8) == 0) {
			str_append(buf, size, "%s'%s'",
				   w->entity.kind == ENTITY_KIND_ENDPOINT ? "endpoint " : "",
				   w->entity.kind == ENTITY_KIND_HOST ? "host" : w->entity.name);
			p += 8;
		} else if (strncmp(p, "{value}", 7) == 0) {
			str_append(buf, size, "%s", str_number(value, number));
			p += 7;
		} else {
			str_append(buf, size, "%c", *p++);
		}
	}
}

/* An alert of the incident, each once: they choose the runbooks. What is for information chooses none. */
static bool note_alert(struct slot *s, const struct window *w)
{
	if (w->alert->severity == SEVERITY_INFO)
		return false;
	if (w->alert->severity > s->incident.severity)
		s->incident.severity = w->alert->severity;
	for (uint32_t i = 0; i < s->n_alerts; i++)
		if (str_equal(s->alerts[i], w->alert->id))
			return false;
	if (s->n_alerts == RUNBOOK_ALERTS_MAX)
		return false;
	(void)str_copy(s->alerts[s->n_alerts++], RULE_NAME_MAX, w->alert->id);
	return true;
}

static void note_other_alerts(struct engine *e, struct slot *s)
{
	for (uint32_t i = 0; i < e->n_firing; i++) {
		const struct window *w = &e->windows[e->firing[i]];
		struct entity primary = correlate_primary(e, &w->entity);

		if (entity_equal(&primary, &s->entity))
			(void)note_alert(s, w);
	}
}

static struct slot *open_incident(struct engine *e, const struct window *w,
				  const struct entity *primary, double value)
{
	const struct service *service = correlate_service(e, primary, NULL);
	struct slot *s = free_slot(e);

	if (!s)
		return NULL;
	s->stage = STAGE_SETTLE;
	s->due_ns = e->now_ns + SETTLE_NS;
	s->entity = *primary;
	s->root = *primary;
	s->onset_ns = window_onset_ns(e, w);
	s->incident.severity = w->alert->severity;
	s->incident.opened_us = e->wall_us;
	s->incident.detected_ns = e->now_ns;
	if (service)
		(void)str_copy(s->incident.service, sizeof(s->incident.service), service->name);
	fill_summary(w, value, s->incident.title, sizeof(s->incident.title));
	note_other_alerts(e, s);
	e->stats.incidents++;
	return s;
}

static uint64_t emit_event(struct engine *e, const struct window *w, double value,
			   uint64_t incident_id)
{
	struct record *r = engine_emit_with(e, RECORD_KIND_EVENT, engine_new_id(e), 0, incident_id);
	const struct signal_entry *latest = perceive_latest(e, w->alert->signal, &w->entity);
	struct event *event = &r->event;

	r->entity = w->entity;
	(void)str_copy(event->alert, sizeof(event->alert), w->alert->id);
	(void)str_copy(event->signal, sizeof(event->signal), w->alert->signal);
	event->severity = w->alert->severity;
	event->cleared = !w->firing;
	event->value = value;
	event->threshold = w->bound;
	event->source = latest ? latest->source : SOURCE_PROCFS;
	event->provenance = latest ? latest->provenance : PROVENANCE_UNTRUSTED;
	fill_summary(w, value, event->text, sizeof(event->text));
	if (event->cleared)
		str_append(event->text, sizeof(event->text), ": no longer");
	e->stats.events++;
	return r->id;
}

/* May be an administrator who stopped it: what the evidence says is waited for before it is told. */
static bool may_be_a_stop(const struct engine *e, const struct entity *unit)
{
	const struct signal_entry *active = perceive_latest(e, "unit.active_bool", unit);
	const struct signal_entry *failed = perceive_latest(e, "unit.failed_bool", unit);

	return active && active->value < 0.5 && !(failed && failed->value > 0.5);
}

/* A warning may pass before anybody knows why; it is told with its cause. */
static void tell_opened(struct engine *e, struct slot *s)
{
	char subject[ENTITY_TEXT_MAX + RULE_NAME_MAX];

	if (s->told_opened || s->left_by[0] || s->incident.severity < SEVERITY_CRITICAL ||
	    may_be_a_stop(e, &s->entity))
		return;
	s->told_opened = true;
	narrate(e, s, LOG_ERR, MESSAGE_ID_INCIDENT_OPENED, "%s: %s. Looking for the cause.",
		narrate_subject(s, subject, sizeof(subject)), s->incident.title);
}

static void start_incident(struct engine *e, struct window *w, const struct entity *primary,
			   double value)
{
	struct slot *s = open_incident(e, w, primary, value);
	struct record *r;

	if (!s)
		return;
	s->id = engine_new_id(e); /* the event is told first and may name it */
	s->incident.n_events = 1;
	s->last_id = emit_event(e, w, value, s->id);
	s->incident.state = INCIDENT_STATE_OPEN;
	(void)str_copy(s->incident.reason, sizeof(s->incident.reason), "collecting evidence");
	r = engine_emit_with(e, RECORD_KIND_INCIDENT, s->id, s->last_id, s->id);
	r->entity = s->entity;
	r->incident = s->incident;
	s->last_id = s->id;
	correlate_count(e);
	tell_opened(e, s);
}

/* A new kind of alert may explain what was unknown, and what was left alone may have changed. */
static void look_again(struct engine *e, struct slot *s)
{
	bool worth_it = s->stage == STAGE_REST && str_equal(s->incident.cause, "unknown") &&
			(s->n_redo < REDO_MAX || s->quiet_since_ns > 0);

	if (!worth_it && s->stage != STAGE_LEFT)
		return;
	s->n_redo += worth_it;
	s->n_tries = 0;
	s->stage = STAGE_SETTLE;
	s->due_ns = e->now_ns + SETTLE_NS;
}

static void take_fired(struct engine *e, struct window *w, double value)
{
	struct entity primary = correlate_primary(e, &w->entity);
	struct slot *s = correlate_find(e, &primary);

	if (!s) {
		start_incident(e, w, &primary, value);
		return;
	}
	s->incident.n_events++;
	(void)emit_event(e, w, value, s->id);
	if (note_alert(s, w) || s->quiet_since_ns > 0 ||
	    (s->stage == STAGE_LEFT && w->alert->severity != SEVERITY_INFO))
		look_again(e, s);
	s->quiet_since_ns = 0;
	tell_opened(e, s);
}

void correlate_fired(struct engine *e, struct window *w, double value)
{
	struct entity primary = correlate_primary(e, &w->entity);

	if (correlate_find(e, &primary) || !inhibit_is_held(e, w, &primary)) {
		take_fired(e, w, value);
		return;
	}
	w->held = true;
	w->held_since_ns = e->now_ns;
}

/* The symptom is gone and nothing of ours is under way. */
static void clear_incident(struct engine *e, struct slot *s)
{
	char subject[ENTITY_TEXT_MAX + RULE_NAME_MAX];
	bool was_escalated = s->incident.state == INCIDENT_STATE_ESCALATED;

	if (!incident_state_is_open(s->incident.state)) {
		incident_free(e, s);
		return;
	}
	if (s->stage == STAGE_ACT || (s->stage == STAGE_REST && execute_is_unsettled(s))) {
		s->withdrawing = true;
		execute_revert(e, s, "the symptom went away before anybody approved");
		return;
	}
	s->incident.healed_ns = e->now_ns;
	if (s->told_opened || was_escalated)
		narrate(e, s, LOG_NOTICE, MESSAGE_ID_INCIDENT_CLEARED,
			"%s: all its alerts are clear again, %s an action of ours.",
			narrate_subject(s, subject, sizeof(subject)),
			s->incident.n_attempts ? "but not by" : "without");
	incident_close(e, s, INCIDENT_STATE_CLEARED,
		       s->incident.n_attempts ? "all alerts cleared, but not by an action" :
						"all alerts cleared without an action");
}

static bool may_clear(const struct engine *e, const struct slot *s)
{
	switch (s->stage) {
	case STAGE_SETTLE:
	case STAGE_COLLECT:
	case STAGE_WAIT:
	case STAGE_REST:
	case STAGE_LEFT:
		break;
	case STAGE_ACT:
		if (s->phase != ATTEMPT_PHASE_WAITING)
			return false;
		break;
	case STAGE_FREE:
	case STAGE_VERIFY:
	case STAGE_REVERT:
	case _STAGE_MAX:
		return false;
	}
	return e->now_ns >= s->watch_from_ns && !perceive_is_firing(e, &s->entity, true);
}

/* What comes and goes is one incident, told once: it stays open until it has been quiet for a while. */
static bool stays_open(struct engine *e, struct slot *s)
{
	s->flaps = s->flaps || inhibit_is_flapping(e, &s->entity);
	if (s->stage != STAGE_REST || !s->flaps)
		return false;
	if (s->quiet_since_ns == 0)
		s->quiet_since_ns = e->now_ns;
	return e->now_ns < s->quiet_since_ns + INHIBIT_FLAP_QUIET_NS;
}

void correlate_cleared(struct engine *e, const struct window *w, double value)
{
	struct entity primary = correlate_primary(e, &w->entity);
	struct slot *s = correlate_find(e, &primary);

	if (!s)
		return;
	(void)emit_event(e, w, value, s->id);
	if (may_clear(e, s) && !stays_open(e, s))
		clear_incident(e, s);
}

/* What was held back while packages were upgraded, and what cleared while nobody listened. */
void correlate_tick(struct engine *e)
{
	for (uint32_t i = 0; i < e->n_firing; i++) {
		struct window *w = &e->windows[e->firing[i]];
		struct entity primary = correlate_primary(e, &w->entity);

		if (!w->held || (!correlate_find(e, &primary) && inhibit_is_held(e, w, &primary)))
			continue;
		w->held = false;
		take_fired(e, w, window_figure(e, w));
	}
	for (size_t i = 0; i < ELEMENTSOF(e->slots); i++)
		if (e->slots[i].stage != STAGE_FREE && may_clear(e, &e->slots[i]) &&
		    !stays_open(e, &e->slots[i]))
			clear_incident(e, &e->slots[i]);
}
