/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "agent/api.h"

static int add_names(struct json_object *o, const char *key, const char (*names)[RULE_NAME_MAX],
		     uint32_t n)
{
	struct json_object *array = json_object_new_array();

	if (!array || json_add(o, key, array) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		struct json_object *name = json_object_new_string(names[i]);

		if (api_append(array, &name) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_learnt(struct json_object *o, const struct agent *a, const struct runbook *r)
{
	struct engine_learnt l;

	engine_get_learnt(a->engine, r, &l);
	return json_add_string(o, "autonomy_left", autonomy_to_string(l.autonomy)) < 0 ||
			       json_add_u64(o, "tried_count", l.n_tried) < 0 ||
			       json_add_u64(o, "worked_count", l.n_worked) < 0 ||
			       json_add_u64(o, "failed_count", l.n_failed) < 0 ||
			       json_add_u64(o, "wrong_count", l.n_wrong) < 0 ?
		       -ENOMEM :
		       0;
}

int api_add_runbooks(const struct agent *a, struct json_object *o)
{
	struct json_object *array = json_object_new_array();

	if (!array || json_add(o, "runbooks", array) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < a->config.runbooks.n; i++) {
		const struct runbook *r = &a->config.runbooks.v[i];
		_cleanup_json_ struct json_object *one = json_object_new_object();

		if (!one || json_add_string(one, "id", r->id) < 0 ||
		    json_add_string(one, "title", r->title) < 0 ||
		    json_add_string(one, "owner", r->owner) < 0 ||
		    json_add_string(one, "risk", risk_to_string(r->risk)) < 0 ||
		    json_add_string(one, "autonomy", autonomy_to_string(r->autonomy)) < 0 ||
		    add_names(one, "alerts", r->alerts, r->n_alerts) < 0 ||
		    add_learnt(one, a, r) < 0 || json_add_string(one, "path", r->path) < 0 ||
		    api_append(array, &one) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_alert(struct json_object *o, const struct alert *t)
{
	if (json_add_string(o, "id", t->id) < 0 || json_add_string(o, "summary", t->summary) < 0 ||
	    json_add_string(o, "severity", severity_to_string(t->severity)) < 0 ||
	    json_add_string(o, "signal", t->signal) < 0 ||
	    json_add_string(o, "rule", t->rule) < 0 ||
	    json_add_double(o, "threshold", t->threshold) < 0 ||
	    json_add_bool(o, "below", t->below != 0) < 0 ||
	    json_add_u64(o, "for_samples", t->m) < 0 || json_add_u64(o, "of_samples", t->n) < 0 ||
	    json_add_string(o, "reason", t->reason) < 0 ||
	    json_add_string(o, "source", t->source) < 0)
		return -ENOMEM;
	return 0;
}

int api_add_alerts(const struct agent *a, struct json_object *o)
{
	struct json_object *array = json_object_new_array();

	if (!array || json_add(o, "alerts", array) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < a->config.alerts.n; i++) {
		_cleanup_json_ struct json_object *one = json_object_new_object();

		if (!one || add_alert(one, &a->config.alerts.v[i]) < 0 ||
		    api_append(array, &one) < 0)
			return -ENOMEM;
	}
	return 0;
}

int api_add_signals(const struct agent *a, struct json_object *o)
{
	struct json_object *array = json_object_new_array();
	uint64_t now_ns = clock_boot_ns();
	char entity[ENTITY_TEXT_MAX] = "";

	if (!array || json_add(o, "signals", array) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < a->rollups.n; i++) {
		const struct series *s = &a->rollups.v[i];
		_cleanup_json_ struct json_object *one = json_object_new_object();

		if (!one || json_add_string(one, "signal", s->rollup.signal) < 0 ||
		    json_add_string(one, "entity", entity_format(&s->rollup.entity, entity)) < 0 ||
		    json_add_string(one, "source", source_to_string(s->source)) < 0 ||
		    json_add_double(one, "value", s->rollup.last) < 0 ||
		    json_add_u64(one, "age_ms",
				 now_ns > s->t_ns ? (now_ns - s->t_ns) / NS_PER_MS : 0) < 0 ||
		    api_append(array, &one) < 0)
			return -ENOMEM;
	}
	return 0;
}
