/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "base/str.h"
#include "model/bound.h"
#include "model/runbook_read.h"

static const struct yaml_field evidence_fields[] = {
	YAML_TEXT("inspector", clause, inspector, true),
	YAML_TEXT("fact", clause, fact, true),
	YAML_OTHER("in", false),
	YAML_OTHER("not_in", false),
	YAML_OTHER("above", false),
	YAML_OTHER("below", false),
	YAML_U32("weight", clause, weight, 0, 10),
	YAML_U32("against", clause, against, 0, 10),
	YAML_BOOL("required", clause, required),
	YAML_BOOL("of_root", clause, of_root),
	YAML_END,
};

/* One that holds rules the runbook out: it needs no weight. */
static const struct yaml_field exclude_fields[] = {
	YAML_TEXT("inspector", clause, inspector, true),
	YAML_TEXT("fact", clause, fact, true),
	YAML_OTHER("in", false),
	YAML_OTHER("not_in", false),
	YAML_OTHER("above", false),
	YAML_OTHER("below", false),
	YAML_BOOL("of_root", clause, of_root),
	YAML_END,
};

static int read_values(const struct yaml_doc *doc, const struct yaml_node *list, struct clause *c,
		       struct err *reterr)
{
	int r = yaml_check_list(doc, list, RUNBOOK_VALUES_MAX, reterr);

	if (r == 0 && !list->child)
		return yaml_error(doc, list, -EINVAL, reterr, "'%s' is empty", list->key);
	for (const struct yaml_node *n = list->child; r == 0 && n; n = n->next)
		r = yaml_copy_text(doc, n, c->values[c->n_values++], sizeof(c->values[0]), reterr);
	return r;
}

/* Exactly one of in, not_in, above, below. */
static int read_test(const struct yaml_doc *doc, const struct yaml_node *node, struct clause *c,
		     struct err *reterr)
{
	const struct yaml_node *in = yaml_find(node, "in"), *not_in = yaml_find(node, "not_in");
	struct bound b = { 0 };
	int bounded = bound_read(doc, node, &b, reterr);

	if (bounded < 0)
		return bounded;
	if ((in != NULL) + (not_in != NULL) + bounded != 1)
		return yaml_error(doc, node, -EINVAL, reterr,
				  "expected one of 'in', 'not_in', 'above' and 'below'");
	if (b.kind != ALERT_BOUND_NUMBER)
		return yaml_error(doc, node, -EINVAL, reterr, "'%s': expected a number",
				  b.below ? "below" : "above");
	if (bounded) {
		c->test = b.below ? CLAUSE_TEST_BELOW : CLAUSE_TEST_ABOVE;
		c->number = b.number;
		return 0;
	}
	c->test = in ? CLAUSE_TEST_IN : CLAUSE_TEST_NOT_IN;
	return read_values(doc, in ? in : not_in, c, reterr);
}

static int read_clause(const struct yaml_doc *doc, const struct yaml_node *node,
		       const struct yaml_field *fields, struct clause *c, struct err *reterr)
{
	int r;

	*c = (struct clause){ .weight = 1, .line = node->line };
	r = yaml_read(doc, node, fields, c, reterr);
	return r < 0 ? r : read_test(doc, node, c, reterr);
}

static int read_clauses(const struct yaml_doc *doc, const struct yaml_node *list,
			const struct yaml_field *fields, struct clause *clauses, uint32_t *n,
			struct err *reterr)
{
	int r = list ? yaml_check_list(doc, list, RUNBOOK_CLAUSES_MAX, reterr) : 0;

	for (const struct yaml_node *i = list ? list->child : NULL; r == 0 && i; i = i->next)
		r = read_clause(doc, i, fields, &clauses[(*n)++], reterr);
	return r;
}

/* A score that no evidence can reach would make the runbook a dead letter. */
static int check_score(const struct yaml_doc *doc, const struct runbook *r, struct err *reterr)
{
	const struct yaml_node *at = yaml_find(yaml_root(doc), "min_score");
	int32_t sum = 0;

	for (uint32_t i = 0; i < r->n_evidence; i++)
		sum += r->evidence[i].weight;
	if (sum < r->min_score)
		return yaml_error(doc, at, -EINVAL, reterr,
				  "'min_score' is %d, but all weights together are %d",
				  r->min_score, sum);
	return 0;
}

static int check_root(const struct yaml_doc *doc, const struct yaml_node *list,
		      const struct clause *clauses, const struct runbook *r, struct err *reterr)
{
	uint32_t i = 0;

	for (const struct yaml_node *n = list ? list->child : NULL; n; n = n->next, i++)
		if (clauses[i].of_root && r->root_fact[0] == '\0')
			return yaml_error(doc, n, -EINVAL, reterr,
					  "'of_root' needs a 'root: fact:NAME'");
	return 0;
}

int runbook_read_clauses(const struct yaml_doc *doc, struct runbook *r, struct err *reterr)
{
	const struct yaml_node *exclude = yaml_find(yaml_root(doc), "exclude");
	const struct yaml_node *evidence = yaml_find(yaml_root(doc), "evidence");
	int k = read_clauses(doc, exclude, exclude_fields, r->exclude, &r->n_exclude, reterr);

	if (k == 0)
		k = read_clauses(doc, evidence, evidence_fields, r->evidence, &r->n_evidence,
				 reterr);
	if (k == 0)
		k = check_score(doc, r, reterr);
	if (k == 0)
		k = check_root(doc, exclude, r->exclude, r, reterr);
	return k < 0 ? k : check_root(doc, evidence, r->evidence, r, reterr);
}
