/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/bound.h"
#include "model/runbook_read.h"

static const struct yaml_field runbook_fields[] = {
	YAML_TEXT("id", runbook, id, true),
	YAML_TEXT("title", runbook, title, true),
	YAML_TEXT("owner", runbook, owner, true),
	YAML_LOOKUP("risk", runbook, risk, true, risk_from_string,
		    "read, reversible, disruptive or destructive"),
	YAML_LOOKUP("autonomy", runbook, autonomy, true, autonomy_from_string,
		    "observe, suggest, approve or auto"),
	YAML_LINES("when_not_to_use", runbook, when_not_to_use, true),
	YAML_OTHER("match", false),
	YAML_OTHER("exclude", false),
	YAML_OTHER("evidence", false),
	YAML_U32("min_score", runbook, min_score, 1, 100),
	YAML_OTHER("root", false),
	YAML_LINES("cause", runbook, cause, false),
	YAML_OTHER("plan", false),
	YAML_OTHER("verify", false),
	YAML_OTHER("invariants", false),
	YAML_OTHER("limits", false),
	YAML_OTHER("tests", false),
	YAML_END,
};

static const struct yaml_field verify_fields[] = {
	YAML_TEXT("signal", runbook_verify, expect.signal, true),
	YAML_OTHER("above", false),
	YAML_OTHER("below", false),
	YAML_U32("settle_s", runbook_verify, settle_s, 0, 600),
	YAML_U32("sustain_s", runbook_verify, sustain_s, 1, 600),
	YAML_U32("within_s", runbook_verify, within_s, 1, 3600),
	YAML_END,
};

static const struct yaml_field invariant_fields[] = {
	YAML_TEXT("signal", expectation, signal, true),
	YAML_OTHER("above", false),
	YAML_OTHER("below", false),
	YAML_END,
};

static const struct yaml_field limit_fields[] = {
	YAML_U32("per_hour", runbook, per_hour, 1, 60),
	YAML_U32("cooldown_s", runbook, cooldown_s, 0, 86400),
	YAML_END,
};

static int read_match(const struct yaml_doc *doc, const struct yaml_node *match, struct runbook *r,
		      struct err *reterr)
{
	static const char *const keys[] = { "alerts", NULL };
	int k = yaml_check_keys(doc, match, keys, reterr);
	const struct yaml_node *alerts;

	if (k < 0)
		return k;
	alerts = yaml_find(match, "alerts");
	if (!alerts || !alerts->child)
		return yaml_error(doc, match, -EINVAL, reterr, "'alerts' is missing");
	k = yaml_check_list(doc, alerts, RUNBOOK_ALERTS_MAX, reterr);
	for (const struct yaml_node *n = alerts->child; k == 0 && n; n = n->next)
		k = yaml_copy_text(doc, n, r->alerts[r->n_alerts++], sizeof(r->alerts[0]), reterr);
	return k;
}

/* "entity", or "fact:NAME": the evidence that names the unit at fault. */
static int read_root(const struct yaml_doc *doc, const struct yaml_node *root, struct runbook *r,
		     struct err *reterr)
{
	char text[sizeof("fact:") + SIGNAL_NAME_MAX] = "";
	int k;

	if (!root)
		return 0;
	k = yaml_copy_text(doc, root, text, sizeof(text), reterr);
	if (k < 0 || str_equal(text, "entity"))
		return k;
	if (strncmp(text, "fact:", 5) != 0 || text[5] == '\0' ||
	    str_copy(r->root_fact, sizeof(r->root_fact), text + 5) < 0)
		return yaml_error(doc, root, -EINVAL, reterr,
				  "'root' is '%s': expected entity or fact:NAME", text);
	return 0;
}

static int read_expectation(const struct yaml_doc *doc, const struct yaml_node *node,
			    struct expectation *e, struct err *reterr)
{
	struct bound b = { 0 };
	int k = bound_read(doc, node, &b, reterr);

