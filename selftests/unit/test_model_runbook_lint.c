/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "model/runbook.h"

static const struct param_spec quota_params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT },
	{ .name = "quota_pct", .type = PARAM_TYPE_INTEGER, .min = 1, .max = 100 },
	{ .name = NULL },
};

static const struct action_info actions[] = {
	{ .name = "unit.set_cpu_quota",
	  .params = quota_params,
	  .risk = RISK_REVERSIBLE,
	  .undo = "takes it back" },
	{ .name = "unit.kill", .params = quota_params + 2, .risk = RISK_DISRUPTIVE },
	{ .name = NULL },
};

static const struct fault_info faults[] = {
	{ .name = "cpu.stress", .params = quota_params },
	{ .name = NULL },
};

static const struct signal_spec top_facts[] = { { .name = "top.pct" },
						{ .name = "top.unit" },
						{ .name = NULL } };
static const struct signal_spec status_facts[] = { { .name = "unit.result" }, { .name = NULL } };
static const struct inspector_info top[] = { { "top", top_facts }, { NULL, NULL } };
static const struct inspector_info status[] = { { "unit_status", status_facts }, { NULL, NULL } };

static const struct signal_spec signal_table[] = { { .name = "endpoint.up_bool" },
						   { .name = "host.load1" },
						   { .name = NULL } };

static struct alert alert_list[] = { { .id = "slow", .signal = "endpoint.latency_ms" },
				     { .id = "down", .signal = "endpoint.up_bool" } };
static const struct alerts alerts = { 2, alert_list };

static const struct runbook_names everything = {
	.alerts = &alerts,
	.actions = actions,
	.faults = faults,
	.inspectors = { top, status },
	.signals = signal_table,
};

static const char good[] =
	"---\nid: a\ntitle: A\nowner: o\nrisk: reversible\nautonomy: auto\nwhen_not_to_use: n\n"
	"match: {alerts: [slow, down]}\n"
	"exclude: [{inspector: unit_status, fact: unit.result, in: [success]}]\n"
	"evidence:\n"
	"  - {inspector: top, fact: top.pct, above: 40, weight: 3}\n"
	"  - {inspector: endpoint, fact: endpoint.up_bool, below: 0.5}\n"
	"min_score: 3\nroot: fact:top.unit\n"
	"cause: \"'{root}' beside '{entity}' takes {top.pct} %\"\n"
	"plan: [{action: unit.set_cpu_quota, params: {unit: $root, quota_pct: 20}}]\n"
	"verify: {signal: endpoint.up_bool, above: 0.5}\n"
	"invariants: [{signal: host.load1, below: 99}]\n"
	"tests:\n"
	"  - {fault: cpu.stress, params: {quota_pct: 50}}\n"
	"  - {name: f, given: {entity: host, facts: {top.pct: 9}, root_facts: {unit.result: x}}, "
	"expect: rejected}\n"
	"---\n";

