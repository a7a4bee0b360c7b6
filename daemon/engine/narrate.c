/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The story in one line each, made from facts only. What others wrote is quoted, escaped and named so. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/state.h"

#define FACTS_SHOWN_MAX     3   /* of each item, where no runbook says which matter */
#define UNTRUSTED_SHOWN_MAX 120 /* characters */

static _printf_(4, 0) void fill_narrative(struct narrative *n, int priority, const char *message_id,
					  const char *format, va_list ap)
{
	char text[sizeof(n->text)];

	(void)str_copy(n->message_id, sizeof(n->message_id), message_id);
	n->priority = priority;
	(void)vsnprintf(text, sizeof(text), format, ap);
	(void)str_escape(n->text, sizeof(n->text), text); /* also a character that was cut in two */
}

void narrate(struct engine *e, const struct slot *s, int priority, const char *message_id,
	     const char *format, ...)
{
	struct record *r = engine_emit(e, s, RECORD_KIND_NARRATIVE);
	va_list ap;

	va_start(ap, format);
	fill_narrative(&r->narrative, priority, message_id, format, ap);
	va_end(ap);
}

void narrate_lease(struct engine *e, const struct lease *l, int priority, const char *message_id,
		   const char *format, ...)
{
	struct record *r = engine_emit_with(e, RECORD_KIND_NARRATIVE, engine_new_id(e),
					    l->parent_id, l->incident_id);
	va_list ap;

	r->entity = l->root;
	va_start(ap, format);
	fill_narrative(&r->narrative, priority, message_id, format, ap);
	va_end(ap);
}

const char *narrate_subject(const struct slot *s, char *buf, size_t size)
{
	buf[0] = '\0';
	if (s->entity.kind == ENTITY_KIND_HOST)
		str_append(buf, size, "the host");
	else if (s->incident.service[0])
		str_append(buf, size, "%s (%s)", s->incident.service, s->entity.name);
	else
		str_append(buf, size, "%s", s->entity.name);
	return buf;
}

const char *narrate_value(const char *signal, double value, char buf[static NARRATE_VALUE_MAX])
{
	static const char *const units[][2] = {
		{ "_ms", " ms" }, { "_us", " us" },       { "_s", " s" },
		{ "_pct", " %" }, { "_bytes", " bytes" },
	};
	size_t length = strlen(signal);

	(void)str_number(value, buf);
	for (size_t i = 0; i < ELEMENTSOF(units); i++) {
		size_t n = strlen(units[i][0]);

		if (length > n && str_equal(signal + length - n, units[i][0])) {
			str_append(buf, NARRATE_VALUE_MAX, "%s", units[i][1]);
			break;
		}
	}
	return buf;
}

static void append_fact(char *buf, size_t size, const struct fact *f)
{
	char clean[sizeof(f->text)], number[STR_NUMBER_MAX];

	if (f->type == FACT_TYPE_NUMBER)
		str_append(buf, size, "%s", str_number(f->number, number));
	else
		str_append(buf, size, "%s", str_escape(clean, sizeof(clean), f->text));
}

/* About the entity first, then about whatever else was asked. */
static const struct fact *find_fact(const struct slot *s, const char *name)
{
	for (int about_entity = 1; about_entity >= 0; about_entity--)
		for (uint32_t i = 0; i < s->n_items; i++) {
			const struct item *item = &s->items[i];
			const struct fact *f = evidence_find_fact(&item->evidence, name);

			if (f && evidence_is_trusted(&item->evidence) &&
			    entity_equal(&item->entity, &s->entity) == (about_entity == 1))
				return f;
		}
	return NULL;
}

/* Appends what {name} stands for. Returns false where that is missing, zero or "". */
static bool append_value(char *buf, size_t size, const char *name, const struct slot *s)
{
	const struct fact *f;

	if (str_equal(name, "entity") || str_equal(name, "root")) {
		str_append(buf, size, "%s", name[0] == 'e' ? s->entity.name : s->root.name);
		return true;
	}
	f = find_fact(s, name);
	if (!f) {
		str_append(buf, size, "?");
		return false;
	}
	append_fact(buf, size, f);
	return f->type == FACT_TYPE_NUMBER ? f->number != 0 : f->text[0] != '\0';
}

