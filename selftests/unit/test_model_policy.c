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

#include "base/clock.h"
#include "base/str.h"
#include "model/policy.h"
#include "selftests/unit/tree.h"

static struct service both[] = { { .name = "api", .unit = "api.service" },
				 { .name = "web", .container = "web-1" } };
static const struct services managed = { .n = 2, .v = both };
static const struct entity host = { .kind = ENTITY_KIND_HOST };
static const struct entity x = { .kind = ENTITY_KIND_UNIT, .name = "x.service" };

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

static void expect_on(const struct policy *p, const char *action, struct entity on,
		      enum decision_verdict verdict, const char *by)
{
	struct decision d = { 0 };
	char text[ENTITY_TEXT_MAX];

	policy_decide(p, &managed, action, &on, AUTONOMY_AUTO, &d);
	if (d.verdict != verdict || !str_equal(d.by, by))
		fail_msg("%s of %s: got %s by %s (%s)", action, entity_format(&on, text),
			 decision_verdict_to_string(d.verdict), d.by, d.text);
	assert_true(d.text[0] != '\0');
}

static void expect(const struct policy *p, const char *action, const char *unit,
		   enum decision_verdict verdict, const char *by)
{
	expect_on(p, action, entity_make(ENTITY_KIND_UNIT, unit), verdict, by);
}

static struct entity container(const char *name)
{
	return entity_make(ENTITY_KIND_CONTAINER, name);
}

static void bounds_how_long_a_change_for_a_time_may_last(void **state)
{
	_cleanup_(policy_done) struct policy p = parse("limits: {duration_s: 60}\n");
	struct params params = { .n = 1, .v = { { PARAM_DURATION, PARAM_TYPE_SPAN, 0, "60s" } } };
	struct err err = { 0 };

	(void)state;
	params.v[0].integer = (int64_t)(60 * NS_PER_S);
	assert_int_equal(policy_check_duration(&p, &params, &err), 0);
	params.v[0].integer++;
	assert_int_equal(policy_check_duration(&p, &params, &err), -EPERM);
	assert_non_null(strstr(err.text, "the policy allows 1 min 0 s"));
	params.n = 0;
	assert_int_equal(policy_check_duration(&p, &params, &err), 0);
}

static void reads_mode_rules_and_limits(void **state)
{
	_cleanup_(policy_done) struct policy p = parse(
		"mode: approve\nallow:\n  - {action: unit.start, on: managed, autonomy: "
		"auto}\n  - {action: unit.kill, on: [unit:a.service, 'unit:web-*.service'], "
		"autonomy: suggest}\nlimits: {per_entity_per_hour: 5, cooldown_s: 0}\n");

	(void)state;
	assert_int_equal(p.mode, AUTONOMY_APPROVE);
	assert_int_equal(p.n_rules, 2);
	assert_int_equal(p.rules[0].scope, POLICY_SCOPE_MANAGED);
	assert_int_equal(p.rules[1].scope, POLICY_SCOPE_LIST);
	assert_int_equal(p.rules[1].n_entities, 2);
	assert_string_equal(p.rules[1].origin, "p.yaml:4");
	assert_int_equal(p.limits.per_entity_per_hour, 5);
	assert_int_equal(p.limits.per_host_per_hour, 10);
	assert_int_equal(p.limits.cooldown_s, 0);
	assert_int_equal(p.limits.approval_s, 900);
	assert_int_equal(p.limits.duration_s, 86400);
}

static void without_a_policy_everything_is_denied(void **state)
{
	(void)state;
	expect(NULL, "unit.start", "api.service", DECISION_DENY, "no-policy");
}

static void without_a_mode_nothing_is_done(void **state)
{
	_cleanup_(policy_done) struct policy p =
		parse("allow: [{action: unit.start, on: any, autonomy: auto}]\n");

	(void)state;
	expect(&p, "unit.start", "api.service", DECISION_DENY, "mode");
}

static void what_no_rule_names_is_denied(void **state)
{
	_cleanup_(policy_done) struct policy p =
		parse("mode: auto\nallow: [{action: unit.start, on: managed, autonomy: auto}]\n");

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
		"mode: auto\nallow:\n  - {action: unit.start, on: any, autonomy: auto}\n"
		"  - {action: unit.start, on: [unit:db-*.service], autonomy: observe}\n"
		"  - {action: unit.start, on: [unit:db-test.service], autonomy: approve}\n");

	(void)state;
	expect(&p, "unit.start", "x.service", DECISION_ALLOW, "policy");
	expect(&p, "unit.start", "db-main.service", DECISION_DENY, "policy");
	expect(&p, "unit.start", "db-test.service", DECISION_ASK, "policy");
}

