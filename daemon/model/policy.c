/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/policy.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/confdir.h"
#include "base/str.h"
#include "base/yaml.h"

#define AUTONOMY_WORDS "observe, suggest, approve or auto"

static const struct yaml_field policy_fields[] = {
	YAML_LOOKUP("mode", policy, mode, false, autonomy_from_string, AUTONOMY_WORDS),
	YAML_OTHER("allow", false),
	YAML_OTHER("limits", false),
	YAML_END,
};

static const struct yaml_field rule_fields[] = {
	YAML_TEXT("action", policy_rule, action, true),
	YAML_OTHER("units", true),
	YAML_LOOKUP("autonomy", policy_rule, autonomy, true, autonomy_from_string, AUTONOMY_WORDS),
	YAML_END,
};

static const struct yaml_field limit_fields[] = {
	YAML_U32("per_entity_per_hour", policy_limits, per_entity_per_hour, 1, 60),
	YAML_U32("per_host_per_hour", policy_limits, per_host_per_hour, 1, 600),
	YAML_U32("cooldown_s", policy_limits, cooldown_s, 0, 86400),
	YAML_U32("approval_s", policy_limits, approval_s, 10, 86400),
	YAML_END,
};

static const struct policy_limits default_limits = {
	.per_entity_per_hour = 3,
	.per_host_per_hour = 10,
	.cooldown_s = 60,
	.approval_s = 900,
};

static bool pattern_is_valid(const char *s)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789:_.\\@-*?";

	return s[strspn(s, allowed)] == '\0';
}

static int read_units(const struct yaml_doc *doc, const struct yaml_node *units,
		      struct policy_rule *rule, struct err *reterr)
{
	int r;

	if (units->kind == YAML_KIND_SCALAR && str_equal(units->value, "managed")) {
		rule->scope = POLICY_SCOPE_MANAGED;
		return 0;
	}
	if (units->kind == YAML_KIND_SCALAR && str_equal(units->value, "any")) {
		rule->scope = POLICY_SCOPE_ANY;
		return 0;
	}
	if (units->kind != YAML_KIND_SEQUENCE)
		return yaml_error(doc, units, -EINVAL, reterr,
				  "'units': expected managed, any or a list of names");
	rule->scope = POLICY_SCOPE_LIST;
	r = yaml_check_list(doc, units, POLICY_UNITS_MAX, reterr);
	for (const struct yaml_node *n = units->child; r == 0 && n; n = n->next) {
		char *unit = rule->units[rule->n_units++];

		r = yaml_copy_text(doc, n, unit, sizeof(rule->units[0]), reterr);
		if (r == 0 && !pattern_is_valid(unit))
			return yaml_error(doc, n, -EINVAL, reterr,
					  "'%.128s': expected a unit's name, with * and ?", unit);
	}
	return r;
}

static int read_rule(const struct yaml_doc *doc, const struct yaml_node *node, struct policy *p,
		     struct err *reterr)
{
	struct policy_rule rule = { 0 };
	struct policy_rule *grown;
	int r;

	if (p->n_rules >= POLICY_RULES_MAX)
		return yaml_error(doc, node, -E2BIG, reterr, "more than %d rules",
				  POLICY_RULES_MAX);
	r = yaml_read(doc, node, rule_fields, &rule, reterr);
	if (r < 0)
		return r;
	r = read_units(doc, yaml_find(node, "units"), &rule, reterr);
	if (r < 0)
		return r;
	str_append(rule.origin, sizeof(rule.origin), "%s:%u", yaml_file_name(doc), node->line);
	grown = reallocarray(p->rules, p->n_rules + 1, sizeof(*p->rules));
	if (!grown)
		return err_set(reterr, -ENOMEM, "load policy: %s", strerror(ENOMEM));
	p->rules = grown;
	p->rules[p->n_rules++] = rule;
	return 0;
}

static int read_policy(const struct yaml_doc *doc, struct policy *p, struct err *reterr)
{
	const struct yaml_node *root = yaml_root(doc), *allow, *limits;
	int r = yaml_read(doc, root, policy_fields, p, reterr);

	if (r < 0)
		return r;
	limits = yaml_find(root, "limits");
	if (limits)
		r = yaml_read(doc, limits, limit_fields, &p->limits, reterr);
	allow = yaml_find(root, "allow");
	if (r == 0 && allow)
		r = yaml_check_list(doc, allow, POLICY_RULES_MAX, reterr);
	for (const struct yaml_node *n = allow ? allow->child : NULL; r == 0 && n; n = n->next)
		r = read_rule(doc, n, p, reterr);
	return r;
}

