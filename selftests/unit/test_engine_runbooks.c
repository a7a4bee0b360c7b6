/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: gen/registry_rule.o selftests/unit/brain.o */
/* The shipped runbooks and alerts: every fixture passes, and what they name fits together. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/state.h"
#include "selftests/unit/brain.h"

static void every_fixture_passes(void **state)
{
	const struct brain *b = *state;
	unsigned n = 0;

	for (uint32_t i = 0; i < b->runbooks.n; i++)
		for (uint32_t k = 0; k < b->runbooks.v[i].n_tests; k++) {
			struct err err = { 0 };
			int r = engine_replay_runbook(&b->runbooks.v[i], k, &err);

			if (r < 0 && r != -ENOENT)
				fail_msg("%s: %s", b->runbooks.v[i].id, err_text(&err));
			n += r == 0;
		}
	assert_true(n >= 16);
}

static void every_runbook_has_a_match_a_rejection_and_a_fault(void **state)
{
	const struct brain *b = *state;

	assert_int_equal(b->runbooks.n, 6);
	for (uint32_t i = 0; i < b->runbooks.n; i++) {
		const struct runbook *r = &b->runbooks.v[i];
		unsigned matched = 0, rejected = 0, faults = 0;

		for (uint32_t k = 0; k < r->n_tests; k++) {
			const struct runbook_test *t = &r->tests[k];

			faults += t->fault[0] != '\0';
			matched += !t->fault[0] && t->expect == RUNBOOK_EXPECT_MATCHED;
			rejected += !t->fault[0] && t->expect == RUNBOOK_EXPECT_REJECTED;
		}
		assert_true(matched >= 1 && rejected >= 2);
		/* What nobody can break on purpose is not repaired without asking. */
		assert_true(faults >= 1 || r->autonomy <= AUTONOMY_SUGGEST);
	}
}

static void a_fixture_that_is_wrong_says_by_how_much(void **state)
{
	const struct brain *b = *state;
	struct runbook r = *runbooks_find(&b->runbooks, "service-crashed");
	struct runbook_test t = r.tests[1];
	struct err err = { 0 };

	t.expect = RUNBOOK_EXPECT_REJECTED;
	r.tests = &t;
	r.n_tests = 1;
	assert_int_equal(engine_replay_runbook(&r, 0, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "expected rejected, but it was matched: score 7 of 5"));
	assert_int_equal(engine_replay_runbook(&r, 1, &err), -ENOENT);
}

static void every_runbook_passes_lint_and_plans(void **state)
{
	const struct brain *b = *state;
	const struct runbook_names names = { .alerts = &b->alerts, .actions = brain_actions };
	const struct entity entity = entity_make(ENTITY_KIND_UNIT, "x.service");
	const struct entity root = entity_make(ENTITY_KIND_UNIT, "y.service");
	struct err err = { 0 };
	struct plan plan;

	for (uint32_t i = 0; i < b->runbooks.n; i++) {
		const struct runbook *r = &b->runbooks.v[i];

		if (runbook_lint(r, &names, &err) < 0 ||
		    plan_make(&b->config, r, 0, &entity, &root, &plan, &err) < 0)
			fail_msg("%s", err_text(&err));
		assert_string_equal(plan_target(&plan), "y.service");
	}
}

/* Two runbooks that both reach their score on the same facts would make the cause "unknown". */
static void no_fixture_matches_two_runbooks(void **state)
{
	const struct brain *b = *state;

	for (uint32_t i = 0; i < b->runbooks.n; i++)
		for (uint32_t k = 0; k < b->runbooks.v[i].n_tests; k++) {
			const struct runbook_test *t = &b->runbooks.v[i].tests[k];

			for (uint32_t j = 0; j < b->runbooks.n; j++) {
				struct runbook other = b->runbooks.v[j];

				if (i == j || t->fault[0] || t->expect == RUNBOOK_EXPECT_REJECTED)
					continue;
				other.tests = (struct runbook_test *)t;
				other.n_tests = 1;
				assert_int_equal(engine_replay_runbook(&other, 0, NULL), -EBADMSG);
			}
		}
}

static void every_alert_has_a_rule_a_reason_and_a_source(void **state)
{
	const struct brain *b = *state;

	assert_true(b->alerts.n >= 50);
	for (uint32_t i = 0; i < b->alerts.n; i++) {
		assert_non_null(rule_find(b->alerts.v[i].rule));
		assert_true(b->alerts.v[i].reason[0] && b->alerts.v[i].source[0]);
	}
}

