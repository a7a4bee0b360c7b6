/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "model/runbook.h"
#include "selftests/unit/tree.h"

/* Lines 1 to 11; what a test adds begins on line 12. */
#define HEAD                                                                       \
	"---\nid: a\ntitle: A\nowner: o\nrisk: reversible\nautonomy: auto\n"       \
	"when_not_to_use: never\nmatch: {alerts: [x]}\n"                           \
	"evidence: [{inspector: i, fact: f, above: 1, weight: 3}]\nmin_score: 2\n" \
	"cause: \"'{entity}' has {f}\"\n"

#define VERIFY "verify: {signal: s, above: 0.5}\n"

static const char full[] =
	"---\n"
	"id: neighbour\n"
	"title: A neighbour\n"
	"owner: aiops\n"
	"risk: disruptive\n"
	"autonomy: approve\n"
	"when_not_to_use: >-\n"
	"  never on\n"
	"  Sundays\n"
	"match: {alerts: [cpu-pressure, endpoint-slow]}\n"
	"exclude:\n"
	"  - {inspector: unit_status, fact: unit.result, in: [success, 'yes']}\n"
	"evidence:\n"
	"  - {inspector: top, fact: top.pct, above: 40, weight: 3, against: 2, required: true}\n"
	"  - {inspector: top, fact: top.unit, not_in: [x.service], of_root: true}\n"
	"  - {inspector: endpoint, fact: endpoint.up_bool, below: 0.5, weight: 0}\n"
	"min_score: 4\n"
	"root: fact:top.unit\n"
	"cause: \"'{root}' takes {top.pct} %\"\n"
	"plan:\n"
	"  - {action: unit.set_cpu_quota, params: {unit: $root, quota_pct: 20}}\n"
	"  - {action: unit.kill}\n"
	"verify: {signal: endpoint.latency_ms, below: service.slow_ms, settle_s: 2, sustain_s: 5, "
	"within_s: 30}\n"
	"invariants:\n"
	"  - {signal: host.memory_available_ratio, above: 0.02}\n"
	"limits: {per_hour: 2, cooldown_s: 0}\n"
	"tests:\n"
	"  - {fault: cpu.stress, params: {load_pct: 100}}\n"
	"  - name: the neighbour is at it\n"
	"    given:\n"
	"      entity: unit:x.service\n"
	"      facts: {top.pct: 96, top.unit: b.service, unit.result: '1', unit.stopped_by: ''}\n"
	"      root_facts: {top.unit: b.service}\n"
	"    expect: matched\n"
	"---\n"
	"# A neighbour\n"
	"\n"
	"---\n"
	"prose\n";

static int parse(const char *text, struct runbook *r, struct err *err)
{
	return runbook_parse("r.md", text, strlen(text), r, err);
}

static void refuse(const char *text, const char *expected)
{
	struct runbook b = { .n_plan = 77 };
	struct err err = { 0 };
	int r = parse(text, &b, &err);

	if (r >= 0 || strncmp(err_text(&err), expected, strlen(expected)) != 0)
		fail_msg("%s: got %d, %s; expected %s", text, r, err_text(&err), expected);
	assert_int_equal(b.n_plan, 77);
}

static struct runbook parse_full(void)
{
	struct runbook r = { 0 };
	struct err err = { 0 };

	if (parse(full, &r, &err) < 0)
		fail_msg("%s", err_text(&err));
	return r;
}

static void reads_the_head(void **state)
{
	_cleanup_(runbook_done) struct runbook r = parse_full();

	(void)state;
	assert_string_equal(r.id, "neighbour");
	assert_int_equal(r.risk, RISK_DISRUPTIVE);
	assert_int_equal(r.autonomy, AUTONOMY_APPROVE);
	assert_string_equal(r.when_not_to_use, "never on Sundays");
	assert_int_equal(r.n_alerts, 2);
	assert_string_equal(r.alerts[1], "endpoint-slow");
	assert_int_equal(r.min_score, 4);
	assert_string_equal(r.root_fact, "top.unit");
	assert_string_equal(r.cause, "'{root}' takes {top.pct} %");
	assert_int_equal(r.per_hour, 2);
	assert_int_equal(r.cooldown_s, 0);
	assert_string_equal(r.path, "r.md");
	assert_string_equal(r.body, "# A neighbour\n\n---\nprose\n");
}

