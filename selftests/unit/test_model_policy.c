/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "model/policy.h"
#include "selftests/unit/tree.h"

static struct service api = { .name = "api", .unit = "api.service" };
static const struct services managed = { .n = 1, .v = &api };

static struct policy parse(const char *text)
{
	struct policy p = { 0 };
	struct err err = { 0 };

	if (policy_parse("p.yaml", text, strlen(text), &p, &err) < 0)
		fail_msg("%s: %s", text, err_text(&err));
	return p;
}

static void refuse(const char *text, const char *expected)
{
	_cleanup_(policy_done) struct policy p = { 0 };
	struct err err = { 0 };
	int r = policy_parse("p.yaml", text, strlen(text), &p, &err);

	if (r >= 0 || strncmp(err_text(&err), expected, strlen(expected)) != 0)
		fail_msg("%s: got %d, %s; expected %s", text, r, err_text(&err), expected);
}

static void expect(const struct policy *p, const char *action, const char *unit,
		   enum decision_verdict verdict, const char *by)
{
	struct decision d = { 0 };

	policy_decide(p, &managed, action, unit, AUTONOMY_AUTO, &d);
	if (d.verdict != verdict || !str_equal(d.by, by))
		fail_msg("%s of %s: got %s by %s (%s)", action, unit,
			 decision_verdict_to_string(d.verdict), d.by, d.text);
	assert_true(d.text[0] != '\0');
}

static void reads_mode_rules_and_limits(void **state)
{
	_cleanup_(policy_done) struct policy p = parse(
		"mode: approve\nallow:\n  - {action: unit.start, units: managed, autonomy: "
		"auto}\n  - {action: unit.kill, units: [a.service, 'web-*.service'], "
		"autonomy: suggest}\nlimits: {per_entity_per_hour: 5, cooldown_s: 0}\n");

	(void)state;
	assert_int_equal(p.mode, AUTONOMY_APPROVE);
	assert_int_equal(p.n_rules, 2);
	assert_int_equal(p.rules[0].scope, POLICY_SCOPE_MANAGED);
	assert_int_equal(p.rules[1].scope, POLICY_SCOPE_LIST);
	assert_int_equal(p.rules[1].n_units, 2);
	assert_string_equal(p.rules[1].origin, "p.yaml:4");
	assert_int_equal(p.limits.per_entity_per_hour, 5);
	assert_int_equal(p.limits.per_host_per_hour, 10);
	assert_int_equal(p.limits.cooldown_s, 0);
	assert_int_equal(p.limits.approval_s, 900);
}

static void without_a_policy_everything_is_denied(void **state)
{
	(void)state;
	expect(NULL, "unit.start", "api.service", DECISION_DENY, "no-policy");
}

static void without_a_mode_nothing_is_done(void **state)
{
	_cleanup_(policy_done) struct policy p =
		parse("allow: [{action: unit.start, units: any, autonomy: auto}]\n");

	(void)state;
	expect(&p, "unit.start", "api.service", DECISION_DENY, "mode");
}

static void what_no_rule_names_is_denied(void **state)
{
	_cleanup_(policy_done) struct policy p = parse(
		"mode: auto\nallow: [{action: unit.start, units: managed, autonomy: auto}]\n");

	(void)state;
	expect(&p, "unit.start", "api.service", DECISION_ALLOW, "policy");
	expect(&p, "unit.restart", "api.service", DECISION_DENY, "no-rule");
	expect(&p, "unit.start", "other.service", DECISION_DENY, "no-rule");
	expect(&p, "unit.star", "api.service", DECISION_DENY, "no-rule");
	expect(&p, "*", "api.service", DECISION_DENY, "no-rule");
}

static void the_last_rule_that_matches_decides(void **state)
{
	_cleanup_(policy_done) struct policy p = parse(
		"mode: auto\nallow:\n  - {action: unit.start, units: any, autonomy: auto}\n"
		"  - {action: unit.start, units: [db-*.service], autonomy: observe}\n"
		"  - {action: unit.start, units: [db-test.service], autonomy: approve}\n");

	(void)state;
	expect(&p, "unit.start", "x.service", DECISION_ALLOW, "policy");
	expect(&p, "unit.start", "db-main.service", DECISION_DENY, "policy");
	expect(&p, "unit.start", "db-test.service", DECISION_ASK, "policy");
}

