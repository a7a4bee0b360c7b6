/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/policy.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/confdir.h"
#include "base/str.h"
#include "base/yaml.h"

#define AUTONOMY_WORDS "observe, suggest, approve or auto"

static const char *const policy_scope_names[] = {
	[POLICY_SCOPE_MANAGED] = "managed",
	[POLICY_SCOPE_ANY] = "any",
	[POLICY_SCOPE_HOST] = "host",
	[POLICY_SCOPE_LIST] = "list",
};
LOOKUP_DEFINE(policy_scope, enum policy_scope, policy_scope_names);

static const struct yaml_field policy_fields[] = {
	YAML_LOOKUP("mode", policy, mode, false, autonomy_from_string, AUTONOMY_WORDS),
	YAML_OTHER("allow", false),
	YAML_OTHER("limits", false),
	YAML_OTHER("protected_containers", false),
	YAML_END,
};

static const struct yaml_field rule_fields[] = {
	YAML_TEXT("action", policy_rule, action, true),
	YAML_OTHER("on", true),
	YAML_LOOKUP("autonomy", policy_rule, autonomy, true, autonomy_from_string, AUTONOMY_WORDS),
	YAML_END,
};

static const struct yaml_field limit_fields[] = {
	YAML_U32("per_entity_per_hour", policy_limits, per_entity_per_hour, 1, 60),
	YAML_U32("per_host_per_hour", policy_limits, per_host_per_hour, 1, 600),
	YAML_U32("per_action_per_hour", policy_limits, per_action_per_hour, 1, 600),
	YAML_U32("cooldown_s", policy_limits, cooldown_s, 0, 86400),
	YAML_U32("approval_s", policy_limits, approval_s, 10, 86400),
	YAML_U32("duration_s", policy_limits, duration_s, 10, 86400),
	YAML_END,
};

static const struct policy_limits default_limits = {
	.per_entity_per_hour = 3,
	.per_host_per_hour = 10,
	.cooldown_s = 60,
	.approval_s = 900,
	.duration_s = 86400,
};

static bool pattern_is_valid(const char *s)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789:_.\\@-*?";

	return s[strspn(s, allowed)] == '\0';
}

/* "unit:web-*.service": a kind that actions have, and a pattern for its names. */
static bool entity_pattern_is_valid(const char *s)
{
	static const char *const prefixes[] = { "unit:", "container:" };

	if (str_equal(s, "host"))
		return true;
	for (size_t i = 0; i < ELEMENTSOF(prefixes); i++)
		if (strncmp(s, prefixes[i], strlen(prefixes[i])) == 0)
			return s[strlen(prefixes[i])] && pattern_is_valid(s);
	return false;
}

static int read_on(const struct yaml_doc *doc, const struct yaml_node *on, struct policy_rule *rule,
		   struct err *reterr)
{
	int scope = on->kind == YAML_KIND_SCALAR ? policy_scope_from_string(on->value) : -EINVAL;
	int r;