static void reads_clauses(void **state)
{
	_cleanup_(runbook_done) struct runbook r = parse_full();

	(void)state;
	assert_int_equal(r.n_exclude, 1);
	assert_int_equal(r.exclude[0].test, CLAUSE_TEST_IN);
	assert_int_equal(r.exclude[0].n_values, 2);
	assert_string_equal(r.exclude[0].values[1], "yes");
	assert_int_equal(r.exclude[0].line, 12);
	assert_int_equal(r.n_evidence, 3);
	assert_int_equal(r.evidence[0].test, CLAUSE_TEST_ABOVE);
	assert_true(r.evidence[0].number == 40);
	assert_int_equal(r.evidence[0].weight, 3);
	assert_int_equal(r.evidence[0].against, 2);
	assert_int_equal(r.evidence[0].required, 1);
	assert_int_equal(r.evidence[1].test, CLAUSE_TEST_NOT_IN);
	assert_int_equal(r.evidence[1].weight, 1);
	assert_int_equal(r.evidence[1].of_root, 1);
	assert_int_equal(r.evidence[2].test, CLAUSE_TEST_BELOW);
	assert_int_equal(r.evidence[2].weight, 0);
}

static void reads_plan_and_proof(void **state)
{
	_cleanup_(runbook_done) struct runbook r = parse_full();

	(void)state;
	assert_int_equal(r.n_plan, 2);
	assert_string_equal(r.plan[0].action, "unit.set_cpu_quota");
	assert_int_equal(r.plan[0].n_params, 2);
	assert_string_equal(r.plan[0].names[0], "unit");
	assert_string_equal(r.plan[0].values[0], "$root");
	assert_string_equal(r.plan[0].values[1], "20");
	assert_int_equal(r.plan[0].line, 21);
	assert_int_equal(r.plan[1].n_params, 0);
	assert_int_equal(r.verify.expect.test, CLAUSE_TEST_BELOW);
	assert_int_equal(r.verify.expect.bound, ALERT_BOUND_SERVICE_SLOW_MS);
	assert_int_equal(r.verify.within_s, 30);
	assert_int_equal(r.n_invariants, 1);
	assert_true(r.invariants[0].number == 0.02);
}

static void reads_faults_and_fixtures(void **state)
{
	_cleanup_(runbook_done) struct runbook r = parse_full();
	const struct runbook_test *t = &r.tests[1];

	(void)state;
	assert_int_equal(r.n_tests, 2);
	assert_string_equal(r.tests[0].fault, "cpu.stress");
	assert_string_equal(r.tests[0].name, "cpu.stress");
	assert_string_equal(r.tests[0].names[0], "load_pct");
	assert_string_equal(r.tests[0].values[0], "100");
	assert_string_equal(t->fault, "");
	assert_string_equal(t->name, "the neighbour is at it");
	assert_string_equal(t->given.entity.name, "x.service");
	assert_int_equal(t->expect, RUNBOOK_EXPECT_MATCHED);
	assert_int_equal(t->given.n_facts, 4);
	assert_int_equal(t->given.facts[0].type, FACT_TYPE_NUMBER);
	assert_true(t->given.facts[0].number == 96);
	assert_int_equal(t->given.facts[2].type, FACT_TYPE_TEXT);
	assert_string_equal(t->given.facts[2].text, "1");
	assert_string_equal(t->given.facts[3].text, "");
	assert_int_equal(t->given.n_root_facts, 1);
}

static void tells_which_inspectors_it_needs(void **state)
{
	_cleanup_(runbook_done) struct runbook r = parse_full();

	(void)state;
	assert_true(runbook_needs_inspector(&r, "unit_status", false));
	assert_true(runbook_needs_inspector(&r, "top", false));
	assert_true(runbook_needs_inspector(&r, "top", true));
	assert_false(runbook_needs_inspector(&r, "endpoint", true));
	assert_false(runbook_needs_inspector(&r, "journal_tail", false));
}

static void a_small_one_has_defaults(void **state)
{
	_cleanup_(runbook_done) struct runbook r = { 0 };

	(void)state;
	assert_int_equal(parse(HEAD "---\n", &r, NULL), 0);
	assert_int_equal(r.n_plan, 0);
	assert_string_equal(r.root_fact, "");
	assert_int_equal(r.per_hour, 3);
	assert_int_equal(r.cooldown_s, 60);
	assert_null(r.tests);
	assert_string_equal(r.body, "");
}