static void patterns_are_those_of_glob(void **state)
{
	_cleanup_(policy_done) struct policy p = parse(
		"mode: auto\nallow: [{action: a, units: ['w?b*.service', 'x\\x2dy.service'], "
		"autonomy: auto}]\n");

	(void)state;
	expect(&p, "a", "web.service", DECISION_ALLOW, "policy");
	expect(&p, "a", "wab-1.service", DECISION_ALLOW, "policy");
	expect(&p, "a", "wb.service", DECISION_DENY, "no-rule");
	expect(&p, "a", "x\\x2dy.service", DECISION_ALLOW, "policy");
}

static void the_most_cautious_of_three_counts(void **state)
{
	static const enum decision_verdict verdicts[] = {
		[AUTONOMY_OBSERVE] = DECISION_DENY,
		[AUTONOMY_SUGGEST] = DECISION_SUGGEST,
		[AUTONOMY_APPROVE] = DECISION_ASK,
		[AUTONOMY_AUTO] = DECISION_ALLOW,
	};
	struct policy_rule rule = { .action = "a", .scope = POLICY_SCOPE_ANY };
	struct policy p = { .n_rules = 1, .rules = &rule };

	(void)state;
	for (unsigned n = 0; n < 64; n++) {
		enum autonomy book = (enum autonomy)(n & 3), lowest = book;
		struct decision d = { 0 };

		p.mode = (enum autonomy)(n >> 2 & 3);
		rule.autonomy = (enum autonomy)(n >> 4 & 3);
		lowest = p.mode < lowest ? p.mode : lowest;
		lowest = rule.autonomy < lowest ? rule.autonomy : lowest;
		policy_decide(&p, &managed, "a", "x.service", book, &d);
		assert_int_equal(d.verdict, verdicts[lowest]);
	}
}

static void no_rule_reaches_a_protected_unit(void **state)
{
	_cleanup_(policy_done) struct policy p = parse(
		"mode: auto\nallow:\n  - {action: a, units: any, autonomy: auto}\n"
		"  - {action: a, units: [ssh.service, '*'], autonomy: auto}\n");

	(void)state;
	expect(&p, "a", "ssh.service", DECISION_DENY, "protected");
	expect(&p, "a", "aiops-agent.service", DECISION_DENY, "protected");
	expect(&p, "a", "not a unit", DECISION_DENY, "protected");
	expect(&p, "a", "", DECISION_DENY, "protected");
	expect(&p, "a", "x.service", DECISION_ALLOW, "policy");
}

static void says_why_not(void **state)
{
	_cleanup_(policy_done) struct policy p =
		parse("mode: suggest\nallow: [{action: a, units: any, autonomy: auto}]\n");
	struct decision d = { 0 };

	(void)state;
	policy_decide(&p, &managed, "a", "x.service", AUTONOMY_APPROVE, &d);
	assert_string_equal(d.by, "mode");
	assert_string_equal(d.text, "p.yaml:2 says auto; host mode suggest, asked for as approve");
}

static void says_what_is_wrong_and_where(void **state)
{
	(void)state;
	refuse("mode: yes\n", "p.yaml:1:7: 'mode' is 'yes': expected observe, suggest, approve");
	refuse("mod: auto\n", "p.yaml:1:6: unknown key 'mod', did you mean 'mode'?");
	refuse("allow:\n", "p.yaml:1:7: 'allow': expected a list");
	refuse("allow: [{action: a, units: any}]\n", "p.yaml:1:9: 'autonomy' is missing");
	refuse("allow: [{units: any, autonomy: auto}]\n", "p.yaml:1:9: 'action' is missing");
	refuse("allow: [{action: a, units: nginx.service, autonomy: auto}]\n",
	       "p.yaml:1:28: 'units': expected managed, any or a list of names");
	refuse("allow: [{action: a, units: ['[a-z].service'], autonomy: auto}]\n",
	       "p.yaml:1:29: '[a-z].service': expected a unit's name");
	refuse("allow: [{action: a, units: [''], autonomy: auto}]\n", "p.yaml:1:29: ");
	refuse("limits: {per_host_per_hour: 0}\n", "p.yaml:1:29: 'per_host_per_hour' is '0'");
	refuse("limits: {cooldown: 1}\n",
	       "p.yaml:1:20: unknown key 'cooldown', did you mean 'cooldown_s'?");
	refuse("mode: auto\nmode: auto\n", "p.yaml:2:1: the same key");
}

