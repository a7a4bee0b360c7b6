/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/alert_test.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

struct expander {
	const char *p;
	double *v;
	size_t n, max;
	uint64_t noise;
};

/* -1 to 1, the same each time. Source: Marsaglia, Xorshift RNGs, xorshift64. */
static double noise(struct expander *x)
{
	x->noise ^= x->noise << 13;
	x->noise ^= x->noise >> 7;
	x->noise ^= x->noise << 17;
	return (double)(x->noise >> 11) / 4503599627370496.0 - 1;
}

/* No strtod(): to that, 0x10 is sixteen. */
static int take_number(struct expander *x, double *ret)
{
	char number[32] = "";
	size_t sign = *x->p == '-', length = sign + strspn(x->p + sign, "0123456789.e");

	if (length == sign || length >= sizeof(number))
		return -EINVAL;
	memcpy(number, x->p, length);
	x->p += length;
	return str_parse_double(number, ret);
}

/* "xN", or nothing for once. */
static int take_times(struct expander *x, uint64_t *ret)
{
	char number[16] = "";
	size_t length;

	*ret = 1;
	if (*x->p != 'x')
		return 0;
	length = strspn(x->p + 1, "0123456789");
	if (length == 0 || length >= sizeof(number))
		return -EINVAL;
	memcpy(number, x->p + 1, length);
	x->p += 1 + length;
	return str_parse_u64(number, ret);
}

static int put(struct expander *x, double value)
{
	if (x->n >= x->max)
		return -E2BIG;
	if (x->v)
		x->v[x->n] = value;
	x->n++;
	return 0;
}

static int take_values(struct expander *x)
{
	double value = NAN, by = 0;
	uint64_t times;
	char how = 0;
	int r = 0;

	if (*x->p == '_')
		x->p++;
	else
		r = take_number(x, &value);
	if (r == 0 && *x->p && strchr("+-~", *x->p)) {
		how = *x->p++;
		r = take_number(x, &by);
	}
	if (r == 0)
		r = take_times(x, &times);
	for (uint64_t i = 0; r == 0 && i < times; i++)
		r = put(x, how == '~' ? value + by * noise(x) :
			   how == '-' ? value - by * (double)i :
					value + by * (double)i);
	return r;
}

/* What was written since `from` once more, and so on. */
static int repeat(struct expander *x, size_t from)
{
	size_t length = x->n - from;
	uint64_t times;
	int r = take_times(x, &times);

	for (uint64_t k = 1; r == 0 && length > 0 && k < times; k++)
		for (size_t i = 0; r == 0 && i < length; i++)
			r = put(x, x->v ? x->v[from + i] : 0);
	return r;
}

ssize_t alert_test_expand(const char *values, double *ret, size_t max, struct err *reterr)
{
	struct expander x = { .p = values, .v = ret, .max = max, .noise = 88172645463325252 };
	size_t group = SIZE_MAX;
	int r = 0;

	while (r == 0 && *x.p) {
		if (*x.p == ' ' || *x.p == '\n') {
			x.p++;
		} else if (*x.p == '(' && group == SIZE_MAX) {
			group = x.n;
			x.p++;
		} else if (*x.p == ')' && group != SIZE_MAX) {
			x.p++;
			r = repeat(&x, group);
			group = SIZE_MAX;
		} else {
			r = take_values(&x);
		}
	}
	if (r == -E2BIG)
		return err_set(reterr, r, "more than %zu values", max);
	if (r < 0 || group != SIZE_MAX || x.n == 0)
		return err_set(reterr, -EINVAL, "no values, or not at '%.20s'", x.p);
	return (ssize_t)x.n;
}

static int read_time(const struct yaml_doc *doc, const struct yaml_node *node, uint64_t *ret_ns,
		     struct err *reterr)
{
	if (node->kind != YAML_KIND_SCALAR || str_parse_span_ns(node->value, ret_ns) < 0)
		return yaml_error(doc, node, -EINVAL, reterr, "expected a time such as 90s");
	return 0;
}

static int read_span(const struct yaml_doc *doc, const struct yaml_node *mapping, const char *key,
		     uint64_t *ret_ns, struct err *reterr)
{
	const struct yaml_node *node = yaml_find(mapping, key);

	return node ? read_time(doc, node, ret_ns, reterr) : 0;
}

/* A time, or a list of times. */
static int read_times(const struct yaml_doc *doc, const struct yaml_node *node, uint64_t *times_ns,
		      uint32_t *n, struct err *reterr)
{
	int r;

	if (!node)
		return 0;
	if (node->kind == YAML_KIND_SCALAR) {
		*n = 1;
		return read_time(doc, node, times_ns, reterr);
	}
	r = yaml_check_list(doc, node, ALERT_TEST_EVENTS_MAX, reterr);
	for (const struct yaml_node *t = node->child; r == 0 && t; t = t->next)
		r = read_time(doc, t, &times_ns[(*n)++], reterr);
	return r;
}