static void the_front_matter_ends_with_the_file_or_a_line(void **state)
{
	struct runbook r = { 0 };

	(void)state;
	assert_int_equal(parse(HEAD "---", &r, NULL), 0);
	runbook_done(&r);
	refuse(HEAD, "r.md:1:1: expected front matter between two lines \"---\"");
	refuse("id: a\n", "r.md:1:1: expected front matter");
	refuse("", "r.md:1:1: expected front matter");
	refuse("---\n", "r.md:1:1: expected front matter");
	refuse("----\n----\n", "r.md:1:1: expected front matter");
	refuse("\n---\nid: a\n---\n", "r.md:1:1: expected front matter");
	refuse(HEAD "---x\n", "r.md:1:1: expected front matter");
}

static void lines_in_errors_are_those_of_the_file(void **state)
{
	(void)state;
	refuse("---\nid: [\n---\n", "r.md:3:1: ");
	refuse("---\nid: a\nbad: 1\n---\n", "r.md:3:6: unknown key 'bad'");
	refuse(HEAD "owner: again\n---\n", "r.md:12:1: the same key");
}

#define GUIDE                                                                   \
	"---\nid: a\ntitle: A\nowner: o\nrisk: reversible\nautonomy: suggest\n" \
	"when_not_to_use: never\n"

static void without_match_it_is_for_people_alone(void **state)
{
	_cleanup_(runbook_done) struct runbook r = { 0 };
	struct err err = { 0 };

	(void)state;
	if (parse(GUIDE "tests: [{search: no space left}]\n---\n# A\n", &r, &err) < 0)
		fail_msg("%s", err_text(&err));
	assert_true(runbook_is_guide(&r));
	assert_string_equal(r.tests[0].search, "no space left");
	assert_string_equal(r.tests[0].name, "no space left");
	refuse(GUIDE "evidence: []\n---\n",
	       "r.md:8:11: 'evidence': without 'match' it is for people alone");
	refuse(GUIDE "plan: []\n---\n", "r.md:8:7: 'plan': without 'match'");
	refuse("---\nid: a\ntitle: A\nowner: o\nrisk: read\nautonomy: auto\nwhen_not_to_use: n\n"
	       "---\n",
	       "r.md:6:11: 'autonomy': without 'match' it can only suggest");
}

static void what_diagnoses_forgets_those_for_people(void **state)
{
	struct runbooks all = { .n = 3, .v = calloc(3, sizeof(struct runbook)) };
	struct err err = { 0 };

	(void)state;
	assert_non_null(all.v);
	assert_int_equal(parse(GUIDE "---\n", &all.v[0], &err), 0);
	assert_int_equal(parse(HEAD "---\n", &all.v[1], &err), 0);
	assert_int_equal(parse(GUIDE "---\n", &all.v[2], &err), 0);
	runbooks_drop_guides(&all);
	assert_int_equal(all.n, 1);
	assert_string_equal(all.v[0].alerts[0], "x");
	runbooks_done(&all);
}

static void says_what_is_missing(void **state)
{
	(void)state;
	refuse("---\nid: a\n---\n", "r.md:2:1: 'title' is missing");
	refuse("---\nid: a\ntitle: A\nowner: o\nrisk: read\nautonomy: auto\nwhen_not_to_use: n\n"
	       "match: {alerts: [x]}\nevidence: []\ncause: c\n---\n",
	       "r.md:2:1: 'min_score' is missing");
	refuse("---\nid: a\ntitle: A\nowner: o\nrisk: read\nautonomy: auto\nwhen_not_to_use: n\n"
	       "match: {}\nevidence: []\ncause: c\nmin_score: 1\n---\n",
	       "r.md:8:8: 'alerts' is missing");
	refuse(HEAD "plan: [{action: x}]\n---\n",
	       "r.md:2:1: 'verify' is missing: a plan needs a proof");
	refuse(HEAD "plan: [{params: {}}]\n" VERIFY "---\n", "r.md:12:8: 'action' is missing");
	refuse(HEAD "verify: {signal: s}\n---\n", "r.md:12:9: 'above' or 'below' is missing");
}