int policy_parse(const char *file_name, const char *text, size_t length, struct policy *p,
		 struct err *reterr)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc = NULL;
	int r = yaml_parse(file_name, text, length, &doc, reterr);

	if (r < 0)
		return r;
	if (p->limits.per_host_per_hour == 0)
		p->limits = default_limits;
	return read_policy(doc, p, reterr);
}

static int add_file(const struct confdir_file *file, const char *text, size_t length,
		    void *userdata, struct err *reterr)
{
	return policy_parse(file->path, text, length, userdata, reterr);
}

int policy_load(int root_fd, struct policy *ret, struct err *reterr)
{
	static const struct confdir_kind kind = { "policy", ".yaml", YAML_TEXT_MAX, true };
	_cleanup_(policy_done) struct policy p = { 0 };
	int r = confdir_load(root_fd, &kind, add_file, &p, reterr);

	if (r < 0)
		return r;
	if (r == 0)
		return err_set(reterr, -ENOENT,
			       "load policy: no file in policy.d, so nothing may be done");
	*ret = p;
	p = (struct policy){ 0 };
	return 0;
}

void policy_done(struct policy *p)
{
	free(p->rules);
	*p = (struct policy){ 0 };
}

int policy_lint(const struct policy *p, const struct action_info *actions, struct err *reterr)
{
	for (uint32_t i = 0; i < p->n_rules; i++) {
		const struct action_info *a = actions;

		while (a->name && !str_equal(a->name, p->rules[i].action))
			a++;
		if (!a->name)
			return err_set(reterr, -EINVAL, "%s: no action '%s'", p->rules[i].origin,
				       p->rules[i].action);
	}
	return 0;
}

static bool rule_matches(const struct policy_rule *rule, const struct services *services,
			 const char *action, const char *unit)
{
	if (!str_equal(rule->action, action))
		return false;
	switch (rule->scope) {
	case POLICY_SCOPE_MANAGED:
		return services_find_unit(services, unit) != NULL;
	case POLICY_SCOPE_ANY:
		return true;
	case POLICY_SCOPE_LIST:
		break;
	}
	for (uint32_t i = 0; i < rule->n_units; i++)
		if (fnmatch(rule->units[i], unit, FNM_NOESCAPE) == 0)
			return true;
	return false;
}

static void decide(struct decision *d, enum decision_verdict verdict, const char *by,
		   const char *text)
{
	*d = (struct decision){ .verdict = verdict };
	(void)str_copy(d->by, sizeof(d->by), by);
	(void)str_copy(d->text, sizeof(d->text), text);
}

/* The verdict of the lowest of three ceilings, and who set it. */
static void decide_by_rule(const struct policy *policy, const struct policy_rule *rule,
			   enum autonomy runbook_autonomy, struct decision *ret)
{
	static const enum decision_verdict verdicts[] = {
		[AUTONOMY_OBSERVE] = DECISION_DENY,
		[AUTONOMY_SUGGEST] = DECISION_SUGGEST,
		[AUTONOMY_APPROVE] = DECISION_ASK,
		[AUTONOMY_AUTO] = DECISION_ALLOW,
	};
	enum autonomy lowest = rule->autonomy;
	const char *by = "policy";

	if (runbook_autonomy < lowest) {
		lowest = runbook_autonomy;
		by = "runbook";
	}
	if (policy->mode < lowest) {
		lowest = policy->mode;
		by = "mode";
	}
	decide(ret, verdicts[lowest], by, "");
	str_append(ret->text, sizeof(ret->text), "%s says %s; host mode %s, asked for as %s",
		   rule->origin, autonomy_to_string(rule->autonomy),
		   autonomy_to_string(policy->mode), autonomy_to_string(runbook_autonomy));
}

void policy_decide(const struct policy *policy, const struct services *services, const char *action,
		   const char *unit, enum autonomy runbook_autonomy, struct decision *ret)
{
	const struct policy_rule *last = NULL;

	if (!policy) {
		decide(ret, DECISION_DENY, "no-policy", "there is no valid policy");
		return;
	}
	if (policy_unit_is_protected(unit)) {
		decide(ret, DECISION_DENY, "protected",
		       "this unit is protected: nobody may touch it through aiops");
		return;
	}
	for (uint32_t i = 0; i < policy->n_rules; i++)
		if (rule_matches(&policy->rules[i], services, action, unit))
			last = &policy->rules[i];
	if (last)
		decide_by_rule(policy, last, runbook_autonomy, ret);
	else
		decide(ret, DECISION_DENY, "no-rule",
		       "no rule of the policy allows this action on this unit");
}
