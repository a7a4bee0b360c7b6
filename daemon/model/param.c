/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/param.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

static const char *const param_type_names[] = {
	[PARAM_TYPE_INTEGER] = "integer",     [PARAM_TYPE_UNIT] = "unit",
	[PARAM_TYPE_ENUM] = "enum",           [PARAM_TYPE_SPAN] = "span",
	[PARAM_TYPE_CONTAINER] = "container", [PARAM_TYPE_PROCESS] = "process",
	[PARAM_TYPE_SERVICE] = "service",     [PARAM_TYPE_NAME] = "name",
};
LOOKUP_DEFINE(param_type, enum param_type, param_type_names);

#define PROCESS_INIT    1
#define PROCESS_PID_MAX 4194304 /* PID_MAX_LIMIT. Source: proc(5), /proc/sys/kernel/pid_max */

/* What is not ours to print as it came: cut and escaped. */
#define QUOTED_MAX 64
struct quoted {
	char text[QUOTED_MAX];
};

static const char *quote(const char *value, struct quoted *q)
{
	return str_escape(q->text, sizeof(q->text), value);
}

static const char *choices_format(const char *const *choices, char *buf, size_t size)
{
	buf[0] = '\0';
	for (size_t i = 0; choices && choices[i]; i++)
		str_append(buf, size, "%s%s", i ? ", " : "", choices[i]);
	return buf;
}

static int parse_integer(const struct param_spec *spec, const char *value, struct param *p,
			 struct err *reterr)
{
	struct quoted q = { 0 };

	if (str_parse_i64(value, &p->integer) < 0 || p->integer < spec->min ||
	    p->integer > spec->max)
		return err_set(reterr, -EINVAL,
			       "parameter '%s' is '%s': expected %" PRId64 " to %" PRId64 "%s%s",
			       spec->name, quote(value, &q), spec->min, spec->max,
			       spec->unit ? " " : "", spec->unit ? spec->unit : "");
	(void)snprintf(p->text, sizeof(p->text), "%" PRId64, p->integer);
	return 0;
}

static int parse_unit(const struct param_spec *spec, const char *value, struct param *p,
		      struct err *reterr)
{
	struct quoted q = { 0 };

	if (!str_is_unit_name(value) || str_copy(p->text, sizeof(p->text), value) < 0)
		return err_set(
			reterr, -EINVAL,
			"parameter '%s' is '%s': expected a unit's full name, as in 'nginx.service'",
			spec->name, quote(value, &q));
	return 0;
}

static int parse_enum(const struct param_spec *spec, const char *value, struct param *p,
		      struct err *reterr)
{
	struct quoted q = { 0 };
	char allowed[192] = "";

	for (size_t i = 0; spec->choices && spec->choices[i]; i++) {
		if (!str_equal(spec->choices[i], value))
			continue;
		p->integer = (int64_t)i;
		return str_copy(p->text, sizeof(p->text), value);
	}
	return err_set(reterr, -EINVAL, "parameter '%s' is '%s': expected one of %s", spec->name,
		       quote(value, &q), choices_format(spec->choices, allowed, sizeof(allowed)));
}

/* The shortest exact spelling that str_parse_span_ns reads back. */
static void span_format(uint64_t span_ns, char *buf, size_t size)
{
	if (span_ns % NS_PER_S == 0)
		(void)snprintf(buf, size, "%" PRIu64 "s", span_ns / NS_PER_S);
	else
		(void)snprintf(buf, size, "%" PRIu64 "ms", span_ns / NS_PER_MS);
}

static int parse_span(const struct param_spec *spec, const char *value, struct param *p,
		      struct err *reterr)
{
	char min[CLOCK_SPAN_MAX] = "", max[CLOCK_SPAN_MAX] = "";
	struct quoted q = { 0 };
	uint64_t span_ns = 0;