static void a_clause_has_exactly_one_test(void **state)
{
	(void)state;
	refuse(HEAD "exclude: [{inspector: i, fact: f}]\n---\n",
	       "r.md:12:11: expected one of 'in', 'not_in', 'above' and 'below'");
	refuse(HEAD "exclude: [{inspector: i, fact: f, in: [a], above: 1}]\n---\n",
	       "r.md:12:11: expected one of");
	refuse(HEAD "exclude: [{inspector: i, fact: f, in: [a], not_in: [b]}]\n---\n",
	       "r.md:12:11: expected one of");
	refuse(HEAD "exclude: [{inspector: i, fact: f, above: 1, below: 2}]\n---\n",
	       "r.md:12:52: 'above' and 'below' exclude each other");
	refuse(HEAD "exclude: [{inspector: i, fact: f, in: []}]\n---\n",
	       "r.md:12:39: 'in' is empty");
	refuse(HEAD "exclude: [{inspector: i, fact: f, in: a}]\n---\n",
	       "r.md:12:39: 'in': expected a list");
	refuse(HEAD "exclude: [{inspector: i, fact: f, above: service.slow_ms}]\n---\n",
	       "r.md:12:11: 'above': expected a number");
	refuse(HEAD "exclude: [{inspector: i, fact: f, above: 1, weight: 1}]\n---\n",
	       "r.md:12:53: unknown key 'weight'");
}

static void a_score_must_be_within_reach(void **state)
{
	(void)state;
	refuse("---\nid: a\ntitle: A\nowner: o\nrisk: read\nautonomy: auto\nwhen_not_to_use: n\n"
	       "match: {alerts: [x]}\nevidence: [{inspector: i, fact: f, above: 1, weight: 3}]\n"
	       "cause: c\nmin_score: 4\n---\n",
	       "r.md:11:12: 'min_score' is 4, but all weights together are 3");
}

static void a_proof_needs_its_time(void **state)
{
	(void)state;
	refuse(HEAD "verify: {signal: s, above: 1, settle_s: 20, sustain_s: 20, within_s: 30}\n"
		    "---\n",
	       "r.md:12:9: 'within_s' is under 'settle_s' and 'sustain_s' together");
	refuse(HEAD "verify: {signal: s, above: 1, sustain_s: 0}\n---\n", "r.md:12:42: ");
}

static void the_root_is_the_entity_or_a_fact(void **state)
{
	(void)state;
	refuse(HEAD "root: other\n---\n",
	       "r.md:12:7: 'root' is 'other': expected entity or fact:NAME");
	refuse(HEAD "root: 'fact:'\n---\n", "r.md:12:7: ");
	refuse(HEAD "exclude: [{inspector: i, fact: f, above: 1, of_root: true}]\n---\n",
	       "r.md:12:11: 'of_root' needs a 'root: fact:NAME'");
}

static void slots_of_the_cause_are_closed(void **state)
{
	static const char *const causes[] = { "{", "}", "{}", "a {b", "{a b}", "{{a}}", "{a}}" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(causes); i++) {
		char text[512] = "";

		str_append(text, sizeof(text),
			   "---\nid: a\ntitle: A\nowner: o\nrisk: read\nautonomy: auto\n"
			   "when_not_to_use: n\nmatch: {alerts: [x]}\n"
			   "evidence: [{inspector: i, fact: f, above: 1}]\nmin_score: 1\n"
			   "cause: '%s'\n---\n",
			   causes[i]);
		refuse(text, "r.md:11:8: 'cause': ");
	}
}

static void an_id_is_a_word_and_not_unknown(void **state)
{
	static const char *const ids[] = { "unknown", "A", "a b", "-a", "a/b", "../a" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
		char text[512] = "";

		str_append(text, sizeof(text), "---\nid: %s\n%s---\n", ids[i],
			   strchr(HEAD, 'i') + strlen("id: a\n"));
		refuse(text, "r.md:2:5: '");
	}
}

static void lists_have_bounds(void **state)
{
	(void)state;
	refuse(HEAD "plan: [{action: a},{action: a},{action: a},{action: a}]\n" VERIFY "---\n",
	       "r.md:12:44: 'plan': more than 3 entries");
	refuse(HEAD "plan: [{action: a, params: {a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, "
		    "i: 1}}]\n" VERIFY "---\n",
	       "r.md:12:80: more than 8 parameters");
	refuse(HEAD "tests: [1,2,3,4,5,6,7,8,9]\n---\n",
	       "r.md:12:25: 'tests': more than 8 entries");
}

