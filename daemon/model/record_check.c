/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "model/record.h"
#include "model/record_fields.h"

static int bad(const struct field *f, const char *cause, struct err *reterr)
{
	return err_set(reterr, -EBADMSG, "record field '%s': %s", f->name, cause);
}

/* A name becomes a key of JSON, which nobody escapes. */
static bool is_name(const char *s, size_t size)
{
	return str_is_terminated(s, size) && str_is_plain_name(s);
}

static int check_params(const struct field *f, const struct params *params, struct err *reterr)
{
	if (params->n > PARAMS_MAX)
		return bad(f, "too many parameters", reterr);
	for (uint32_t i = 0; i < params->n; i++) {
		const struct param *p = &params->v[i];

		if (!is_name(p->name, sizeof(p->name)))
			return bad(f, "not the name of a parameter", reterr);
		if (!str_is_terminated(p->text, sizeof(p->text)))
			return bad(f, "text has no end", reterr);
		if ((unsigned)p->type >= _PARAM_TYPE_MAX)
			return bad(f, "no such type of parameter", reterr);
	}
	return 0;
}

static int check_facts(const struct field *f, const struct fact *facts, uint32_t n,
		       struct err *reterr)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!is_name(facts[i].name, sizeof(facts[i].name)))
			return bad(f, "not the name of a fact", reterr);
		if (!str_is_terminated(facts[i].text, sizeof(facts[i].text)))
			return bad(f, "text has no end", reterr);
		if ((unsigned)facts[i].type >= _FACT_TYPE_MAX)
			return bad(f, "no such type of fact", reterr);
		if (!isfinite(facts[i].number))
			return bad(f, "not a finite number", reterr);
	}
	return 0;
}

static int check_scalar(const struct field *f, const void *p, struct err *reterr)
{
	uint32_t u = 0;
	double d = 0;

	switch (f->type) {
	case FIELD_TYPE_TEXT:
		return str_is_terminated(p, f->size) ? 0 : bad(f, "text has no end", reterr);
	case FIELD_TYPE_HEX128:
		return *(const char *)p == '\0' || str_is_hex128(p) ?
			       0 :
			       bad(f, "not 32 hexadecimal digits", reterr);
	case FIELD_TYPE_ENUM:
		memcpy(&u, p, sizeof(u));
		return u < f->max ? 0 : bad(f, "no such value", reterr);
	case FIELD_TYPE_BOOL:
		memcpy(&u, p, sizeof(u));
		return u <= 1 ? 0 : bad(f, "neither true nor false", reterr);
	case FIELD_TYPE_DOUBLE:
		memcpy(&d, p, sizeof(d));
		return isfinite(d) ? 0 : bad(f, "not a finite number", reterr);
	case FIELD_TYPE_ENTITY:
		return entity_is_valid(p) ? 0 : bad(f, "not a valid entity", reterr);
	case FIELD_TYPE_PARAMS:
		return check_params(f, p, reterr);
	case FIELD_TYPE_I32:
	case FIELD_TYPE_U32:
	case FIELD_TYPE_BOOT_NS:
	case FIELD_TYPE_WALL_US:
	case FIELD_TYPE_STEP:
	case FIELD_TYPE_FACTS:
	case FIELD_TYPE_HYPOTHESES:
	case FIELD_TYPE_IDS:
		break;
	}
	return 0;
}

static int check_scalars(const struct field *fields, const void *body, struct err *reterr)
{
	for (const struct field *f = fields; f->name; f++) {
		int r = check_scalar(f, field_at(f, body), reterr);

		if (r < 0)
			return r;
	}
	return 0;
}

static int check_hypotheses(const struct hypothesis *v, uint32_t n, struct err *reterr)
{
	for (uint32_t i = 0; i < n; i++) {
		int r = check_scalars(hypothesis_fields, &v[i], reterr);

		if (r < 0)
			return r;
	}
	return 0;
}

static int check_array(const struct field *f, const void *body, struct err *reterr)
{
	bool is_array = f->type == FIELD_TYPE_FACTS || f->type == FIELD_TYPE_HYPOTHESES ||
			f->type == FIELD_TYPE_IDS;
	uint32_t n = is_array ? field_count(f, body) : 0;

	if (is_array && n > f->max)
		return bad(f, "too many entries", reterr);
	if (f->type == FIELD_TYPE_FACTS)
		return check_facts(f, field_at(f, body), n, reterr);
	if (f->type == FIELD_TYPE_HYPOTHESES)
		return check_hypotheses(field_at(f, body), n, reterr);
	if (f->type == FIELD_TYPE_STEP)
		return check_scalars(plan_step_fields, field_at(f, body), reterr);
	return 0;
}

int record_check(const struct record *record, struct err *reterr)
{
	const struct field *fields = record_fields(record->kind);
	const void *body = &record->event;
	int r;

	if (!fields)
		return err_set(reterr, -EBADMSG, "record field 'kind': no such value");
	if (record->id == 0)
		return err_set(reterr, -EBADMSG, "record field 'id': is zero");
	if (!entity_is_valid(&record->entity))
		return err_set(reterr, -EBADMSG, "record field 'entity': not a valid entity");
	r = check_scalars(fields, body, reterr);
	for (const struct field *f = fields; r == 0 && f->name; f++)
		r = check_array(f, body, reterr);
	return r;
}