static void patterns_are_those_of_glob(void **state)
{
	_cleanup_(policy_done) struct policy p = parse(
		"mode: auto\nallow: [{action: a, on: ['unit:w?b*.service', 'unit:x\\x2dy.service'], "
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
		policy_decide(&p, &managed, "a", &x, book, &d);
		assert_int_equal(d.verdict, verdicts[lowest]);
	}
}

static void no_rule_reaches_a_protected_unit(void **state)
{
	_cleanup_(policy_done) struct policy p = parse(
		"mode: auto\nallow:\n  - {action: a, on: any, autonomy: auto}\n"
		"  - {action: a, on: [unit:ssh.service, 'unit:*'], autonomy: auto}\n");

	(void)state;
	expect(&p, "a", "ssh.service", DECISION_DENY, "protected");
	expect(&p, "a", "aiops-agent.service", DECISION_DENY, "protected");
	expect(&p, "a", "not a unit", DECISION_DENY, "protected");
	expect(&p, "a", "", DECISION_DENY, "protected");
	expect(&p, "a", "x.service", DECISION_ALLOW, "policy");
}

static void a_rule_says_what_kind_of_thing_it_is_about(void **state)
{
	_cleanup_(policy_done) struct policy p = parse(
		"mode: auto\nallow:\n  - {action: m, on: managed, autonomy: auto}\n"
		"  - {action: a, on: any, autonomy: auto}\n"
		"  - {action: h, on: host, autonomy: auto}\n"
		"  - {action: l, on: ['container:web-*', host], autonomy: auto}\n");

	(void)state;
	expect_on(&p, "m", container("web-1"), DECISION_ALLOW, "policy");
	expect_on(&p, "m", container("api.service"), DECISION_DENY, "no-rule");
	expect_on(&p, "m", host, DECISION_DENY, "no-rule");
	expect_on(&p, "a", container("db"), DECISION_ALLOW, "policy");
	expect_on(&p, "a", host, DECISION_DENY, "no-rule");
	expect_on(&p, "h", host, DECISION_ALLOW, "policy");
	expect_on(&p, "h", container("web-1"), DECISION_DENY, "no-rule");
	expect_on(&p, "l", container("web-2"), DECISION_ALLOW, "policy");
	expect_on(&p, "l", host, DECISION_ALLOW, "policy");
	expect(&p, "l", "web-2.service", DECISION_DENY, "no-rule");
}

static void containers_are_protected_by_name_in_any_file(void **state)
{
	_cleanup_(policy_done) struct policy p = parse(
		"mode: auto\nprotected_containers: [registry]\n"
		"allow: [{action: a, on: any, autonomy: auto}]\n");
	static const char more[] = "protected_containers: ['vault-*']\n";

	(void)state;
	assert_int_equal(policy_parse("q.yaml", more, strlen(more), &p, NULL), 0);
	expect_on(&p, "a", container("registry"), DECISION_DENY, "protected");
	expect_on(&p, "a", container("vault-7"), DECISION_DENY, "protected");
	expect_on(&p, "a", container("web-1"), DECISION_ALLOW, "policy");
	expect_on(&p, "a", container("../web"), DECISION_DENY, "protected");
	expect_on(&p, "a", entity_make(ENTITY_KIND_PROCESS, "2:3"), DECISION_DENY, "protected");
}

static void a_rule_that_can_never_fit_is_a_mistake(void **state)
{
	static const struct action_info actions[] = { { .name = "u", .target = "unit" },
						      { .name = "h" },
						      { .name = NULL } };
	static const struct {
		const char *rule;
		int r;
	} cases[] = { { "{action: u, on: any, autonomy: auto}", 0 },
		      { "{action: u, on: host, autonomy: auto}", -EINVAL },
		      { "{action: u, on: [host], autonomy: auto}", -EINVAL },
		      { "{action: u, on: [host, 'unit:*'], autonomy: auto}", 0 },
		      { "{action: h, on: managed, autonomy: auto}", -EINVAL },
		      { "{action: h, on: ['unit:*'], autonomy: auto}", -EINVAL },
		      { "{action: h, on: host, autonomy: auto}", 0 },
		      { "{action: none, on: any, autonomy: auto}", -EINVAL } };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		char text[128] = "";

		str_append(text, sizeof(text), "allow: [%s]\n", cases[i].rule);
		{
			_cleanup_(policy_done) struct policy p = parse(text);

			if (policy_lint(&p, actions, NULL) != cases[i].r)
				fail_msg("%s", cases[i].rule);
		}
	}
}