static void needs_root(void)
{
	if (geteuid() != 0)
		skip(); /* files of root cannot be made without being it */
}

static void later_files_win(void **state)
{
	_cleanup_(policy_done) struct policy p = { 0 };
	const struct tree *t = *state;
	struct err err = { 0 };

	needs_root();
	tree_write(t, "usr/lib/aiops/policy.d/00-default.yaml",
		   "mode: suggest\nallow: [{action: a, units: any, autonomy: auto}]\n"
		   "limits: {per_host_per_hour: 7}\n");
	tree_write(t, "etc/aiops/policy.d/50-mine.yaml",
		   "mode: auto\nallow: [{action: a, units: [x.service], autonomy: approve}]\n"
		   "limits: {cooldown_s: 5}\n");
	assert_int_equal(policy_load(t->fd, &p, &err), 0);
	assert_int_equal(p.mode, AUTONOMY_AUTO);
	assert_int_equal(p.limits.per_host_per_hour, 7);
	assert_int_equal(p.limits.cooldown_s, 5);
	assert_string_equal(p.rules[1].origin, "/etc/aiops/policy.d/50-mine.yaml:2");
	expect(&p, "a", "x.service", DECISION_ASK, "policy");
	expect(&p, "a", "y.service", DECISION_ALLOW, "policy");
}

static void no_file_at_all_is_an_error(void **state)
{
	const struct tree *t = *state;
	struct policy p = { 0 };
	struct err err = { 0 };

	assert_int_equal(policy_load(t->fd, &p, &err), -ENOENT);
	assert_string_equal(err_text(&err),
			    "load policy: no file in policy.d, so nothing may be done");
}

static void one_bad_file_fails_the_whole_policy(void **state)
{
	const struct tree *t = *state;
	struct policy p = { 0 };
	struct err err = { 0 };

	needs_root();
	tree_write(t, "usr/lib/aiops/policy.d/00-default.yaml", "mode: auto\n");
	tree_write(t, "etc/aiops/policy.d/50-mine.yaml", "mode: auto\nallow: {\n");
	assert_int_equal(policy_load(t->fd, &p, &err), -EBADMSG);
	assert_non_null(strstr(err_text(&err), "/etc/aiops/policy.d/50-mine.yaml:3:1: "));
	assert_int_equal(p.n_rules, 0);
	tree_write(t, "etc/aiops/policy.d/50-mine.yaml", "mode: auto\n");
	tree_chmod(t, "etc/aiops/policy.d/50-mine.yaml", 0666);
	assert_int_equal(policy_load(t->fd, &p, &err), -EPERM);
	assert_string_equal(err_text(&err), "read '/etc/aiops/policy.d/50-mine.yaml': writable by "
					    "others than root");
}

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_mode_rules_and_limits),
		cmocka_unit_test(without_a_policy_everything_is_denied),
		cmocka_unit_test(without_a_mode_nothing_is_done),
		cmocka_unit_test(what_no_rule_names_is_denied),
		cmocka_unit_test(the_last_rule_that_matches_decides),
		cmocka_unit_test(patterns_are_those_of_glob),
		cmocka_unit_test(the_most_cautious_of_three_counts),
		cmocka_unit_test(no_rule_reaches_a_protected_unit),
		cmocka_unit_test(says_why_not),
		cmocka_unit_test(says_what_is_wrong_and_where),
		TREE_TEST(later_files_win),
		TREE_TEST(no_file_at_all_is_an_error),
		TREE_TEST(one_bad_file_fails_the_whole_policy),
	};

	return cmocka_run_group_tests(tests, tree_become_root, NULL);
}
