/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "model/runbook.h"

struct lint {
	const struct runbook *r;
	const struct runbook_names *names;
	struct err *reterr;
};

static _printf_(3, 4) int complain(const struct lint *l, unsigned line, const char *format, ...)
{
	char text[ERR_TEXT_MAX] = "";
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return err_set(l->reterr, -EINVAL, "%s:%u: %s", l->r->path, line, text);
}

/* Lines of what has none of its own: the front matter as a whole. */
#define LINE_TOP 1

static bool specs_have(const struct signal_spec *specs, const char *name)
{
	for (; specs && specs->name; specs++)
		if (str_equal(specs->name, name))
			return true;
	return false;
}

static bool is_signal(const struct lint *l, const char *name)
{
	return !l->names->signals || specs_have(l->names->signals, name);
}

/* The engine states the last samples itself under these two names. */
static bool is_signal_inspector(const char *inspector)
{
	return str_equal(inspector, "endpoint") || str_equal(inspector, "signal");
}

static const struct inspector_info *find_inspector(const struct lint *l, const char *name)
{
	for (size_t t = 0; t < RUNBOOK_INSPECTOR_TABLES; t++)
		for (const struct inspector_info *i = l->names->inspectors[t]; i && i->name; i++)
			if (str_equal(i->name, name))
				return i;
	return NULL;
}

static int check_clause(const struct lint *l, const struct clause *c)
{
	const struct inspector_info *i = find_inspector(l, c->inspector);

	if (is_signal_inspector(c->inspector))
		return is_signal(l, c->fact) ?
			       0 :
			       complain(l, c->line, "no probe has a signal '%s'", c->fact);
	if (!l->names->inspectors[0])
		return 0;
	if (!i)
		return complain(l, c->line, "no inspector '%s'", c->inspector);
	if (!specs_have(i->facts, c->fact))
		return complain(l, c->line, "inspector '%s' states no fact '%s'", c->inspector,
				c->fact);
	return 0;
}

