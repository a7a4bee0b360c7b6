/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "model/record.h"
#include "model/record_fields.h"

static int add_id(struct json_object *o, const char *key, uint64_t id)
{
	char text[RECORD_ID_MAX] = "";

	return id == 0 ? json_add(o, key, NULL) :
			 json_add_string(o, key, record_id_format(id, text));
}

static int add_entity(struct json_object *o, const char *key, const struct entity *e)
{
	char text[ENTITY_TEXT_MAX] = "";

	return json_add_string(o, key, entity_format(e, text));
}

/* Integers are numbers; units, choices and times are their text. */
static int add_params(struct json_object *o, const char *key, const struct params *params)
{
	_cleanup_json_ struct json_object *all = json_object_new_object();
	int r = all ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < params->n && i < PARAMS_MAX; i++) {
		const struct param *p = &params->v[i];

		r = p->type == PARAM_TYPE_INTEGER ? json_add_i64(all, p->name, p->integer) :
						    json_add_string(all, p->name, p->text);
	}
	return r < 0 ? r : json_add(o, key, TAKE_PTR(all));
}

static int add_facts(struct json_object *o, const char *key, const struct fact *facts, uint32_t n)
{
	_cleanup_json_ struct json_object *all = json_object_new_object();
	int r = all ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < n; i++)
		r = facts[i].type == FACT_TYPE_NUMBER ?
			    json_add_double(all, facts[i].name, facts[i].number) :
			    json_add_string(all, facts[i].name, facts[i].text);
	return r < 0 ? r : json_add(o, key, TAKE_PTR(all));
}

static int add_ids(struct json_object *o, const char *key, const uint64_t *ids, uint32_t n)
{
	_cleanup_json_ struct json_object *all = json_object_new_array();
	char text[RECORD_ID_MAX] = "";

	if (!all)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		struct json_object *id = json_object_new_string(record_id_format(ids[i], text));

		if (!id || json_object_array_add(all, id) < 0) {
			(void)json_object_put(id);
			return -ENOMEM;
		}
	}
	return json_add(o, key, TAKE_PTR(all));
}

static int add_scalar(struct json_object *o, const struct field *f, const void *p)
{
	uint32_t u = 0;
	uint64_t t = 0;
	double d = 0;

	memcpy(&u, p, f->size < sizeof(u) ? f->size : sizeof(u));
	switch (f->type) {
	case FIELD_TYPE_TEXT:
	case FIELD_TYPE_HEX128:
		return json_add_string(o, f->name, p);
	case FIELD_TYPE_ENUM:
		return json_add_string(o, f->name, f->to_string(u));
	case FIELD_TYPE_BOOL:
		return json_add_bool(o, f->name, u != 0);
	case FIELD_TYPE_I32:
		return json_add_i64(o, f->name, (int32_t)u);
	case FIELD_TYPE_U32:
		return json_add_u64(o, f->name, u);
	case FIELD_TYPE_BOOT_NS:
		memcpy(&t, p, sizeof(t));
		return t ? json_add_u64(o, f->name, t) : json_add(o, f->name, NULL);
	case FIELD_TYPE_WALL_US:
		memcpy(&t, p, sizeof(t));
		return json_add_time(o, f->name, t);
	case FIELD_TYPE_DOUBLE:
		memcpy(&d, p, sizeof(d));
		return json_add_double(o, f->name, d);
	case FIELD_TYPE_ENTITY:
		return add_entity(o, f->name, p);
	case FIELD_TYPE_PARAMS:
		return add_params(o, f->name, p);
	case FIELD_TYPE_STEP:
	case FIELD_TYPE_FACTS:
	case FIELD_TYPE_HYPOTHESES:
	case FIELD_TYPE_IDS:
		break;
	}
	return 0;
}

static int add_scalars(struct json_object *o, const struct field *fields, const void *body)
{
	int r = 0;

	for (const struct field *f = fields; r == 0 && f->name; f++)
		r = add_scalar(o, f, field_at(f, body));
	return r;
}

static int add_hypotheses(struct json_object *o, const char *key, const struct hypothesis *v,
			  uint32_t n)
{
	_cleanup_json_ struct json_object *all = json_object_new_array();

	if (!all)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		_cleanup_json_ struct json_object *one = json_object_new_object();

		if (!one || add_scalars(one, hypothesis_fields, &v[i]) < 0 ||
		    json_object_array_add(all, one) < 0)
			return -ENOMEM;
		(void)TAKE_PTR(one);
	}
	return json_add(o, key, TAKE_PTR(all));
}

static int add_step(struct json_object *o, const char *key, const struct plan_step *step)
{
	_cleanup_json_ struct json_object *one = json_object_new_object();

	if (!one || add_scalars(one, plan_step_fields, step) < 0)
		return -ENOMEM;
	return json_add(o, key, TAKE_PTR(one));
}

static int add_array(struct json_object *o, const struct field *f, const void *body)
{
	const void *p = field_at(f, body);
	uint32_t n = f->max ? field_count(f, body) : 0;

	n = n < f->max ? n : f->max;
	if (f->type == FIELD_TYPE_FACTS)
		return add_facts(o, f->name, p, n);
	if (f->type == FIELD_TYPE_HYPOTHESES)
		return add_hypotheses(o, f->name, p, n);
	if (f->type == FIELD_TYPE_IDS)
		return add_ids(o, f->name, p, n);
	return f->type == FIELD_TYPE_STEP ? add_step(o, f->name, p) : 0;
}

static int add_head(struct json_object *o, const struct record *record)
{
	if (add_id(o, "id", record->id) < 0 ||
	    json_add_string(o, "kind", record_kind_to_string(record->kind)) < 0 ||
	    add_id(o, "parent_id", record->parent_id) < 0 ||
	    add_id(o, "incident_id", record->incident_id) < 0 ||
	    json_add_time(o, "time", record->wall_us) < 0 ||
	    json_add_u64(o, "boot_ns", record->t_ns) < 0 ||
	    add_entity(o, "entity", &record->entity) < 0)
		return -ENOMEM;
	return 0;
}

int record_to_json(const struct record *record, struct json_object **ret)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	_cleanup_json_ struct json_object *body = json_object_new_object();
	const struct field *fields = record_fields(record->kind);
	int r = o && body ? add_head(o, record) : -ENOMEM;

	if (r == 0 && fields)
		r = add_scalars(body, fields, &record->event);
	for (const struct field *f = fields; r == 0 && f && f->name; f++)
		r = add_array(body, f, &record->event);
	if (r == 0)
		r = json_add(o, record_kind_to_string(record->kind), TAKE_PTR(body));
	if (r == 0)
		*ret = TAKE_PTR(o);
	return r;
}