static void says_how_long_a_temporary_change_lasts(void **state)
{
	const struct brain *b = *state;

	for (uint32_t i = 0; i < b->runbooks.n; i++)
		for (uint32_t k = 0; k < b->runbooks.v[i].n_plan; k++) {
			const struct runbook_step *s = &b->runbooks.v[i].plan[k];

			if (str_equal(s->action, "unit.set_cpu_quota"))
				assert_string_equal(s->names[2], PARAM_DURATION);
		}
}

static struct sample sample(const char *signal, double value, uint64_t t_ns)
{
	struct sample s = { .entity = { ENTITY_KIND_UNIT, "db.service" },
			    .source = SOURCE_SYSTEMD,
			    .provenance = PROVENANCE_SYSTEM,
			    .t_ns = t_ns,
			    .value = value };

	(void)str_copy(s.signal, sizeof(s.signal), signal);
	return s;
}

/* Answers what the engine asks of db.service as after a crash; returns the cause it ends with. */
static void answer_crash(struct engine *e, uint64_t now_ns, char cause[static RULE_NAME_MAX])
{
	struct command c;

	while (engine_next_command(e, &c)) {
		struct inspect_item item = { .id = c.inspect.id };
		const struct inspect_done done = { .id = c.inspect.id };
		bool status = str_equal(c.inspect.inspector, "unit_status");

		if (c.kind == COMMAND_EMIT && c.record.kind == RECORD_KIND_DIAGNOSIS)
			(void)str_copy(cause, RULE_NAME_MAX, c.record.diagnosis.cause);
		if (c.kind != COMMAND_COLLECT)
			continue;
		item.evidence.provenance = PROVENANCE_KERNEL;
		item.evidence.source = status ? SOURCE_SYSTEMD : SOURCE_BPF;
		if (status) {
			(void)evidence_add_text(&item.evidence, "unit.active_state", "failed");
			(void)evidence_add_text(&item.evidence, "unit.result", "signal");
		} else if (str_equal(c.inspect.inspector, "unit_exits")) {
			(void)evidence_add_number(&item.evidence, "exit.signal", 9);
		}
		engine_evidence(e, &item, now_ns, 1);
		engine_inspected(e, &done, now_ns, 1);
	}
}

static void two_that_explain_it_equally_well_are_no_cause(void **state)
{
	const struct brain *b = *state;
	struct runbook v[2] = { *runbooks_find(&b->runbooks, "service-crashed"),
				*runbooks_find(&b->runbooks, "service-crashed") };
	struct runbooks two = { 2, v };
	struct engine_config config = b->config;

	config.runbooks = &two;
	(void)str_copy(v[1].id, sizeof(v[1].id), "rival");
	for (int32_t lead = 0; lead <= 2; lead++) {
		_cleanup_(engine_freep) struct engine *e = NULL;
		struct sample s = sample("unit.failed_bool", 1, 100 * NS_PER_S);
		char cause[RULE_NAME_MAX] = "";

		v[0].evidence[1].weight = 3 + lead; /* unit.result */
		assert_int_equal(engine_new(&config, &e, NULL), 0);
		engine_sample(e, &s, 1);
		for (uint64_t t_s = 101; t_s < 120; t_s++) {
			engine_tick(e, t_s * NS_PER_S, 1);
			answer_crash(e, t_s * NS_PER_S, cause);
		}
		assert_string_equal(cause, lead < 2 ? "unknown" : "service-crashed");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fixture_passes),
		cmocka_unit_test(every_runbook_has_a_match_a_rejection_and_a_fault),
		cmocka_unit_test(a_fixture_that_is_wrong_says_by_how_much),
		cmocka_unit_test(every_runbook_passes_lint_and_plans),
		cmocka_unit_test(no_fixture_matches_two_runbooks),
		cmocka_unit_test(every_alert_has_a_rule_a_reason_and_a_source),
		cmocka_unit_test(says_how_long_a_temporary_change_lasts),
		cmocka_unit_test(two_that_explain_it_equally_well_are_no_cause),
	};

	return cmocka_run_group_tests(tests, brain_setup, brain_teardown);
}