	if (scope >= 0 && scope != POLICY_SCOPE_LIST) {
		rule->scope = (enum policy_scope)scope;
		return 0;
	}
	if (on->kind != YAML_KIND_SEQUENCE)
		return yaml_error(doc, on, -EINVAL, reterr,
				  "'on': expected managed, any, host or a list of KIND:NAME");
	rule->scope = POLICY_SCOPE_LIST;
	r = yaml_check_list(doc, on, POLICY_ENTITIES_MAX, reterr);
	for (const struct yaml_node *n = on->child; r == 0 && n; n = n->next) {
		char *text = rule->entities[rule->n_entities++];

		r = yaml_copy_text(doc, n, text, sizeof(rule->entities[0]), reterr);
		if (r == 0 && !entity_pattern_is_valid(text))
			return yaml_error(
				doc, n, -EINVAL, reterr,
				"'%.128s': expected unit:NAME, container:NAME or host, with * "
				"and ? in NAME",
				text);
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
	r = read_on(doc, yaml_find(node, "on"), &rule, reterr);
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

/* The lists of all files together: one file cannot take away what another protects. */
static int read_protected(const struct yaml_doc *doc, const struct yaml_node *list,
			  struct policy *p, struct err *reterr)
{
	int r = yaml_check_list(doc, list, POLICY_CONTAINERS_MAX - p->n_containers, reterr);

	for (const struct yaml_node *n = list->child; r == 0 && n; n = n->next) {
		char *name = p->protected_containers[p->n_containers];

		r = yaml_copy_text(doc, n, name, sizeof(p->protected_containers[0]), reterr);
		if (r == 0 && !pattern_is_valid(name))
			r = yaml_error(doc, n, -EINVAL, reterr,
				       "'%.128s': expected a container's name, with * and ?", name);
		p->n_containers += r == 0;
	}
	return r;
}

static int read_policy(const struct yaml_doc *doc, struct policy *p, struct err *reterr)
{
	const struct yaml_node *root = yaml_root(doc), *allow, *limits, *containers;
	int r = yaml_read(doc, root, policy_fields, p, reterr);

	if (r < 0)
		return r;
	limits = yaml_find(root, "limits");
	if (limits)
		r = yaml_read(doc, limits, limit_fields, &p->limits, reterr);
	containers = yaml_find(root, "protected_containers");
	if (r == 0 && containers)
		r = read_protected(doc, containers, p, reterr);
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

/* Whether the rule can ever fit an action that is done to the host, or to something on it. */
static bool rule_may_fit(const struct policy_rule *rule, bool host)
{
	if (rule->scope != POLICY_SCOPE_LIST)
		return host == (rule->scope == POLICY_SCOPE_HOST);
	for (uint32_t i = 0; i < rule->n_entities; i++)
		if (str_equal(rule->entities[i], "host") == host)
			return true;
	return false;
}

int policy_lint(const struct policy *p, const struct action_info *actions, struct err *reterr)
{
	for (uint32_t i = 0; i < p->n_rules; i++) {
		const struct policy_rule *rule = &p->rules[i];
		const struct action_info *a = actions;

		while (a->name && !str_equal(a->name, rule->action))
			a++;
		if (!a->name)
			return err_set(reterr, -EINVAL, "%s: no action '%s'", rule->origin,
				       rule->action);
		if (!rule_may_fit(rule, !a->target))
			return err_set(reterr, -EINVAL, "%s: '%s' is done to %s: expected 'on: %s'",
				       rule->origin, a->name,
				       a->target ? "something on the host" : "the host itself",
				       a->target ? "managed" : "host");
	}
	return 0;
}

bool policy_protects(const struct policy *policy, const struct entity *e)
{
	if (e->kind == ENTITY_KIND_HOST)
		return false;
	if (e->kind == ENTITY_KIND_UNIT)
		return policy_unit_is_protected(e->name);
	if (e->kind != ENTITY_KIND_CONTAINER)
		return true;
	for (uint32_t i = 0; policy && i < policy->n_containers; i++)
		if (fnmatch(policy->protected_containers[i], e->name, FNM_NOESCAPE) == 0)
			return true;
	return !str_is_container_name(e->name);
}

static bool rule_matches(const struct policy_rule *rule, const struct services *services,
			 const char *action, const struct entity *on)
{
	char text[ENTITY_TEXT_MAX];

	if (!str_equal(rule->action, action))
		return false;
	switch (rule->scope) {
	case POLICY_SCOPE_MANAGED:
		return services_find_entity(services, on) != NULL;
	case POLICY_SCOPE_ANY:
		return on->kind != ENTITY_KIND_HOST;
	case POLICY_SCOPE_HOST:
		return on->kind == ENTITY_KIND_HOST;
	case POLICY_SCOPE_LIST:
	case _POLICY_SCOPE_MAX:
		break;
	}
	(void)entity_format(on, text);
	for (uint32_t i = 0; i < rule->n_entities; i++)
		if (fnmatch(rule->entities[i], text, FNM_NOESCAPE) == 0)
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
		   const struct entity *on, enum autonomy runbook_autonomy, struct decision *ret)
{
	const struct policy_rule *last = NULL;

	if (!policy) {
		decide(ret, DECISION_DENY, "no-policy", "there is no valid policy");
		return;
	}
	if (policy_protects(policy, on)) {
		decide(ret, DECISION_DENY, "protected",
		       "it is protected: nobody may touch it through aiops");
		return;
	}
	for (uint32_t i = 0; i < policy->n_rules; i++)
		if (rule_matches(&policy->rules[i], services, action, on))
			last = &policy->rules[i];
	if (last)
		decide_by_rule(policy, last, runbook_autonomy, ret);
	else
		decide(ret, DECISION_DENY, "no-rule",
		       "no rule of the policy allows this action on it");
}

int policy_check_duration(const struct policy *p, const struct params *params, struct err *reterr)
{
	uint64_t span_ns = params_duration_ns(params), max_ns = p->limits.duration_s * NS_PER_S;
	char span[CLOCK_SPAN_MAX], max[CLOCK_SPAN_MAX];

	if (span_ns <= max_ns)
		return 0;
	return err_set(reterr, -EPERM, "it is to last %s: the policy allows %s",
		       clock_format_span(span_ns, span), clock_format_span(max_ns, max));
}