/* Something of the signal's kind: "unit.x" is of a unit. */
static struct entity some_entity(const char *signal)
{
	char kind[SIGNAL_NAME_MAX] = "";
	size_t length = strcspn(signal, ".");
	int k;

	if (length < sizeof(kind))
		memcpy(kind, signal, length);
	k = entity_kind_from_string(kind);
	if (k < 0 || k == ENTITY_KIND_HOST)
		return entity_make(ENTITY_KIND_HOST, "");
	return entity_make((enum entity_kind)k, k == ENTITY_KIND_UNIT ? "test.service" : "test");
}

static int read_values(const struct yaml_doc *doc, const struct yaml_node *node,
		       struct alert_test *t, struct err *reterr)
{
	struct err err = { 0 };
	ssize_t n;

	if (yaml_copy_text(doc, node, t->values, sizeof(t->values), reterr) < 0)
		return -EINVAL;
	n = alert_test_expand(t->values, NULL, ALERT_TEST_VALUES_MAX, &err);
	if (n < 0)
		return yaml_error(doc, node, (int)n, reterr, "%s", err_text(&err));
	t->n_values = (uint32_t)n;
	return 0;
}

static const struct yaml_field test_fields[] = {
	YAML_TEXT("name", alert_test, name, true),
	YAML_OTHER("of", false),
	YAML_OTHER("every", false),
	YAML_OTHER("values", true),
	YAML_OTHER("until", false),
	YAML_OTHER("fires", false),
	YAML_OTHER("clears", false),
	YAML_END,
};

static int read_entity(const struct yaml_doc *doc, const struct yaml_node *node, struct entity *ret,
		       struct err *reterr)
{
	struct err err = { 0 };

	if (!node)
		return 0;
	if (node->kind != YAML_KIND_SCALAR || entity_parse(node->value, ret, &err) < 0)
		return yaml_error(doc, node, -EINVAL, reterr, "%s", err_text(&err));
	return 0;
}

static int read_test(const struct yaml_doc *doc, const struct yaml_node *node, const char *signal,
		     struct alert_test *t, struct err *reterr)
{
	int r = yaml_read(doc, node, test_fields, t, reterr);

	t->entity = some_entity(signal);
	t->every_ns = NS_PER_S;
	if (r == 0)
		r = read_entity(doc, yaml_find(node, "of"), &t->entity, reterr);
	if (r == 0)
		r = read_span(doc, node, "every", &t->every_ns, reterr);
	if (r == 0 && (t->every_ns < NS_PER_MS || t->every_ns > 3600 * NS_PER_S))
		r = yaml_error(doc, yaml_find(node, "every"), -EINVAL, reterr,
			       "expected a time of 1ms to 1h");
	if (r == 0)
		r = read_values(doc, yaml_find(node, "values"), t, reterr);
	if (r < 0)
		return r;
	t->until_ns = t->n_values * t->every_ns;
	r = read_span(doc, node, "until", &t->until_ns, reterr);
	if (r == 0 && t->until_ns > 60 * 86400 * NS_PER_S)
		r = yaml_error(doc, yaml_find(node, "until"), -EINVAL, reterr, "over 60 days");
	if (r == 0)
		r = read_times(doc, yaml_find(node, "fires"), t->fires_ns, &t->n_fires, reterr);
	if (r == 0)
		r = read_times(doc, yaml_find(node, "clears"), t->clears_ns, &t->n_clears, reterr);
	return r;
}

int alert_tests_parse(const char *file_name, const char *text, size_t length,
		      struct alert_tests *ret, struct err *reterr)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc = NULL;
	const struct yaml_node *list, *signal;
	int r = yaml_parse(file_name, text, length, &doc, reterr);

	if (r < 0)
		return r;
	ret->n = 0;
	list = yaml_find(yaml_root(doc), "tests");
	signal = yaml_find(yaml_root(doc), "signal");
	if (!list)
		return 0;
	r = yaml_check_list(doc, list, ALERT_TESTS_MAX, reterr);
	for (const struct yaml_node *n = list->child; r == 0 && n; n = n->next) {
		struct alert_test *t = &ret->v[ret->n++];

		memset(t, 0, sizeof(*t));
		r = read_test(doc, n,
			      signal && signal->kind == YAML_KIND_SCALAR ? signal->value : "", t,
			      reterr);
	}
	return r;
}
