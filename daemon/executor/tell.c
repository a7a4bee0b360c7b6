/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/message_id.h"
#include "executor/executor.h"

/* e as the one who asked by key, which may be an alias, is to see it. */
static void fill_attempt(struct frame *f, const struct entry *e, const char *key,
			 uint64_t incident_id, uint64_t plan_id)
{
	frame_init(f, FRAME_ATTEMPT);
	f->attempt.incident_id = incident_id;
	f->attempt.plan_id = plan_id;
	f->attempt.attempt = e->attempt;
	f->attempt.decision = e->decision;
	(void)str_copy(f->attempt.attempt.key, sizeof(f->attempt.attempt.key), key);
}

void executor_send_attempt(struct peer *p, const struct entry *e, const char *key,
			   uint64_t incident_id, uint64_t plan_id)
{
	struct frame f;

	fill_attempt(&f, e, key, incident_id, plan_id);
	(void)peer_send(p, &f);
}

static void broadcast(struct executor *x, const struct entry *e, const char *key,
		      uint64_t incident_id, uint64_t plan_id)
{
	struct frame f;

	fill_attempt(&f, e, key, incident_id, plan_id);
	peer_server_broadcast(x->agents, &f);
}

/* Sortable, and never the same twice. */
static uint64_t next_record_id(struct executor *x)
{
	uint64_t id = clock_wall_us();

	x->last_record_id = id > x->last_record_id ? id : x->last_record_id + 1;
	return x->last_record_id;
}

static void record_head(struct executor *x, struct entry *e, enum record_kind kind,
			struct record *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->id = next_record_id(x);
	ret->parent_id = e->record_id;
	ret->kind = kind;
	ret->t_ns = clock_boot_ns();
	ret->wall_us = clock_wall_us();
	ret->entity = e->entity;
	e->record_id = ret->id;
}

/* What the agent wants it records itself; a person's wish belongs to no incident and is recorded here. */
static void record(struct executor *x, struct entry *e)
{
	bool first = e->record_id == 0;
	struct frame f;

	if (!x->recorder || !peer_is_up(x->recorder))
		return;
	if (first) {
		frame_init(&f, FRAME_RECORD);
		record_head(x, e, RECORD_KIND_DECISION, &f.record);
		f.record.decision = e->decision;
		(void)peer_send(x->recorder, &f);
	}
	frame_init(&f, FRAME_RECORD);
	record_head(x, e, RECORD_KIND_ATTEMPT, &f.record);
	f.record.attempt = e->attempt;
	(void)peer_send(x->recorder, &f);
}

static void log_attempt(const struct entry *e)
{
	char text[1024] = "", params[512], entity[ENTITY_TEXT_MAX];
	const struct log_field fields[] = { { "AIOPS_ACTION", e->attempt.action },
					    { "AIOPS_KEY", e->attempt.key },
					    { "AIOPS_STATE",
					      attempt_phase_to_string(e->attempt.phase) },
					    { "AIOPS_ENTITY", entity_format(&e->entity, entity) },
					    { "OBJECT_SYSTEMD_UNIT", e->entity.name } };

	str_append(text, sizeof(text), "%s%s %s for %s: %s: %s",
		   e->op == STEP_OP_REVERT ? "undo of " : "", e->attempt.action,
		   params_format(&e->attempt.params, params, sizeof(params)), e->attempt.actor,
		   attempt_phase_to_string(e->attempt.phase), e->attempt.text);
	/* The last field is a unit's alone. */
	log_fields(attempt_phase_is_final(e->attempt.phase) ? LOG_INFO : LOG_DEBUG, text, fields,
		   ELEMENTSOF(fields) - (e->entity.kind != ENTITY_KIND_UNIT));
}

void executor_tell_changed(void *userdata, struct entry *e)
{
	struct executor *x = userdata;

	log_attempt(e);
	http_wake(x->http);
	http_wake(x->remote);
	broadcast(x, e, e->attempt.key, e->incident_id, e->plan_id);
	for (uint32_t i = 0; i < e->n_aliases; i++)
		broadcast(x, e, e->aliases[i].key, e->aliases[i].incident_id,
			  e->aliases[i].plan_id);
	if (e->by_person)
		record(x, e);
}

static void log_mode(const struct executor *x, const char *what, const char *actor)
{
	const struct broker_state *s = &x->broker.state;
	bool mode = str_equal(what, "mode"), pause = str_equal(what, "pause");
	const struct log_field fields[] = {
		{ "MESSAGE_ID", mode  ? MESSAGE_ID_MODE_CHANGED :
				pause ? MESSAGE_ID_PAUSED :
					MESSAGE_ID_RESUMED },
		{ "AIOPS_ACTOR", actor },
	};
	char text[256] = "";

	str_append(text, sizeof(text), "%s by %s%s%s",
		   mode  ? "Mode was set" :
		   pause ? "Actions were paused" :
			   "Actions were resumed",
		   actor, mode ? ": " : "", mode ? autonomy_to_string(s->mode) : "");
	log_fields(LOG_NOTICE, text, fields, ELEMENTSOF(fields));
}

void executor_tell_audit(void *userdata, const char *what, const char *actor, const struct entry *e)
{
	struct executor *x = userdata;
	struct audit_entry entry;
	struct err err = { 0 };

	memset(&entry, 0, sizeof(entry));
	entry.wall_us = clock_wall_us();
	entry.boot_ns = clock_boot_ns();
	(void)str_copy(entry.boot_id, sizeof(entry.boot_id), x->store.boot_id);
	(void)str_copy(entry.actor, sizeof(entry.actor), actor);
	(void)str_copy(entry.what, sizeof(entry.what), what);
	if (e) {
		entry.attempt = e->attempt;
		(void)str_copy(entry.action_hash, sizeof(entry.action_hash), e->hash);
	} else {
		log_mode(x, what, actor);
		str_append(entry.attempt.text, sizeof(entry.attempt.text), "mode %s%s",
			   autonomy_to_string(x->broker.state.mode),
			   x->broker.state.paused ? ", paused" : "");
	}
	if (audit_queue_add(&x->audit, &entry, &err) < 0)
		log_line(LOG_ERR, "%s", err_text(&err));
}
