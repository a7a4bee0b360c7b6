/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "base/str.h"
#include "model/runbook_read.h"

static const struct yaml_field step_fields[] = {
	YAML_TEXT("action", runbook_step, action, true),
	YAML_OTHER("params", false),
	YAML_END,
};

int runbook_read_params(const struct yaml_doc *doc, const struct yaml_node *mapping,
			struct param_texts *texts, struct err *reterr)
{
	if (mapping->kind != YAML_KIND_MAPPING)
		return yaml_error(doc, mapping, -EINVAL, reterr,
				  "'params': expected {NAME: VALUE}");
	for (const struct yaml_node *n = mapping->child; n; n = n->next) {
		int r;

		if (texts->n >= PARAMS_MAX)
			return yaml_error(doc, n, -E2BIG, reterr, "more than %d parameters",
					  PARAMS_MAX);
		if (str_copy(texts->names[texts->n], PARAM_NAME_MAX, n->key) < 0)
			return yaml_error(doc, n, -EINVAL, reterr, "'%.48s' is no parameter",
					  n->key);
		r = yaml_copy_text(doc, n, texts->values[texts->n], PARAM_TEXT_MAX, reterr);
		if (r < 0)
			return r;
		texts->n++;
	}
	return 0;
}

static int read_step(const struct yaml_doc *doc, const struct yaml_node *node,
		     struct runbook_step *step, struct err *reterr)
{
	struct param_texts texts = { 0, step->names, step->values };
	const struct yaml_node *params;
	int r = yaml_read(doc, node, step_fields, step, reterr);

	if (r < 0)
		return r;
	params = yaml_find(node, "params");
	if (params)
		r = runbook_read_params(doc, params, &texts, reterr);
	step->n_params = texts.n;
	step->line = node->line;
	return r;
}

int runbook_read_plan(const struct yaml_doc *doc, const struct yaml_node *list, struct runbook *r,
		      struct err *reterr)
{
	int k = list ? yaml_check_list(doc, list, ALTERNATIVES_MAX, reterr) : 0;

	for (const struct yaml_node *n = list ? list->child : NULL; k == 0 && n; n = n->next)
		k = read_step(doc, n, &r->plan[r->n_plan++], reterr);
	return k;
}