	if (k < 0)
		return k;
	if (k == 0)
		return yaml_error(doc, node, -EINVAL, reterr, "'above' or 'below' is missing");
	e->test = b.below ? CLAUSE_TEST_BELOW : CLAUSE_TEST_ABOVE;
	e->bound = b.kind;
	e->number = b.number;
	return 0;
}

static int read_verify(const struct yaml_doc *doc, const struct yaml_node *node, struct runbook *r,
		       struct err *reterr)
{
	struct runbook_verify *v = &r->verify;
	int k;

	if (!node && r->n_plan == 0)
		return 0;
	if (!node)
		return yaml_error(doc, yaml_root(doc), -EINVAL, reterr,
				  "'verify' is missing: a plan needs a proof");
	v->sustain_s = 5;
	v->within_s = 60;
	k = yaml_read(doc, node, verify_fields, v, reterr);
	if (k == 0)
		k = read_expectation(doc, node, &v->expect, reterr);
	if (k == 0 && v->settle_s + v->sustain_s > v->within_s)
		return yaml_error(doc, node, -EINVAL, reterr,
				  "'within_s' is under 'settle_s' and 'sustain_s' together");
	return k;
}

static int read_invariants(const struct yaml_doc *doc, const struct yaml_node *list,
			   struct runbook *r, struct err *reterr)
{
	int k = list ? yaml_check_list(doc, list, RUNBOOK_INVARIANTS_MAX, reterr) : 0;

	for (const struct yaml_node *n = list ? list->child : NULL; k == 0 && n; n = n->next) {
		struct expectation *e = &r->invariants[r->n_invariants++];

		k = yaml_read(doc, n, invariant_fields, e, reterr);
		if (k == 0)
			k = read_expectation(doc, n, e, reterr);
	}
	return k;
}