static void fixtures_say_what_is_wrong(void **state)
{
	(void)state;
	refuse(HEAD "tests: [{name: x, expect: matched}]\n---\n", "r.md:12:9: 'given' is missing");
	refuse(HEAD "tests: [{name: x, given: {facts: {}}, expect: matched}]\n---\n",
	       "r.md:12:26: 'entity' is missing");
	refuse(HEAD "tests: [{name: x, given: {entity: x.service}, expect: matched}]\n---\n",
	       "r.md:12:35: parse entity 'x.service'");
	refuse(HEAD "tests: [{name: x, given: {entity: host}, expect: maybe}]\n---\n",
	       "r.md:12:50: 'expect' is 'maybe': expected matched or rejected");
	refuse(HEAD "tests: [{name: x, given: {entity: host, facts: [1]}, expect: matched}]\n---\n",
	       "r.md:12:48: 'facts': expected {NAME: VALUE}");
	refuse(HEAD "tests: [{fault: x, expect: matched}]\n---\n",
	       "r.md:12:28: unknown key 'expect'");
	refuse(HEAD "tests: [{}]\n---\n", "r.md:12:9: 'name' is missing");
	refuse(HEAD "tests: [x]\n---\n", "r.md:12:9: expected keys and values");
}

static void the_text_is_clean_and_bounded(void **state)
{
	size_t size = strlen(HEAD) + RUNBOOK_BODY_MAX + 16;
	_cleanup_free_ char *text = calloc(1, size);

	(void)state;
	refuse(HEAD "---\n\x1b[2J\n", "r.md:1:1: not UTF-8, or a control character, in the text");
	str_append(text, size, "%s---\n", HEAD);
	memset(text + strlen(text), 'x', RUNBOOK_BODY_MAX + 1);
	refuse(text, "r.md:1:1: text is longer than 32768 bytes");
}

static void loads_and_finds_by_id(void **state)
{
	_cleanup_(runbooks_done) struct runbooks all = { 0 };
	const struct tree *t = *state;
	struct err err = { 0 };

	tree_write(t, "usr/lib/aiops/runbooks.d/neighbour.md", full);
	tree_write(t, "usr/lib/aiops/runbooks.d/README", "x");
	tree_write(t, "etc/aiops/runbooks.d/a.md", HEAD "---\n");
	assert_int_equal(runbooks_load(t->fd, &all, &err), 0);
	assert_int_equal(all.n, 2);
	assert_string_equal(runbooks_find(&all, "neighbour")->path,
			    "/usr/lib/aiops/runbooks.d/neighbour.md");
	assert_null(runbooks_find(&all, "b"));
}

static void one_bad_file_fails_the_whole_load(void **state)
{
	const struct tree *t = *state;
	struct runbooks all = { 0 };
	struct err err = { 0 };

	tree_write(t, "usr/lib/aiops/runbooks.d/neighbour.md", full);
	tree_write(t, "etc/aiops/runbooks.d/other.md", HEAD "---\n");
	assert_int_equal(runbooks_load(t->fd, &all, &err), -EINVAL);
	assert_string_equal(err_text(&err),
			    "/etc/aiops/runbooks.d/other.md:1:1: id 'a' is not the file's name");
	assert_int_equal(all.n, 0);
}

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_head),
		cmocka_unit_test(reads_clauses),
		cmocka_unit_test(reads_plan_and_proof),
		cmocka_unit_test(reads_faults_and_fixtures),
		cmocka_unit_test(tells_which_inspectors_it_needs),
		cmocka_unit_test(a_small_one_has_defaults),
		cmocka_unit_test(the_front_matter_ends_with_the_file_or_a_line),
		cmocka_unit_test(lines_in_errors_are_those_of_the_file),
		cmocka_unit_test(says_what_is_missing),
		cmocka_unit_test(a_clause_has_exactly_one_test),
		cmocka_unit_test(a_score_must_be_within_reach),
		cmocka_unit_test(a_proof_needs_its_time),
		cmocka_unit_test(the_root_is_the_entity_or_a_fact),
		cmocka_unit_test(slots_of_the_cause_are_closed),
		cmocka_unit_test(an_id_is_a_word_and_not_unknown),
		cmocka_unit_test(without_match_it_is_for_people_alone),
		cmocka_unit_test(what_diagnoses_forgets_those_for_people),
		cmocka_unit_test(lists_have_bounds),
		cmocka_unit_test(fixtures_say_what_is_wrong),
		cmocka_unit_test(the_text_is_clean_and_bounded),
		TREE_TEST(loads_and_finds_by_id),
		TREE_TEST(one_bad_file_fails_the_whole_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