/* Lints the good runbook with one piece of its text replaced. */
static void expect(const char *from, const char *to, const char *expected)
{
	_cleanup_(runbook_done) struct runbook r = { 0 };
	const char *at = strstr(good, from);
	char text[4096] = "";
	struct err err = { 0 };

	assert_non_null(at);
	str_append(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
	if (runbook_parse("r.md", text, strlen(text), &r, &err) < 0)
		fail_msg("%s", err_text(&err));
	assert_int_equal(runbook_lint(&r, &everything, &err), -EINVAL);
	assert_string_equal(err_text(&err), expected);
}

static void a_good_runbook_passes(void **state)
{
	_cleanup_(runbook_done) struct runbook r = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(runbook_parse("r.md", good, strlen(good), &r, &err), 0);
	if (runbook_lint(&r, &everything, &err) < 0)
		fail_msg("%s", err_text(&err));
}

static void without_tables_there_is_nothing_to_check_against(void **state)
{
	_cleanup_(runbook_done) struct runbook r = { 0 };
	const struct runbook_names nothing = { 0 };

	(void)state;
	assert_int_equal(runbook_parse("r.md", good, strlen(good), &r, NULL), 0);
	assert_int_equal(runbook_lint(&r, &nothing, NULL), 0);
}

static void names_must_exist(void **state)
{
	(void)state;
	expect("slow, down", "slow, up", "r.md:1: match: no alert 'up'");
	expect("unit_status", "unit_state", "r.md:9: no inspector 'unit_state'");
	expect("top.pct, above", "top.share, above",
	       "r.md:11: inspector 'top' states no fact 'top.share'");
	expect("endpoint.up_bool, below", "endpoint.up, below",
	       "r.md:12: no probe has a signal 'endpoint.up'");
	expect("unit.set_cpu_quota", "unit.set_quota", "r.md:16: no action 'unit.set_quota'");
	expect("signal: endpoint.up_bool", "signal: endpoint.up",
	       "r.md:1: verify: no probe has a signal 'endpoint.up'");
	expect("host.load1", "host.load", "r.md:1: invariants: no probe has a signal 'host.load'");
	expect("cpu.stress", "cpu.burn", "r.md:20: no fault 'cpu.burn'");
}

static void facts_must_be_stated_by_what_is_collected(void **state)
{
	(void)state;
	expect("fact:top.unit", "fact:top.name",
	       "r.md:1: root: nothing collected states 'top.name'");
	expect("{top.pct} %", "{top.share} %",
	       "r.md:1: cause: nothing collected states 'top.share'");
	expect("facts: {top.pct", "facts: {top.share",
	       "r.md:21: test 'f': nothing collected states 'top.share'");
	expect("root_facts: {unit.result", "root_facts: {unit.state",
	       "r.md:21: test 'f': nothing collected states 'unit.state'");
}

static void parameters_must_fit_their_specs(void **state)
{
	(void)state;
	expect("quota_pct: 20", "quota_pct: 101",
	       "r.md:16: action 'unit.set_cpu_quota': parameter 'quota_pct' is '101': expected 1 to "
	       "100");
	expect("unit: $root, ", "",
	       "r.md:16: action 'unit.set_cpu_quota': parameter 'unit' is missing: it is required");
	expect("unit: $root", "unit: $rot",
	       "r.md:16: action 'unit.set_cpu_quota': parameter 'unit' is '$rot': expected a unit's "
	       "full name, as in 'nginx.service'");
	expect("quota_pct: 50", "quota: 50",
	       "r.md:20: fault 'cpu.stress': parameter 'quota' is not known: expected unit, "
	       "quota_pct");
}

static void risk_is_at_least_that_of_the_action(void **state)
{
	(void)state;
	expect("unit.set_cpu_quota, params: {unit: $root, quota_pct: 20}", "unit.kill",
	       "r.md:16: action 'unit.kill' is disruptive, the runbook only reversible");
}

static void the_proof_is_not_the_only_trigger(void **state)
{
	(void)state;
	expect("slow, down", "down",
	       "r.md:1: verify: 'endpoint.up_bool' is what raised the alert; a proof needs another");
}

static const char guide[] =
	"---\nid: a\ntitle: A\nowner: o\nrisk: read\nautonomy: suggest\nwhen_not_to_use: n\n"
	"tests: [{search: one}, {search: two}]\n---\n# A\n\n"
	"## What it looks like\n\nx\n\n## Evidence\n\nx\n\n## Cause\n\nx\n\n## Plan\n\nx\n\n"
	"## Verify\n\nx\n\n## Sources\n\nx\n";

static int lint_guide(const char *from, const char *to, struct err *err)
{
	_cleanup_(runbook_done) struct runbook r = { 0 };
	const char *at = strstr(guide, from);
	char text[2048] = "";

	assert_non_null(at);
	str_append(text, sizeof(text), "%.*s%s%s", (int)(at - guide), guide, to, at + strlen(from));
	assert_int_equal(runbook_parse("r.md", text, strlen(text), &r, err), 0);
	return runbook_lint(&r, &everything, err);
}

static void one_for_people_has_all_sections_and_two_questions(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(lint_guide("# A", "# A", &err), 0);
	assert_int_equal(lint_guide("## Cause\n", "## Causes\n", &err), -EINVAL);
	assert_string_equal(err.text, "r.md:1: section '## Cause' is missing or out of order");
	assert_int_equal(lint_guide("## Plan\n\nx\n\n## Verify", "## Verify\n\nx\n\n## Plan", &err),
			 -EINVAL);
	assert_string_equal(err.text, "r.md:1: section '## Verify' is missing or out of order");
	assert_int_equal(lint_guide(", {search: two}", "", &err), -EINVAL);
	assert_non_null(strstr(err.text, "it needs two of {search: ...} at least"));
	assert_int_equal(lint_guide("## Evidence\n\nx\n", "## Evidence\n\n", &err), -EINVAL);
	assert_string_equal(err.text, "r.md:1: section '## Evidence' is empty");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_runbook_passes),
		cmocka_unit_test(without_tables_there_is_nothing_to_check_against),
		cmocka_unit_test(names_must_exist),
		cmocka_unit_test(facts_must_be_stated_by_what_is_collected),
		cmocka_unit_test(parameters_must_fit_their_specs),
		cmocka_unit_test(risk_is_at_least_that_of_the_action),
		cmocka_unit_test(the_proof_is_not_the_only_trigger),
		cmocka_unit_test(one_for_people_has_all_sections_and_two_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
