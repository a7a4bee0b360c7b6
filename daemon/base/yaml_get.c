/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "base/yaml.h"

static bool is_allowed(const char *key, const char *const allowed[])
{
	for (size_t i = 0; allowed[i]; i++)
		if (str_equal(key, allowed[i]))
			return true;
	return false;
}

int yaml_check_keys(const struct yaml_doc *doc, const struct yaml_node *mapping,
		    const char *const allowed[], struct err *reterr)
{
	if (mapping->kind != YAML_KIND_MAPPING)
		return yaml_error(doc, mapping, -EINVAL, reterr, "expected keys and values");
	for (const struct yaml_node *n = mapping->child; n; n = n->next) {
		const char *near = is_allowed(n->key, allowed) ? NULL :
								 str_nearest(n->key, allowed);

		if (near)
			return yaml_error(doc, n, -EINVAL, reterr,
					  "unknown key '%.48s', did you mean '%s'?", n->key, near);
		if (!is_allowed(n->key, allowed))
			return yaml_error(doc, n, -EINVAL, reterr, "unknown key '%.48s'", n->key);
	}
	return 0;
}

/* Returns 1 with the scalar; 0 if absent; -EINVAL where it is null or no scalar. */
static int get_scalar(const struct yaml_doc *doc, const struct yaml_node *mapping, const char *key,
		      const struct yaml_node **ret, struct err *reterr)
{
	const struct yaml_node *n = yaml_find(mapping, key);

	if (!n)
		return 0;
	if (n->kind != YAML_KIND_SCALAR)
		return yaml_error(doc, n, -EINVAL, reterr, "'%s': expected one value", key);
	if (yaml_is_null(n))
		return yaml_error(doc, n, -EINVAL, reterr, "'%s' has no value", key);
	*ret = n;
	return 1;
}

int yaml_get_string(const struct yaml_doc *doc, const struct yaml_node *mapping, const char *key,
		    char *ret, size_t ret_size, struct err *reterr)
{
	const struct yaml_node *n = NULL;
	int r = get_scalar(doc, mapping, key, &n, reterr);

	if (r <= 0)
		return r;
	if (strlen(n->value) >= ret_size)
		return yaml_error(doc, n, -EINVAL, reterr, "'%s' is longer than %zu bytes", key,
				  ret_size - 1);
	(void)str_copy(ret, ret_size, n->value);
	return 1;
}

int yaml_get_u64(const struct yaml_doc *doc, const struct yaml_node *mapping, const char *key,
		 uint64_t min, uint64_t max, uint64_t *ret, struct err *reterr)
{
	const struct yaml_node *n = NULL;
	uint64_t v = 0;
	int r = get_scalar(doc, mapping, key, &n, reterr);

	if (r <= 0)
		return r;
	if (n->quoted || str_parse_u64(n->value, &v) < 0 || v < min || v > max)
		return yaml_error(doc, n, -EINVAL, reterr,
				  "'%s' is '%.48s': expected a whole number from %" PRIu64
				  " to %" PRIu64,
				  key, n->value, min, max);
	*ret = v;
	return 1;
}

int yaml_get_double(const struct yaml_doc *doc, const struct yaml_node *mapping, const char *key,
		    double min, double max, double *ret, struct err *reterr)
{
	const struct yaml_node *n = NULL;
	double v = 0;
	int r = get_scalar(doc, mapping, key, &n, reterr);

	if (r <= 0)
		return r;
	if (n->quoted || str_parse_double(n->value, &v) < 0 || v < min || v > max)
		return yaml_error(doc, n, -EINVAL, reterr,
				  "'%s' is '%.48s': expected a number from %g to %g", key, n->value,
				  min, max);
	*ret = v;
	return 1;
}

int yaml_get_bool(const struct yaml_doc *doc, const struct yaml_node *mapping, const char *key,
		  bool *ret, struct err *reterr)
{
	const struct yaml_node *n = NULL;
	int r = get_scalar(doc, mapping, key, &n, reterr);

	if (r <= 0)
		return r;
	if (n->quoted || (!str_equal(n->value, "true") && !str_equal(n->value, "false")))
		return yaml_error(doc, n, -EINVAL, reterr,
				  "'%s' is '%.48s': expected true or false", key, n->value);
	*ret = str_equal(n->value, "true");
	return 1;
}

bool yaml_is_null(const struct yaml_node *node)
{
	return node->kind == YAML_KIND_SCALAR && !node->quoted &&
	       (node->value[0] == '\0' || str_equal(node->value, "~") ||
		str_equal(node->value, "null"));
}