void narrate_template(char *buf, size_t size, const char *format, const struct slot *s)
{
	size_t optional_at = SIZE_MAX;
	bool complete = true;

	buf[0] = '\0';
	for (const char *p = format; *p; p++) {
		char name[SIGNAL_NAME_MAX] = "";
		size_t length = strcspn(p + 1, "}");

		if (*p == '[') {
			optional_at = strlen(buf);
			complete = true;
		} else if (*p == ']') {
			if (optional_at != SIZE_MAX && !complete)
				buf[optional_at] = '\0';
			optional_at = SIZE_MAX;
		} else if (*p == '{' && p[1 + length] == '}' && length < sizeof(name)) {
			memcpy(name, p + 1, length);
			complete = append_value(buf, size, name, s) && complete;
			p += length + 1;
		} else {
			str_append(buf, size, "%c", *p);
		}
	}
}

static bool is_wanted(const struct runbook *r, const struct item *item, const struct fact *f)
{
	for (uint32_t i = 0; i < r->n_evidence; i++)
		if (str_equal(r->evidence[i].inspector, item->evidence.inspector) &&
		    str_equal(r->evidence[i].fact, f->name) && r->evidence[i].weight > 0 &&
		    diagnose_clause_holds(&r->evidence[i], f))
			return true;
	return false;
}

/* The facts of one item that are worth showing; "" where none is. */
static void format_item(char *buf, size_t size, const struct slot *s, const struct item *item,
			const struct runbook *r)
{
	uint32_t shown = 0;

	buf[0] = '\0';
	for (uint32_t i = 0; i < item->evidence.n_facts; i++) {
		const struct fact *f = &item->evidence.facts[i];

		if (r ? !is_wanted(r, item, f) : shown == FACTS_SHOWN_MAX)
			continue;
		if (shown++ == 0)
			str_append(buf, size, "%s", source_to_string(item->evidence.source));
		str_append(buf, size, " %s=", f->name);
		append_fact(buf, size, f);
	}
	if (shown && !entity_equal(&item->entity, &s->entity))
		str_append(buf, size, " (of %s)", item->entity.name);
}

void narrate_evidence(char *buf, size_t size, const struct slot *s, const struct runbook *r)
{
	static const char more[] = "; ...";

	buf[0] = '\0';
	for (uint32_t i = 0; i < s->n_items; i++) {
		char text[RECORD_TEXT_MAX];
		size_t used = strlen(buf);

		if (!evidence_is_trusted(&s->items[i].evidence))
			continue;
		format_item(text, sizeof(text), s, &s->items[i], r);
		if (!text[0])
			continue;
		if (used + strlen(text) + sizeof(more) + 2 > size) {
			str_append(buf, size, "%s", more); /* all of it is on record */
			return;
		}
		str_append(buf, size, "%s%s", used ? "; " : "", text);
	}
	if (!buf[0])
		str_append(buf, size, "nothing could be measured");
}

void narrate_untrusted(char *buf, size_t size, const struct slot *s)
{
	char clean[UNTRUSTED_SHOWN_MAX];

	buf[0] = '\0';
	for (uint32_t i = 0; i < s->n_items; i++) {
		const struct evidence *evidence = &s->items[i].evidence;

		if (evidence_is_trusted(evidence) || !evidence->text[0])
			continue;
		(void)str_escape(clean, sizeof(clean), evidence->text);
		for (char *p = clean; *p; p++)
			if (*p == '"')
				*p = '\'';
		(void)snprintf(buf, size, " Its log says (untrusted): \"%s\"", clean);
		return;
	}
}

void narrate_blind(char *buf, size_t size, const struct slot *s)
{
	buf[0] = '\0';
	for (uint32_t i = 0; i < s->n_asked; i++) {
		const struct asked *a = &s->asked[i];

		if (a->story || (a->done && !a->blind))
			continue;
		str_append(buf, size, "%s %s", buf[0] ? "," : "; no answer from", a->inspector);
		if (!entity_equal(&a->entity, &s->entity))
			str_append(buf, size, " (of %s)", a->entity.name);
	}
}

const char *narrate_plan(const struct plan *plan, char *buf, size_t size)
{
	char params[RECORD_TEXT_MAX - RULE_NAME_MAX];

	params_format(&plan->step.params, params, sizeof(params));
	(void)snprintf(buf, size, "%s %s", plan->step.action, params);
	return buf;
}