static void says_why_not(void **state)
{
	_cleanup_(policy_done) struct policy p =
		parse("mode: suggest\nallow: [{action: a, on: any, autonomy: auto}]\n");
	struct decision d = { 0 };

	(void)state;
	policy_decide(&p, &managed, "a", &x, AUTONOMY_APPROVE, &d);
	assert_string_equal(d.by, "mode");
	assert_string_equal(d.text, "p.yaml:2 says auto; host mode suggest, asked for as approve");
}

static void says_what_is_wrong_and_where(void **state)
{
	(void)state;
	refuse("mode: yes\n", "p.yaml:1:7: 'mode' is 'yes': expected observe, suggest, approve");
	refuse("mod: auto\n", "p.yaml:1:6: unknown key 'mod', did you mean 'mode'?");
	refuse("allow:\n", "p.yaml:1:7: 'allow': expected a list");
	refuse("allow: [{action: a, on: any}]\n", "p.yaml:1:9: 'autonomy' is missing");
	refuse("allow: [{on: any, autonomy: auto}]\n", "p.yaml:1:9: 'action' is missing");
	refuse("allow: [{action: a, on: nginx.service, autonomy: auto}]\n",
	       "p.yaml:1:25: 'on': expected managed, any, host or a list of KIND:NAME");
	refuse("allow: [{action: a, on: list, autonomy: auto}]\n", "p.yaml:1:25: 'on': expected");
	refuse("allow: [{action: a, on: ['unit:[a-z].service'], autonomy: auto}]\n",
	       "p.yaml:1:26: 'unit:[a-z].service': expected unit:NAME, container:NAME or host");
	refuse("allow: [{action: a, on: [nginx.service], autonomy: auto}]\n", "p.yaml:1:26: ");
	refuse("allow: [{action: a, on: ['*'], autonomy: auto}]\n", "p.yaml:1:26: ");
	refuse("allow: [{action: a, on: ['unit:'], autonomy: auto}]\n", "p.yaml:1:26: ");
	refuse("allow: [{action: a, on: ['process:*'], autonomy: auto}]\n", "p.yaml:1:26: ");
	refuse("allow: [{action: a, on: [''], autonomy: auto}]\n", "p.yaml:1:26: ");
	refuse("protected_containers: vault\n",
	       "p.yaml:1:23: 'protected_containers': expected a list");
	refuse("protected_containers: ['a/b']\n",
	       "p.yaml:1:24: 'a/b': expected a container's name");
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
		   "mode: suggest\nallow: [{action: a, on: any, autonomy: auto}]\n"
		   "limits: {per_host_per_hour: 7}\n");
	tree_write(t, "etc/aiops/policy.d/50-mine.yaml",
		   "mode: auto\nallow: [{action: a, on: [unit:x.service], autonomy: approve}]\n"
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
		cmocka_unit_test(bounds_how_long_a_change_for_a_time_may_last),
		cmocka_unit_test(without_a_policy_everything_is_denied),
		cmocka_unit_test(without_a_mode_nothing_is_done),
		cmocka_unit_test(what_no_rule_names_is_denied),
		cmocka_unit_test(the_last_rule_that_matches_decides),
		cmocka_unit_test(patterns_are_those_of_glob),
		cmocka_unit_test(the_most_cautious_of_three_counts),
		cmocka_unit_test(no_rule_reaches_a_protected_unit),
		cmocka_unit_test(a_rule_says_what_kind_of_thing_it_is_about),
		cmocka_unit_test(containers_are_protected_by_name_in_any_file),
		cmocka_unit_test(a_rule_that_can_never_fit_is_a_mistake),
		cmocka_unit_test(says_why_not),
		cmocka_unit_test(says_what_is_wrong_and_where),
		TREE_TEST(later_files_win),
		TREE_TEST(no_file_at_all_is_an_error),
		TREE_TEST(one_bad_file_fails_the_whole_policy),
	};

	return cmocka_run_group_tests(tests, tree_become_root, NULL);
}