	if (str_parse_span_ns(value, &span_ns) < 0 || span_ns > INT64_MAX ||
	    (int64_t)span_ns < spec->min || (int64_t)span_ns > spec->max)
		return err_set(reterr, -EINVAL,
			       "parameter '%s' is '%s': expected a time from %s to %s, as in '60s'",
			       spec->name, quote(value, &q),
			       clock_format_span((uint64_t)spec->min, min),
			       clock_format_span((uint64_t)spec->max, max));
	p->integer = (int64_t)span_ns;
	span_format(span_ns, p->text, sizeof(p->text));
	return 0;
}

/* A text that a rule accepts whole. */
static int parse_word(const struct param_spec *spec, const char *value,
		      bool (*is_valid)(const char *), const char *expected, struct param *p,
		      struct err *reterr)
{
	struct quoted q = { 0 };

	if (!is_valid(value) || str_copy(p->text, sizeof(p->text), value) < 0)
		return err_set(reterr, -EINVAL, "parameter '%s' is '%s': expected %s", spec->name,
			       quote(value, &q), expected);
	return 0;
}

/* Canonical decimal only, so that one process has one name. */
static int parse_process(const struct param_spec *spec, const char *value, struct param *p,
			 struct err *reterr)
{
	const char *colon = strchr(value, ':');
	char pid_text[16] = "", canonical[48] = "";
	uint64_t pid = 0, start = 0;
	struct quoted q = { 0 };
	bool ok = colon && (size_t)(colon - value) < sizeof(pid_text);

	if (ok)
		memcpy(pid_text, value, (size_t)(colon - value));
	ok = ok && str_parse_u64(pid_text, &pid) == 0 && str_parse_u64(colon + 1, &start) == 0;
	str_append(canonical, sizeof(canonical), "%" PRIu64 ":%" PRIu64, pid, start);
	if (!ok || pid <= PROCESS_INIT || pid > PROCESS_PID_MAX || !str_equal(canonical, value))
		return err_set(
			reterr, -EINVAL,
			"parameter '%s' is '%s': expected PID:STARTTIME, as in '1234:567890', not "
			"pid 1",
			spec->name, quote(value, &q));
	p->integer = (int64_t)pid;
	return str_copy(p->text, sizeof(p->text), value);
}

static int parse_one(const struct param_spec *spec, const char *value, struct param *p,
		     struct err *reterr)
{
	*p = (struct param){ .type = spec->type };
	(void)str_copy(p->name, sizeof(p->name), spec->name);
	switch (spec->type) {
	case PARAM_TYPE_INTEGER:
		return parse_integer(spec, value, p, reterr);
	case PARAM_TYPE_UNIT:
		return parse_unit(spec, value, p, reterr);
	case PARAM_TYPE_ENUM:
		return parse_enum(spec, value, p, reterr);
	case PARAM_TYPE_SPAN:
		return parse_span(spec, value, p, reterr);
	case PARAM_TYPE_CONTAINER:
		return parse_word(spec, value, str_is_container_name,
				  "a container's name, as in 'web-1'", p, reterr);
	case PARAM_TYPE_PROCESS:
		return parse_process(spec, value, p, reterr);
	case PARAM_TYPE_SERVICE:
		return parse_word(spec, value, str_is_plain_name,
				  "a service's name, as services.d has it", p, reterr);
	case PARAM_TYPE_NAME:
		return parse_word(spec, value, str_is_plain_name,
				  "a word of letters, digits and ._-", p, reterr);
	case _PARAM_TYPE_MAX:
		break;
	}
	assert(false && "a type is one of the enum");
	return -EINVAL;
}

static bool specs_have(const struct param_spec *specs, const char *name)
{
	for (; specs->name; specs++)
		if (str_equal(specs->name, name))
			return true;
	return false;
}

static int refuse_unknown(const struct param_spec *specs, const char *name, struct err *reterr)
{
	char known[160] = "";
	struct quoted q = { 0 };

	for (const struct param_spec *s = specs; s->name; s++)
		str_append(known, sizeof(known), "%s%s", s == specs ? "" : ", ", s->name);
	return err_set(reterr, -EINVAL, "parameter '%s' is not known: expected %s", quote(name, &q),
		       known[0] ? known : "none");
}

