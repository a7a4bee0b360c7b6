/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: gen/action_table.o gen/fault_table.o gen/agent_table.o gen/recorder_table.o */
/* What we ship parses, names only what exists, and allows no more than it says. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/yaml.h"
#include "model/alert.h"
#include "model/policy.h"
#include "model/runbook.h"

extern const struct action_info action_table[];
extern const struct inspector_info agent_inspectors[], recorder_inspectors[];
extern const struct signal_spec agent_signals[];
extern const char *const agent_rules[];

/* Calls parse with each file that matches; returns how many there were. */
static size_t each(const char *pattern,
		   int (*parse)(const char *path, const char *text, size_t length, struct err *err))
{
	_cleanup_free_ char *text = malloc(YAML_TEXT_MAX);
	glob_t found = { 0 };
	size_t n = 0;

	assert_non_null(text);
	if (glob(pattern, 0, NULL, &found) == 0)
		n = found.gl_pathc;
	for (size_t i = 0; i < n; i++) {
		ssize_t length = fd_read_file(AT_FDCWD, found.gl_pathv[i], text, YAML_TEXT_MAX);
		struct err err = { 0 };

		assert_true(length >= 0);
		if (parse(found.gl_pathv[i], text, (size_t)length, &err) < 0)
			fail_msg("%s", err_text(&err));
	}
	globfree(&found);
	return n;
}

static struct policy policy;
static struct alert alert_list[ALERTS_MAX];
static struct alerts alerts = { 0, alert_list };

static int parse_policy(const char *path, const char *text, size_t length, struct err *err)
{
	return policy_parse(path, text, length, &policy, err);
}

static int parse_alert(const char *path, const char *text, size_t length, struct err *err)
{
	struct alert *a = &alert_list[alerts.n++];
	int r = alert_parse(path, text, length, a, err);

	return r < 0 ? r : alert_lint(a, agent_signals, agent_rules, err);
}

static int lint_runbook(const char *path, const char *text, size_t length, struct err *err)
{
	const struct runbook_names names = {
		.alerts = &alerts,
		.actions = action_table,
		.faults = fault_table,
		.inspectors = { agent_inspectors, recorder_inspectors },
		.signals = agent_signals,
	};
	_cleanup_(runbook_done) struct runbook r = { 0 };
	uint32_t n_matched = 0, n_rejected = 0;
	int k = runbook_parse(path, text, length, &r, err);

	if (k < 0)
		return k;
	for (uint32_t i = 0; i < r.n_tests; i++) {
		n_matched += r.tests[i].fault[0] == '\0' &&
			     r.tests[i].expect == RUNBOOK_EXPECT_MATCHED;
		n_rejected += r.tests[i].expect == RUNBOOK_EXPECT_REJECTED;
	}
	if (!runbook_is_guide(&r) && (n_matched == 0 || n_rejected == 0))
		return err_set(err, -EINVAL,
			       "%s: needs a fixture that matches and one that does not", path);
	return runbook_lint(&r, &names, err);
}

static int parse_service(const char *path, const char *text, size_t length, struct err *err)
{
	struct service s = { 0 };

	return service_parse(path, text, length, &s, err);
}

static void runbooks_and_alerts_are_valid(void **state)
{
	(void)state;
	assert_true(each("runbooks/alerts/*.yaml", parse_alert) > 0);
	assert_true(each("runbooks/*.md", lint_runbook) > 0);
}

static void services_of_the_target_are_valid(void **state)
{
	(void)state;
	assert_int_equal(each("selftests/target/services.d/*.yaml", parse_service), 1);
	assert_int_equal(each("selftests/target/stack/units/services.d/*.yaml", parse_service), 5);
	assert_int_equal(each("selftests/target/stack/containers/services.d/*.yaml", parse_service),
			 5);
}

static struct policy stack_policy;

static int parse_stack_policy(const char *path, const char *text, size_t length, struct err *err)
{
	return policy_parse(path, text, length, &stack_policy, err);
}

/* An operator finds each action that can be done to a part of it named, and none that destroys goes by itself. */
static void the_policy_of_the_stack_names_every_action_on_its_parts(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(each("selftests/target/stack/policy.d/*.yaml", parse_stack_policy), 1);
	if (policy_lint(&stack_policy, action_table, &err) < 0)
		fail_msg("%s", err_text(&err));
	for (const struct action_info *a = action_table; a->name; a++) {
		const struct policy_rule *rule = NULL;

		for (uint32_t i = 0; i < stack_policy.n_rules; i++)
			if (str_equal(stack_policy.rules[i].action, a->name))
				rule = &stack_policy.rules[i];
		if (a->target && !rule)
			fail_msg("no rule for %s", a->name);
		if (rule && a->risk == RISK_DESTRUCTIVE)
			assert_true(rule->autonomy <= AUTONOMY_APPROVE);
	}
	policy_done(&stack_policy);
}