int yaml_check_list(const struct yaml_doc *doc, const struct yaml_node *list, size_t max,
		    struct err *reterr)
{
	size_t n = 0;

	if (list->kind != YAML_KIND_SEQUENCE)
		return yaml_error(doc, list, -EINVAL, reterr, "'%s': expected a list",
				  list->key ? list->key : "");
	for (const struct yaml_node *i = list->child; i; i = i->next)
		if (++n > max)
			return yaml_error(doc, i, -E2BIG, reterr, "'%s': more than %zu entries",
					  list->key ? list->key : "", max);
	return 0;
}

int yaml_copy_text(const struct yaml_doc *doc, const struct yaml_node *node, char *ret,
		   size_t ret_size, struct err *reterr)
{
	size_t length = node->value ? strlen(node->value) : 0;

	if (node->kind != YAML_KIND_SCALAR || length == 0)
		return yaml_error(doc, node, -EINVAL, reterr, "expected a text");
	while (length > 0 && node->value[length - 1] == '\n')
		length--; /* block scalars end with one */
	if (length >= ret_size)
		return yaml_error(doc, node, -EINVAL, reterr, "longer than %zu bytes",
				  ret_size - 1);
	memcpy(ret, node->value, length);
	ret[length] = '\0';
	return 0;
}

static int read_lookup(const struct yaml_doc *doc, const struct yaml_node *node,
		       const struct yaml_field *f, unsigned *ret, struct err *reterr)
{
	int v = node->kind == YAML_KIND_SCALAR ? f->from_string(node->value) : -EINVAL;

	if (v < 0)
		return yaml_error(doc, node, -EINVAL, reterr, "'%s' is '%.48s': expected %s",
				  f->key, node->value ? node->value : "", f->choices);
	*ret = (unsigned)v;
	return 1;
}

static int read_text(const struct yaml_doc *doc, const struct yaml_node *mapping,
		     const struct yaml_field *f, char *ret, struct err *reterr)
{
	const struct yaml_node *n = NULL;
	int r = get_scalar(doc, mapping, f->key, &n, reterr);

	if (r <= 0)
		return r;
	r = yaml_copy_text(doc, n, ret, f->size, reterr);
	if (r == 0 && f->type == YAML_TYPE_TEXT && strpbrk(ret, "\r\n"))
		return yaml_error(doc, n, -EINVAL, reterr, "'%s' must be one line", f->key);
	return r < 0 ? r : 1;
}

static int read_field(const struct yaml_doc *doc, const struct yaml_node *mapping,
		      const struct yaml_field *f, void *ret, struct err *reterr)
{
	const struct yaml_node *n = yaml_find(mapping, f->key);
	void *at = (char *)ret + f->offset;
	uint64_t u = 0;
	bool b = false;
	int r = 0;

	switch (f->type) {
	case YAML_TYPE_TEXT:
	case YAML_TYPE_LINES:
		return read_text(doc, mapping, f, at, reterr);
	case YAML_TYPE_U32:
		r = yaml_get_u64(doc, mapping, f->key, (uint64_t)f->min, (uint64_t)f->max, &u,
				 reterr);
		if (r > 0)
			*(uint32_t *)at = (uint32_t)u;
		return r;
	case YAML_TYPE_DOUBLE:
		return yaml_get_double(doc, mapping, f->key, f->min, f->max, at, reterr);
	case YAML_TYPE_BOOL:
		r = yaml_get_bool(doc, mapping, f->key, &b, reterr);
		if (r > 0)
			*(uint32_t *)at = b;
		return r;
	case YAML_TYPE_LOOKUP:
		return n ? read_lookup(doc, n, f, at, reterr) : 0;
	case YAML_TYPE_OTHER:
		return n != NULL;
	}
	return 0;
}

int yaml_read(const struct yaml_doc *doc, const struct yaml_node *mapping,
	      const struct yaml_field *fields, void *ret, struct err *reterr)
{
	const char *allowed[YAML_FIELDS_MAX + 1] = { NULL };
	int r;

	for (size_t i = 0; fields[i].key && i < YAML_FIELDS_MAX; i++)
		allowed[i] = fields[i].key;
	r = yaml_check_keys(doc, mapping, allowed, reterr);
	if (r < 0)
		return r;
	for (const struct yaml_field *f = fields; f->key; f++) {
		r = read_field(doc, mapping, f, ret, reterr);
		if (r < 0)
			return r;
		if (r == 0 && f->required)
			return yaml_error(doc, mapping, -EINVAL, reterr, "'%s' is missing", f->key);
	}
	return 0;
}
