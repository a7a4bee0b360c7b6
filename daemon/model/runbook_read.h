/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/yaml.h"
#include "model/runbook.h"

/* Parts of runbook_parse, one list of the front matter each. list may be NULL: nothing is read.
 * Return 0; -EINVAL, -E2BIG with FILE:LINE:COLUMN; -ENOMEM. */
int runbook_read_clauses(const struct yaml_doc *doc, struct runbook *r,
			 struct err *reterr) _warn_unused_;
int runbook_read_plan(const struct yaml_doc *doc, const struct yaml_node *list, struct runbook *r,
		      struct err *reterr) _warn_unused_;
int runbook_read_tests(const struct yaml_doc *doc, const struct yaml_node *list, struct runbook *r,
		       struct err *reterr) _warn_unused_;

/* A mapping "params: {name: value, ...}" of at most PARAMS_MAX scalars, as texts. */
struct param_texts {
	uint32_t n;
	char (*names)[PARAM_NAME_MAX];
	char (*values)[PARAM_TEXT_MAX];
};
int runbook_read_params(const struct yaml_doc *doc, const struct yaml_node *mapping,
			struct param_texts *texts, struct err *reterr) _warn_unused_;