static int check_id(const struct yaml_doc *doc, const struct runbook *r, struct err *reterr)
{
	size_t length = strspn(r->id, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (r->id[length] == '\0' && r->id[0] != '-' && !str_equal(r->id, "unknown"))
		return 0;
	return yaml_error(doc, yaml_find(yaml_root(doc), "id"), -EINVAL, reterr,
			  "'%s': expected lower-case letters, digits and '-', not \"unknown\"",
			  r->id);
}

/* "{name}" slots that end, with nothing else in them. */
static int check_cause(const struct yaml_doc *doc, const struct runbook *r, struct err *reterr)
{
	for (const char *p = r->cause; (p = strpbrk(p, "{}")); p++) {
		size_t length = strcspn(p + 1, "{} ");

		if (*p == '}' || length == 0 || p[1 + length] != '}')
			return yaml_error(doc, yaml_find(yaml_root(doc), "cause"), -EINVAL, reterr,
					  "'cause': '%.32s': expected {FACT}", p);
		p += length + 1;
	}
	return 0;
}

static int read_lists(const struct yaml_doc *doc, struct runbook *r, struct err *reterr)
{
	const struct yaml_node *root = yaml_root(doc);
	int k = runbook_read_clauses(doc, r, reterr);

	if (k == 0)
		k = runbook_read_plan(doc, yaml_find(root, "plan"), r, reterr);
	if (k == 0)
		k = read_verify(doc, yaml_find(root, "verify"), r, reterr);
	if (k == 0)
		k = read_invariants(doc, yaml_find(root, "invariants"), r, reterr);
	if (k == 0)
		k = runbook_read_tests(doc, yaml_find(root, "tests"), r, reterr);
	return k;
}

/* What only a machine reads, and all of what it needs. */
static const struct {
	const char *key;
	bool needed;
} machine_keys[] = {
	{ "match", true },       { "evidence", true }, { "min_score", true }, { "cause", true },
	{ "exclude", false },    { "root", false },    { "plan", false },     { "verify", false },
	{ "invariants", false }, { "limits", false },
};

/* Without "match" a runbook is for people alone, and then it must not look as if it were more. */
static int check_audience(const struct yaml_doc *doc, const struct runbook *r, struct err *reterr)
{
	const struct yaml_node *root = yaml_root(doc), *match = yaml_find(root, "match");

	for (size_t i = 0; i < ELEMENTSOF(machine_keys); i++) {
		const struct yaml_node *node = yaml_find(root, machine_keys[i].key);

		if (match && !node && machine_keys[i].needed)
			return yaml_error(doc, root, -EINVAL, reterr, "'%s' is missing",
					  machine_keys[i].key);
		if (!match && node)
			return yaml_error(doc, node, -EINVAL, reterr,
					  "'%s': without 'match' it is for people alone",
					  machine_keys[i].key);
	}
	if (!match && r->autonomy > AUTONOMY_SUGGEST)
		return yaml_error(doc, yaml_find(root, "autonomy"), -EINVAL, reterr,
				  "'autonomy': without 'match' it can only suggest");
	return 0;
}

static int read_front_matter(const struct yaml_doc *doc, struct runbook *r, struct err *reterr)
{
	const struct yaml_node *root = yaml_root(doc), *limits;
	int k = yaml_read(doc, root, runbook_fields, r, reterr);

	if (k == 0)
		k = check_id(doc, r, reterr);
	if (k == 0)
		k = check_audience(doc, r, reterr);
	if (k == 0)
		k = check_cause(doc, r, reterr);
	if (k == 0 && yaml_find(root, "match"))
		k = read_match(doc, yaml_find(root, "match"), r, reterr);
	if (k == 0)
		k = read_root(doc, yaml_find(root, "root"), r, reterr);
	limits = yaml_find(root, "limits");
	if (k == 0 && limits)
		k = yaml_read(doc, limits, limit_fields, r, reterr);
	return k < 0 ? k : read_lists(doc, r, reterr);
}

/* Where the line "---" that closes the front matter begins, or NULL. The opening one stays part of
 * the YAML (it begins a document), so line numbers are those of the file. */
static const char *find_end(const char *text, size_t length)
{
	const char *p = text;

	if (length < 4 || memcmp(text, "---\n", 4) != 0)
		return NULL;
	while ((p = memmem(p, length - (size_t)(p - text), "\n---", 4))) {
		size_t left = length - (size_t)(p - text);

		p++;
		if (left == 4 || p[3] == '\n')
			return p;
	}
	return NULL;
}

static int copy_body(const char *file_name, const char *body, size_t length, struct runbook *r,
		     struct err *reterr)
{
	if (length > RUNBOOK_BODY_MAX)
		return err_set(reterr, -E2BIG, "%s:1:1: text is longer than %d bytes", file_name,
			       RUNBOOK_BODY_MAX);
	if (!str_is_clean_text(body, length))
		return err_set(reterr, -EBADMSG,
			       "%s:1:1: not UTF-8, or a control character, in the text", file_name);
	r->body = malloc(length + 1); /* no NUL ends it: not for strndup(3) */
	if (!r->body)
		return err_set(reterr, -ENOMEM, "parse runbook: %s", strerror(ENOMEM));
	memcpy(r->body, body, length);
	r->body[length] = '\0';
	return 0;
}

int runbook_parse(const char *file_name, const char *text, size_t length, struct runbook *ret,
		  struct err *reterr)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc = NULL;
	_cleanup_(runbook_done) struct runbook r = { .per_hour = 3, .cooldown_s = 60 };
	const char *end = find_end(text, length), *body;
	int k;

	if (!end)
		return err_set(reterr, -EINVAL,
			       "%s:1:1: expected front matter between two lines \"---\"",
			       file_name);
	body = end + 3 + (end + 3 < text + length);
	k = yaml_parse(file_name, text, (size_t)(end - text), &doc, reterr);
	if (k == 0)
		k = read_front_matter(doc, &r, reterr);
	if (k == 0)
		k = copy_body(file_name, body, length - (size_t)(body - text), &r, reterr);
	if (k < 0)
		return k;
	(void)str_copy(r.path, sizeof(r.path), file_name);
	*ret = r;
	r = (struct runbook){ 0 };
	return 0;
}

void runbook_done(struct runbook *r)
{
	free(r->tests);
	free(r->body);
	*r = (struct runbook){ 0 };
}