/* The only value given for name; *ret NULL where there is none. */
static int find_text(const struct param_text *texts, size_t n_texts, const char *name,
		     const char **ret, struct err *reterr)
{
	const char *found = NULL;

	for (size_t i = 0; i < n_texts; i++) {
		if (!str_equal(texts[i].name, name))
			continue;
		if (found)
			return err_set(reterr, -EINVAL, "parameter '%s' is given twice", name);
		found = texts[i].value;
	}
	*ret = found;
	return 0;
}

int params_parse(const struct param_spec *specs, const struct param_text *texts, size_t n_texts,
		 struct params *ret, struct err *reterr)
{
	struct params params = { 0 };

	for (size_t i = 0; i < n_texts; i++)
		if (!specs_have(specs, texts[i].name))
			return refuse_unknown(specs, texts[i].name, reterr);
	for (const struct param_spec *spec = specs; spec->name; spec++) {
		const char *value = NULL;
		int r = find_text(texts, n_texts, spec->name, &value, reterr);

		if (r < 0)
			return r;
		value = value ? value : spec->default_text;
		if (!value)
			return err_set(reterr, -EINVAL, "parameter '%s' is missing: %s", spec->name,
				       spec->help ? spec->help : "it is required");
		assert(params.n < PARAMS_MAX);
		r = parse_one(spec, value, &params.v[params.n], reterr);
		if (r < 0)
			return r;
		params.n++;
	}
	*ret = params;
	return 0;
}

static int check_same(const struct param *came, const struct param *parsed, struct err *reterr)
{
	if (str_equal(came->name, parsed->name) && came->type == parsed->type &&
	    came->integer == parsed->integer && str_equal(came->text, parsed->text))
		return 0;
	return err_set(reterr, -EINVAL, "parameter '%s' is not in its canonical form",
		       parsed->name);
}

int params_check(const struct param_spec *specs, const struct params *params, struct err *reterr)
{
	struct param_text texts[PARAMS_MAX] = { 0 };
	struct params parsed = { 0 };
	int r;

	if (params->n > PARAMS_MAX)
		return err_set(reterr, -EINVAL, "parameters: %" PRIu32 " are too many", params->n);
	for (uint32_t i = 0; i < params->n; i++) {
		const struct param *p = &params->v[i];

		if (!str_is_terminated(p->name, sizeof(p->name)) ||
		    !str_is_terminated(p->text, sizeof(p->text)))
			return err_set(reterr, -EINVAL, "parameter %" PRIu32 ": text has no end",
				       i + 1);
		texts[i] = (struct param_text){ p->name, p->text };
	}
	r = params_parse(specs, texts, params->n, &parsed, reterr);
	if (r < 0)
		return r;
	if (parsed.n != params->n)
		return err_set(reterr, -EINVAL, "parameters: one is missing");
	for (uint32_t i = 0; i < params->n; i++) {
		r = check_same(&params->v[i], &parsed.v[i], reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

const struct param *params_get(const struct params *params, const char *name)
{
	for (uint32_t i = 0; i < params->n; i++)
		if (str_equal(params->v[i].name, name))
			return &params->v[i];
	assert(false && "params passed validation, so it exists");
	return NULL;
}

int64_t params_integer(const struct params *params, const char *name)
{
	return params_get(params, name)->integer;
}

const char *params_text(const struct params *params, const char *name)
{
	return params_get(params, name)->text;
}

uint64_t params_duration_ns(const struct params *params)
{
	for (uint32_t i = 0; i < params->n && i < PARAMS_MAX; i++)
		if (params->v[i].type == PARAM_TYPE_SPAN &&
		    str_equal(params->v[i].name, PARAM_DURATION))
			return (uint64_t)params->v[i].integer;
	return 0;
}

char *params_format(const struct params *params, char *buf, size_t size)
{
	buf[0] = '\0';
	for (uint32_t i = 0; i < params->n; i++)
		str_append(buf, size, "%s%s=%s", i ? " " : "", params->v[i].name,
			   params->v[i].text);
	return buf;
}