static void assert_decision(const struct services *s, const char *action, const char *unit,
			    enum decision_verdict verdict)
{
	struct entity on = entity_make(ENTITY_KIND_UNIT, unit);
	struct decision d = { 0 };

	policy_decide(&policy, s, action, &on, AUTONOMY_AUTO, &d);
	if (d.verdict != verdict)
		fail_msg("%s of %s: %s (%s)", action, unit, decision_verdict_to_string(d.verdict),
			 d.text);
}

/* What is done without a person's word. */
static bool is_free(const char *action)
{
	return str_equal(action, "unit.start") || str_equal(action, "container.start") ||
	       str_equal(action, "service.keep_config");
}

static void assert_asks_for_all_others(const struct services *managed)
{
	for (const struct action_info *a = action_table; a->name; a++) {
		struct entity on = a->target ? entity_make(ENTITY_KIND_UNIT, "api.service") :
					       entity_make(ENTITY_KIND_HOST, "");
		struct decision d = { 0 };

		policy_decide(&policy, managed, a->name, &on, AUTONOMY_AUTO, &d);
		if ((d.verdict == DECISION_ALLOW) != is_free(a->name))
			fail_msg("%s: %s (%s)", a->name, decision_verdict_to_string(d.verdict),
				 d.text);
	}
}

static void the_policy_starts_the_dead_and_asks_for_the_rest(void **state)
{
	struct service api = { .name = "api", .unit = "api.service" };
	const struct services managed = { .n = 1, .v = &api };

	(void)state;
	assert_int_equal(each("packaging/conf/policy.d/*.yaml", parse_policy), 1);
	assert_int_equal(policy_lint(&policy, action_table, NULL), 0);
	assert_decision(&managed, "unit.start", "api.service", DECISION_ALLOW);
	assert_decision(&managed, "unit.restart", "api.service", DECISION_ASK);
	assert_decision(&managed, "unit.kill", "api.service", DECISION_ASK);
	assert_decision(&managed, "unit.stop", "api.service", DECISION_ASK);
	assert_decision(&managed, "unit.stop", "other.service", DECISION_DENY);
	assert_decision(&managed, "unit.reload", "api.service", DECISION_ASK);
	assert_decision(&managed, "unit.reset_failed", "api.service", DECISION_ASK);
	assert_decision(&managed, "unit.thaw", "api.service", DECISION_ASK);
	assert_decision(&managed, "unit.set_cpu_quota", "other.service", DECISION_ASK);
	assert_decision(&managed, "unit.start", "other.service", DECISION_DENY);
	assert_decision(&managed, "unit.restart", "other.service", DECISION_DENY);
	assert_decision(&managed, "unit.set_cpu_quota", "ssh.service", DECISION_DENY);
	assert_asks_for_all_others(&managed);
	assert_int_equal(policy.limits.per_entity_per_hour, 3);
	assert_int_equal(policy.limits.per_host_per_hour, 10);
	assert_int_equal(policy.limits.cooldown_s, 60);
	assert_int_equal(policy.limits.approval_s, 900);
	policy_done(&policy);
}

static bool can_be_target(enum param_type type)
{
	return type == PARAM_TYPE_UNIT || type == PARAM_TYPE_CONTAINER ||
	       type == PARAM_TYPE_SERVICE;
}

static void every_action_has_a_target_that_is_required(void **state)
{
	(void)state;
	for (const struct action_info *a = action_table; a->name; a++) {
		const struct param_spec *p = a->params;

		if (!a->target)
			continue;
		while (p->name && !str_equal(p->name, a->target))
			p++;
		if (!p->name || !can_be_target(p->type) || p->default_text)
			fail_msg("%s: '%s' is no target", a->name, a->target);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_action_has_a_target_that_is_required),
		cmocka_unit_test(runbooks_and_alerts_are_valid),
		cmocka_unit_test(services_of_the_target_are_valid),
		cmocka_unit_test(the_policy_of_the_stack_names_every_action_on_its_parts),
		cmocka_unit_test(the_policy_starts_the_dead_and_asks_for_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
