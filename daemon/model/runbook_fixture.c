/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/runbook_read.h"

static const char *const runbook_expect_names[] = {
	[RUNBOOK_EXPECT_MATCHED] = "matched",
	[RUNBOOK_EXPECT_REJECTED] = "rejected",
};
LOOKUP_DEFINE(runbook_expect, enum runbook_expect, runbook_expect_names);

static const struct yaml_field fault_fields[] = {
	YAML_TEXT("name", runbook_test, name, false),
	YAML_TEXT("fault", runbook_test, fault, true),
	YAML_OTHER("params", false),
	YAML_END,
};

static const struct yaml_field fixture_fields[] = {
	YAML_TEXT("name", runbook_test, name, true),
	YAML_OTHER("given", true),
	YAML_LOOKUP("expect", runbook_test, expect, true, runbook_expect_from_string,
		    "matched or rejected"),
	YAML_END,
};

static const struct yaml_field search_fields[] = {
	YAML_TEXT("name", runbook_test, name, false),
	YAML_LINES("search", runbook_test, search, true),
	YAML_END,
};

static const char *const given_keys[] = { "entity", "facts", "root_facts", NULL };

static int read_fact(const struct yaml_doc *doc, const struct yaml_node *node, struct fact *f,
		     struct err *reterr)
{
	int r;

	if (str_copy(f->name, sizeof(f->name), node->key) < 0)
		return yaml_error(doc, node, -EINVAL, reterr, "'%.60s' is no fact", node->key);
	if (node->kind == YAML_KIND_SCALAR && !node->quoted &&
	    str_parse_double(node->value, &f->number) == 0) {
		f->type = FACT_TYPE_NUMBER;
		return 0;
	}
	f->type = FACT_TYPE_TEXT;
	if (node->kind == YAML_KIND_SCALAR && node->quoted && node->value[0] == '\0')
		return 0; /* a fact may say "": unit.stopped_by */
	r = yaml_copy_text(doc, node, f->text, sizeof(f->text), reterr);
	return r;
}

static int read_facts(const struct yaml_doc *doc, const struct yaml_node *mapping,
		      struct fact *facts, uint32_t *n_facts, struct err *reterr)
{
	if (!mapping)
		return 0;
	if (mapping->kind != YAML_KIND_MAPPING)
		return yaml_error(doc, mapping, -EINVAL, reterr, "'%s': expected {NAME: VALUE}",
				  mapping->key);
	for (const struct yaml_node *n = mapping->child; n; n = n->next) {
		int r;

		if (*n_facts >= FACTS_MAX)
			return yaml_error(doc, n, -E2BIG, reterr, "'%s': more than %d facts",
					  mapping->key, FACTS_MAX);
		r = read_fact(doc, n, &facts[(*n_facts)++], reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_given(const struct yaml_doc *doc, const struct yaml_node *node,
		      struct runbook_given *given, struct err *reterr)
{
	const struct yaml_node *entity;
	char text[ENTITY_TEXT_MAX] = "";
	struct err cause = { 0 };
	int r = yaml_check_keys(doc, node, given_keys, reterr);

	if (r < 0)
		return r;
	entity = yaml_find(node, "entity");
	if (!entity)
		return yaml_error(doc, node, -EINVAL, reterr, "'entity' is missing");
	r = yaml_copy_text(doc, entity, text, sizeof(text), reterr);
	if (r < 0)
		return r;
	if (entity_parse(text, &given->entity, &cause) < 0)
		return yaml_error(doc, entity, -EINVAL, reterr, "%s", err_text(&cause));
	r = read_facts(doc, yaml_find(node, "facts"), given->facts, &given->n_facts, reterr);
	if (r < 0)
		return r;
	return read_facts(doc, yaml_find(node, "root_facts"), given->root_facts,
			  &given->n_root_facts, reterr);
}

static int read_fault_test(const struct yaml_doc *doc, const struct yaml_node *node,
			   struct runbook_test *t, struct err *reterr)
{
	const struct yaml_node *params = yaml_find(node, "params");
	struct param_texts texts = { 0, t->names, t->values };
	int r = yaml_read(doc, node, fault_fields, t, reterr);

	if (r == 0 && params)
		r = runbook_read_params(doc, params, &texts, reterr);
	t->n_params = texts.n;
	if (r == 0 && t->name[0] == '\0')
		(void)str_copy(t->name, sizeof(t->name), t->fault);
	return r;
}

static int read_test(const struct yaml_doc *doc, const struct yaml_node *node,
		     struct runbook_test *t, struct err *reterr)
{
	int r;

	t->line = node->line;
	if (yaml_find(node, "fault"))
		return read_fault_test(doc, node, t, reterr);
	if (yaml_find(node, "search")) {
		r = yaml_read(doc, node, search_fields, t, reterr);
		if (r == 0 && t->name[0] == '\0')
			(void)str_copy(t->name, sizeof(t->name), t->search);
		return r;
	}
	r = yaml_read(doc, node, fixture_fields, t, reterr);
	return r < 0 ? r : read_given(doc, yaml_find(node, "given"), &t->given, reterr);
}

int runbook_read_tests(const struct yaml_doc *doc, const struct yaml_node *list, struct runbook *r,
		       struct err *reterr)
{
	int k = list ? yaml_check_list(doc, list, RUNBOOK_TESTS_MAX, reterr) : 0;
	uint32_t n = 0;

	if (!list || k < 0)
		return k;
	for (const struct yaml_node *i = list->child; i; i = i->next)
		n++;
	if (n == 0)
		return 0;
	r->tests = calloc(n, sizeof(*r->tests));
	if (!r->tests)
		return err_set(reterr, -ENOMEM, "parse runbook: %s", strerror(ENOMEM));
	for (const struct yaml_node *i = list->child; k == 0 && i; i = i->next)
		k = read_test(doc, i, &r->tests[r->n_tests++], reterr);
	return k;
}
