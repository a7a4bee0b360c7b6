/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/action_alias.h"

#include <errno.h>
#include <string.h>

#include "base/confdir.h"
#include "base/str.h"
#include "base/yaml.h"

static const struct yaml_field file_fields[] = {
	YAML_OTHER("aliases", true),
	YAML_END,
};

static const struct yaml_field alias_fields[] = {
	YAML_TEXT("name", action_alias, name, true),
	YAML_TEXT("action", action_alias, action, true),
	YAML_OTHER("params", false),
	YAML_END,
};

static int read_params(const struct yaml_doc *doc, const struct yaml_node *params,
		       struct action_alias *a, struct err *reterr)
{
	int r = 0;

	if (params->kind != YAML_KIND_MAPPING)
		return yaml_error(doc, params, -EINVAL, reterr,
				  "'params': expected names and values");
	for (const struct yaml_node *n = params->child; r == 0 && n; n = n->next) {
		if (a->n_params == PARAMS_MAX)
			return yaml_error(doc, n, -E2BIG, reterr, "'params': more than %d",
					  PARAMS_MAX);
		if (str_copy(a->params[a->n_params].name, PARAM_NAME_MAX, n->key) < 0)
			return yaml_error(doc, n, -EINVAL, reterr, "'params': a name is too long");
		r = yaml_copy_text(doc, n, a->params[a->n_params].value, PARAM_TEXT_MAX, reterr);
		a->n_params += r == 0;
	}
	return r;
}

static int read_alias(const struct yaml_doc *doc, const struct yaml_node *node,
		      struct action_alias *ret, struct err *reterr)
{
	const struct yaml_node *params = yaml_find(node, "params");
	int r = yaml_read(doc, node, alias_fields, ret, reterr);

	if (r < 0)
		return r;
	if (!str_is_plain_name(ret->name))
		return yaml_error(doc, yaml_find(node, "name"), -EINVAL, reterr,
				  "'%.64s': expected letters, digits, '.', '_' and '-'", ret->name);
	str_append(ret->origin, sizeof(ret->origin), "%s:%u", yaml_file_name(doc), node->line);
	return params ? read_params(doc, params, ret, reterr) : 0;
}

static int add_alias(const struct yaml_doc *doc, const struct yaml_node *node,
		     struct action_aliases *all, struct err *reterr)
{
	struct action_alias one = { 0 };
	uint32_t i = 0;
	int r = read_alias(doc, node, &one, reterr);

	if (r < 0)
		return r;
	while (i < all->n && !str_equal(all->v[i].name, one.name))
		i++;
	if (i == ALIASES_MAX)
		return yaml_error(doc, node, -E2BIG, reterr, "more than %d aliases", ALIASES_MAX);
	all->v[i] = one;
	all->n += i == all->n;
	return 0;
}

int aliases_parse(const char *file_name, const char *text, size_t length, struct action_aliases *a,
		  struct err *reterr)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc = NULL;
	const struct yaml_node *list;
	uint32_t unused = 0;
	int r = yaml_parse(file_name, text, length, &doc, reterr);

	if (r == 0)
		r = yaml_read(doc, yaml_root(doc), file_fields, &unused, reterr);
	if (r < 0)
		return r;
	list = yaml_find(yaml_root(doc), "aliases");
	r = yaml_check_list(doc, list, ALIASES_MAX, reterr);
	for (const struct yaml_node *n = list->child; r == 0 && n; n = n->next)
		r = add_alias(doc, n, a, reterr);
	return r;
}

static int add_file(const struct confdir_file *file, const char *text, size_t length,
		    void *userdata, struct err *reterr)
{
	return aliases_parse(file->path, text, length, userdata, reterr);
}

int aliases_load(int root_fd, struct action_aliases *ret, struct err *reterr)
{
	static const struct confdir_kind kind = { "aliases", ".yaml", YAML_TEXT_MAX, true };
	int r;

	*ret = (struct action_aliases){ 0 };
	r = confdir_load(root_fd, &kind, add_file, ret, reterr);
	if (r < 0)
		*ret = (struct action_aliases){ 0 };
	return r < 0 ? r : 0;
}

static bool has_param(const struct action_info *action, const char *name)
{
	for (const struct param_spec *p = action->params; p->name; p++)
		if (str_equal(p->name, name))
			return true;
	return false;
}

int alias_lint(const struct action_alias *a, const struct action_info *actions, struct err *reterr)
{
	const struct action_info *action = actions;

	while (action->name && !str_equal(action->name, a->action))
		action++;
	if (!action->name)
		return err_set(reterr, -EINVAL, "%s: no action '%s'", a->origin, a->action);
	for (uint32_t i = 0; i < a->n_params; i++)
		if (!has_param(action, a->params[i].name))
			return err_set(reterr, -EINVAL, "%s: '%s' has no parameter '%s'", a->origin,
				       a->action, a->params[i].name);
	return 0;
}

const struct action_alias *aliases_find(const struct action_aliases *a, const char *name)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (str_equal(a->v[i].name, name))
			return &a->v[i];
	return NULL;
}
