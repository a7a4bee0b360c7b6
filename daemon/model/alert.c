/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/alert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/confdir.h"
#include "base/str.h"
#include "base/yaml.h"
#include "model/bound.h"

#define ALERT_SPAN_MIN_NS UINT64_C(1000000000)
#define ALERT_SPAN_MAX_NS (UINT64_C(7 * 86400) * 1000000000)

static const struct yaml_field alert_fields[] = {
	YAML_TEXT("id", alert, id, true),
	YAML_TEXT("summary", alert, summary, true),
	YAML_LOOKUP("severity", alert, severity, true, severity_from_string,
		    "info, warning or critical"),
	YAML_TEXT("signal", alert, signal, true),
	YAML_TEXT("rule", alert, rule, true),
	YAML_OTHER("above", false),
	YAML_OTHER("below", false),
	YAML_DOUBLE("clear_below_ratio", alert, clear_ratio, 0, 1),
	YAML_DOUBLE("clear_above_ratio", alert, clear_ratio, 1, 100),
	YAML_U32("for", alert, m, 1, ALERT_WINDOW_MAX),
	YAML_U32("of", alert, n, 1, ALERT_WINDOW_MAX),
	YAML_U32("clear_for", alert, clear_n, 1, ALERT_WINDOW_MAX),
	YAML_OTHER("over", false),
	YAML_OTHER("within", false),
	YAML_DOUBLE("from", alert, from, -1e15, 1e15),
	YAML_DOUBLE("objective", alert, objective, 0.5, 0.999999),
	YAML_DOUBLE("burn", alert, burn, 0.1, 1000),
	YAML_DOUBLE("factor", alert, factor, 1.1, 10000),
	YAML_DOUBLE("z", alert, z, 3, 100),
	YAML_OTHER("tests", false),
	YAML_BOOL("managed_only", alert, managed_only),
	YAML_LINES("reason", alert, reason, true),
	YAML_LINES("source", alert, source, true),
	YAML_END,
};

/* Where m, n and clear_n are not given, each follows from the one before. */
static int read_window(const struct yaml_doc *doc, struct alert *a, struct err *reterr)
{
	a->m = a->m ? a->m : 1;
	a->n = a->n ? a->n : a->m;
	a->clear_n = a->clear_n ? a->clear_n : a->n;
	if (a->m > a->n)
		return yaml_error(doc, yaml_find(yaml_root(doc), "for"), -EINVAL, reterr,
				  "'for' is %u of %u samples", a->m, a->n);
	return 0;
}

static int read_bound(const struct yaml_doc *doc, struct alert *a, struct err *reterr)
{
	const struct yaml_node *root = yaml_root(doc);
	const char *wrong = NULL;
	struct bound b = { 0 };
	int r = bound_read(doc, root, &b, reterr);

	if (r < 0)
		return r;
	if (r == 0)
		return str_equal(a->rule, "absence") ? 0 :
						       yaml_error(doc, root, -EINVAL, reterr,
								  "'above' or 'below' is missing");
	if (str_equal(a->rule, "absence"))
		return yaml_error(doc, yaml_find(root, b.below ? "below" : "above"), -EINVAL,
				  reterr, "'%s' does not go with rule 'absence'",
				  b.below ? "below" : "above");
	a->below = b.below;
	a->bound = b.kind;
	a->threshold = b.number;
	/* The other of the two would make it clear while it fires. */
	wrong = b.below ? "clear_below_ratio" : "clear_above_ratio";
	if (yaml_find(root, wrong))
		return yaml_error(doc, yaml_find(root, wrong), -EINVAL, reterr,
				  "'%s' does not go with '%s'", wrong, b.below ? "below" : "above");
	return 0;
}

static int read_span(const struct yaml_doc *doc, const char *key, uint64_t *ret_ns,
		     struct err *reterr)
{
	const struct yaml_node *node = yaml_find(yaml_root(doc), key);
	uint64_t span_ns = 0;

