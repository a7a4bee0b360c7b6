/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "executor/executor.h"
#include "ipc/agent_rows.h"
#include "ipc/openapi.h"

/* Each action and each alias as a path of its own, with the parameters that its table has. */

static int add_bounds(struct json_object *o, const struct param_spec *p)
{
	_cleanup_json_ struct json_object *choices = NULL;
	int r = 0;

	if (p->type == PARAM_TYPE_INTEGER) {
		r = json_add_i64(o, "minimum", p->min);
		return r == 0 ? json_add_i64(o, "maximum", p->max) : r;
	}
	if (p->type != PARAM_TYPE_ENUM)
		return json_add_string(o, "format", param_type_to_string(p->type));
	choices = json_object_new_array();
	for (const char *const *c = p->choices; choices && *c; c++)
		if (json_object_array_add(choices, json_object_new_string(*c)) < 0)
			return -ENOMEM;
	return choices ? json_add(o, "enum", TAKE_PTR(choices)) : -ENOMEM;
}

static struct json_object *schema_of_param(const struct param_spec *p)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	int r = o ? json_add_string(o, "type",
				    p->type == PARAM_TYPE_INTEGER ? "integer" : "string") :
		    -ENOMEM;

	if (r == 0)
		r = add_bounds(o, p);
	if (r == 0 && p->help)
		r = json_add_string(o, "description", p->help);
	if (r == 0 && p->default_text)
		r = json_add_string(o, "x-default", p->default_text);
	return r == 0 ? TAKE_PTR(o) : NULL;
}

static bool is_fixed(const struct action_alias *a, const char *name)
{
	for (uint32_t i = 0; a && i < a->n_params; i++)
		if (str_equal(a->params[i].name, name))
			return true;
	return false;
}

/* alias: NULL, or what fixes some of them. */
static struct json_object *schema_of_params(const struct action_info *info,
					    const struct action_alias *alias)
{
	_cleanup_json_ struct json_object *o = openapi_schema(""),
					  *required = json_object_new_array();
	struct json_object *properties = NULL;

	if (!o || !required || !json_object_object_get_ex(o, "properties", &properties))
		return NULL;
	for (const struct param_spec *p = info->params; p->name; p++) {
		struct json_object *one = is_fixed(alias, p->name) ? NULL : schema_of_param(p);

		if (is_fixed(alias, p->name))
			continue;
		if (!one || json_add(properties, p->name, one) < 0)
			return NULL;
		if (!p->default_text &&
		    json_object_array_add(required, json_object_new_string(p->name)) < 0)
			return NULL;
	}
	if (json_object_array_length(required) > 0 &&
	    json_add(o, "required", TAKE_PTR(required)) < 0)
		return NULL;
	return json_add(o, "additionalProperties", json_object_new_boolean(false)) < 0 ?
		       NULL :
		       TAKE_PTR(o);
}

static const struct http_endpoint *find_row(const struct http_endpoint *table, const char *path)
{
	while (table->method &&
	       (!str_equal(table->path, path) || !str_equal(table->method, "POST")))
		table++;
	return table->method ? table : NULL;
}

static int add_one(struct json_object *o, const struct http_endpoint *row, const char *name,
		   const struct action_info *info, const struct action_alias *alias)
{
	struct json_object *params = schema_of_params(info, alias);
	char path[160] = "", summary[512] = "";

	if (!params)
		return -ENOMEM;
	str_append(path, sizeof(path), "%.*s%s", (int)strlen(row->path) - 1, row->path, name);
	str_append(summary, sizeof(summary), "%s (%s; undo: %s)", info->summary,
		   risk_to_string(info->risk), info->undo ? info->undo : "none");
	return openapi_add(o, row, path, summary, params);
}

int executor_json_openapi(const struct executor *x, bool on_control, struct json_object **ret)
{
	const struct http_endpoint *actions = find_row(executor_endpoints, "/v1/actions/*"),
				   *aliases = find_row(executor_endpoints, "/action/*");
	_cleanup_json_ struct json_object *o = NULL;
	int r = on_control ? openapi_new(agent_rows, "aiops", &o) :
			     openapi_new(executor_endpoints, "aiops-executor", &o);

	if (r == 0 && on_control)
		r = openapi_add_rows(o, executor_endpoints);
	for (const struct action_info *a = action_table; r == 0 && a->name; a++)
		r = add_one(o, actions, a->name, a, NULL);
	for (uint32_t i = 0; r == 0 && i < x->aliases.n; i++)
		r = add_one(o, aliases, x->aliases.v[i].name,
			    action_info_find(x->aliases.v[i].action), &x->aliases.v[i]);
	if (r == 0)
		*ret = TAKE_PTR(o);
	return r;
}