static int check_clauses(const struct lint *l, const struct clause *clauses, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		int r = check_clause(l, &clauses[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool clauses_state(const struct lint *l, const struct clause *clauses, uint32_t n,
			  const char *fact)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct inspector_info *info = find_inspector(l, clauses[i].inspector);

		if (str_equal(clauses[i].fact, fact) || (info && specs_have(info->facts, fact)))
			return true;
		if (is_signal_inspector(clauses[i].inspector) && is_signal(l, fact))
			return true;
	}
	return false;
}

/* Whether what this runbook collects can say this. */
static bool is_stated(const struct lint *l, const char *fact)
{
	return !l->names->inspectors[0] ||
	       clauses_state(l, l->r->evidence, l->r->n_evidence, fact) ||
	       clauses_state(l, l->r->exclude, l->r->n_exclude, fact);
}

static int check_cause(const struct lint *l)
{
	for (const char *p = l->r->cause; (p = strchr(p, '{')); p++) {
		char name[SIGNAL_NAME_MAX] = "";

		str_append(name, sizeof(name), "%.*s", (int)strcspn(p + 1, "}"), p + 1);
		if (!str_equal(name, "entity") && !str_equal(name, "root") && !is_stated(l, name))
			return complain(l, LINE_TOP, "cause: nothing collected states '%s'", name);
	}
	return 0;
}

static int check_alerts(const struct lint *l)
{
	const struct runbook *r = l->r;
	uint32_t same = 0;

	for (uint32_t i = 0; l->names->alerts && i < r->n_alerts; i++) {
		const struct alert *a = alerts_find(l->names->alerts, r->alerts[i]);

		if (!a)
			return complain(l, LINE_TOP, "match: no alert '%s'", r->alerts[i]);
		same += str_equal(a->signal, r->verify.expect.signal);
	}
	if (r->n_plan > 0 && same > 0 && same == r->n_alerts)
		return complain(l, LINE_TOP,
				"verify: '%s' is what raised the alert; a proof needs another",
				r->verify.expect.signal);
	return 0;
}

static const struct action_info *find_action(const struct lint *l, const char *name)
{
	for (const struct action_info *a = l->names->actions; a && a->name; a++)
		if (str_equal(a->name, name))
			return a;
	return NULL;
}

static const struct fault_info *find_fault(const struct lint *l, const char *name)
{
	for (const struct fault_info *f = l->names->faults; f && f->name; f++)
		if (str_equal(f->name, name))
			return f;
	return NULL;
}

/* Stands for "$entity" and "$root", which are units when the time comes. */
static const char *substitute(const char *value)
{
	return str_equal(value, "$root") || str_equal(value, "$entity") ? "x.service" : value;
}

static int check_step(const struct lint *l, const struct runbook_step *step)
{
	const struct action_info *a = find_action(l, step->action);
	struct param_text texts[PARAMS_MAX] = { 0 };
	struct params params = { 0 };
	struct err cause = { 0 };

	if (!a)
		return complain(l, step->line, "no action '%s'", step->action);
	for (uint32_t i = 0; i < step->n_params; i++)
		texts[i] = (struct param_text){ step->names[i], substitute(step->values[i]) };
	if (params_parse(a->params, texts, step->n_params, &params, &cause) < 0)
		return complain(l, step->line, "action '%s': %s", a->name, err_text(&cause));
	if (l->r->risk < a->risk)
		return complain(l, step->line, "action '%s' is %s, the runbook only %s", a->name,
				risk_to_string(a->risk), risk_to_string(l->r->risk));
	return 0;
}

static int check_plan(const struct lint *l)
{
	for (uint32_t i = 0; l->names->actions && i < l->r->n_plan; i++) {
		int r = check_step(l, &l->r->plan[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int check_signals(const struct lint *l)
{
	const struct runbook *r = l->r;

	if (r->n_plan > 0 && !is_signal(l, r->verify.expect.signal))
		return complain(l, LINE_TOP, "verify: no probe has a signal '%s'",
				r->verify.expect.signal);
	for (uint32_t i = 0; i < r->n_invariants; i++)
		if (!is_signal(l, r->invariants[i].signal))
			return complain(l, LINE_TOP, "invariants: no probe has a signal '%s'",
					r->invariants[i].signal);
	return 0;
}

static bool names_have(const struct runbook_test *t, const char *name)
{
	for (uint32_t i = 0; i < t->n_params; i++)
		if (str_equal(t->names[i], name))
			return true;
	return false;
}

static bool params_have(const struct param_spec *specs, const char *name)
{
	for (; specs && specs->name; specs++)
		if (str_equal(specs->name, name))
			return true;
	return false;
}

/* Which unit is broken says the one who tests, so a test may leave it out. */
static int check_fault_test(const struct lint *l, const struct runbook_test *t)
{
	const struct fault_info *f = find_fault(l, t->fault);
	struct param_text texts[PARAMS_MAX + 1] = { 0 };
	struct params params = { 0 };
	struct err cause = { 0 };
	size_t n = 0;

	if (!f)
		return complain(l, t->line, "no fault '%s'", t->fault);
	for (uint32_t i = 0; i < t->n_params; i++)
		texts[n++] = (struct param_text){ t->names[i], substitute(t->values[i]) };
	if (params_have(f->params, "unit") && !names_have(t, "unit"))
		texts[n++] = (struct param_text){ "unit", "x.service" };
	if (params_parse(f->params, texts, n, &params, &cause) < 0)
		return complain(l, t->line, "fault '%s': %s", f->name, err_text(&cause));
	return 0;
}

static int check_fixture(const struct lint *l, const struct runbook_test *t)
{
	const struct runbook_given *g = &t->given;

	for (uint32_t i = 0; i < g->n_facts; i++)
		if (!is_stated(l, g->facts[i].name))
			return complain(l, t->line, "test '%.64s': nothing collected states '%s'",
					t->name, g->facts[i].name);
	for (uint32_t i = 0; i < g->n_root_facts; i++)
		if (!is_stated(l, g->root_facts[i].name))
			return complain(l, t->line, "test '%.64s': nothing collected states '%s'",
					t->name, g->root_facts[i].name);
	return 0;
}

static int check_tests(const struct lint *l)
{
	const struct runbook *r = l->r;
	int k = 0;

	for (uint32_t i = 0; k == 0 && i < r->n_tests; i++) {
		if (r->tests[i].search[0] != '\0')
			continue; /* aiopsctl runbooks test */
		if (r->tests[i].fault[0] == '\0')
			k = check_fixture(l, &r->tests[i]);
		else if (l->names->faults)
			k = check_fault_test(l, &r->tests[i]);
	}
	return k;
}

const char *const runbook_sections[] = {
	"What it looks like", "Evidence", "Cause", "Plan", "Verify", "Sources", NULL
};

/* "## NAME" alone on a line, or NULL. */
static const char *find_section(const char *body, const char *name)
{
	char heading[64] = "";
	const char *p;

	str_append(heading, sizeof(heading), "\n## %s\n", name);
	p = strstr(body, heading);
	return p ? p + strlen(heading) : NULL;
}

/* Who is woken at night looks for the same things at the same place in each. */
static int check_sections(const struct lint *l)
{
	const char *p = l->r->body;

	for (size_t i = 0; runbook_is_guide(l->r) && runbook_sections[i]; i++) {
		/* The line feed before a heading may be the one behind the heading before it. */
		const char *next = find_section(i > 0 ? p - 1 : p, runbook_sections[i]);

		if (!next)
			return complain(l, LINE_TOP, "section '## %s' is missing or out of order",
					runbook_sections[i]);
		if (next[strspn(next, "\n")] == '#' || next[strspn(next, "\n")] == '\0')
			return complain(l, LINE_TOP, "section '## %s' is empty",
					runbook_sections[i]);
		p = next;
	}
	return 0;
}

static int check_guide(const struct lint *l)
{
	uint32_t searches = 0;

	for (uint32_t i = 0; i < l->r->n_tests; i++)
		searches += l->r->tests[i].search[0] != '\0';
	if (runbook_is_guide(l->r) && searches < 2)
		return complain(l, LINE_TOP,
				"tests: without 'match' it needs two of {search: ...} at least");
	return check_sections(l);
}

int runbook_lint(const struct runbook *r, const struct runbook_names *names, struct err *reterr)
{
	const struct lint l = { r, names, reterr };
	int k = check_alerts(&l);

	if (k == 0)
		k = check_clauses(&l, r->exclude, r->n_exclude);
	if (k == 0)
		k = check_clauses(&l, r->evidence, r->n_evidence);
	if (k == 0 && r->root_fact[0] && !is_stated(&l, r->root_fact))
		k = complain(&l, LINE_TOP, "root: nothing collected states '%s'", r->root_fact);
	if (k == 0)
		k = check_cause(&l);
	if (k == 0)
		k = check_plan(&l);
	if (k == 0)
		k = check_signals(&l);
	if (k == 0)
		k = check_guide(&l);
	return k < 0 ? k : check_tests(&l);
}