	if (!node)
		return 0;
	if (node->kind != YAML_KIND_SCALAR || str_parse_span_ns(node->value, &span_ns) < 0 ||
	    span_ns < ALERT_SPAN_MIN_NS || span_ns > ALERT_SPAN_MAX_NS)
		return yaml_error(doc, node, -EINVAL, reterr, "'%s': expected a time of 1s to 168h",
				  key);
	*ret_ns = span_ns;
	return 0;
}

static bool name_is_valid(const char *s)
{
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0' && s[0] != '-';
}

static int read_alert(const struct yaml_doc *doc, struct alert *a, struct err *reterr)
{
	int r = yaml_read(doc, yaml_root(doc), alert_fields, a, reterr);

	if (r < 0)
		return r;
	if (!name_is_valid(a->id))
		return yaml_error(doc, yaml_find(yaml_root(doc), "id"), -EINVAL, reterr,
				  "'%s': expected lower-case letters, digits and '-'", a->id);
	r = read_bound(doc, a, reterr);
	if (r == 0)
		r = read_span(doc, "over", &a->over_ns, reterr);
	if (r == 0)
		r = read_span(doc, "within", &a->within_ns, reterr);
	if (r == 0)
		r = alert_check_keys(doc, a, reterr);
	return r < 0 ? r : read_window(doc, a, reterr);
}

int alert_parse(const char *file_name, const char *text, size_t length, struct alert *ret,
		struct err *reterr)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc = NULL;
	struct alert a = { .clear_ratio = 1, .managed_only = true };
	int r = yaml_parse(file_name, text, length, &doc, reterr);

	if (r == 0)
		r = read_alert(doc, &a, reterr);
	if (r == 0)
		*ret = a;
	return r;
}

static int add_file(const struct confdir_file *file, const char *text, size_t length,
		    void *userdata, struct err *reterr)
{
	char stem[sizeof(file->name)] = "";
	struct alerts *all = userdata;
	struct alert *a = &all->v[all->n];
	int r;

	if (all->n >= ALERTS_MAX)
		return err_set(reterr, -E2BIG, "%s:1:1: more than %d alerts", file->path,
			       ALERTS_MAX);
	r = alert_parse(file->path, text, length, a, reterr);
	if (r < 0)
		return r;
	if (!str_equal(a->id, confdir_stem(file, stem, sizeof(stem))))
		return err_set(reterr, -EINVAL, "%s:1:1: id '%s' is not the file's name",
			       file->path, a->id);
	all->n++;
	return 0;
}

const struct confdir_kind alert_files = { "alerts", ".yaml", YAML_TEXT_MAX, false };

int alerts_load(int root_fd, struct alerts *ret, struct err *reterr)
{
	_cleanup_(alerts_done) struct alerts all = { 0 };
	int r;

	all.v = calloc(ALERTS_MAX, sizeof(*all.v));
	if (!all.v)
		return err_set(reterr, -ENOMEM, "load alerts: %s", strerror(ENOMEM));
	r = confdir_load(root_fd, &alert_files, add_file, &all, reterr);
	if (r < 0)
		return r;
	*ret = all;
	all = (struct alerts){ 0 };
	return 0;
}

void alerts_done(struct alerts *a)
{
	free(a->v);
	*a = (struct alerts){ 0 };
}

const struct alert *alerts_find(const struct alerts *a, const char *id)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (str_equal(a->v[i].id, id))
			return &a->v[i];
	return NULL;
}

int alert_lint(const struct alert *a, const struct signal_spec *signals, const char *const rules[],
	       struct err *reterr)
{
	bool has_signal = !signals, has_rule = !rules;

	for (const struct signal_spec *s = signals; s && s->name; s++)
		has_signal |= str_equal(s->name, a->signal);
	for (size_t i = 0; rules && rules[i]; i++)
		has_rule |= str_equal(rules[i], a->rule);
	if (!has_signal)
		return err_set(reterr, -EINVAL, "alert '%s': no probe has a signal '%s'", a->id,
			       a->signal);
	if (!has_rule)
		return err_set(reterr, -EINVAL, "alert '%s': no rule '%s'", a->id, a->rule);
	return 0;
}
