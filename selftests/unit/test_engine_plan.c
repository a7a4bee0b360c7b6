/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: gen/registry_rule.o selftests/unit/brain.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/state.h"
#include "selftests/unit/brain.h"

static const struct entity entity = { ENTITY_KIND_UNIT, "x.service" };
static const struct entity root = { ENTITY_KIND_UNIT, "y.service" };

static int make(void **state, const struct runbook *r, struct plan *ret, struct err *err)
{
	const struct brain *b = *state;

	return plan_make(&b->config, r, 0, &entity, &root, ret, err);
}

static struct runbook copy(void **state, const char *id)
{
	const struct brain *b = *state;

	return *runbooks_find(&b->runbooks, id);
}

static void puts_root_and_entity_in_their_places(void **state)
{
	struct runbook r = copy(state, "service-crashed");
	struct plan plan;

	assert_int_equal(make(state, &r, &plan, NULL), 0);
	assert_string_equal(plan_target(&plan), "y.service");
	(void)str_copy(r.plan[0].values[0], PARAM_TEXT_MAX, "$entity");
	assert_int_equal(make(state, &r, &plan, NULL), 0);
	assert_string_equal(plan_target(&plan), "x.service");
}

static void takes_types_and_bounds_from_the_action(void **state)
{
	struct runbook r = copy(state, "cpu-neighbour");
	struct err err = { 0 };
	struct plan plan;

	assert_int_equal(make(state, &r, &plan, NULL), 0);
	assert_int_equal(params_integer(&plan.step.params, "quota_pct"), 20);
	(void)str_copy(r.plan[0].values[1], PARAM_TEXT_MAX, "0");
	assert_int_equal(make(state, &r, &plan, &err), -EINVAL);
	assert_non_null(strstr(err.text, "plan 'cpu-neighbour': "));
}

static void knows_no_other_action_than_the_table_has(void **state)
{
	struct runbook r = copy(state, "service-crashed");
	struct err err = { 0 };
	struct plan plan;

	(void)str_copy(r.plan[0].action, RULE_NAME_MAX, "host.reboot");
	assert_int_equal(make(state, &r, &plan, &err), -ENOENT);
	assert_string_equal(err.text, "plan 'service-crashed': no action 'host.reboot' here");
}

static void takes_the_higher_of_two_risks(void **state)
{
	struct runbook r = copy(state, "service-hangs");
	struct plan plan;

	r.risk = RISK_READ;
	assert_int_equal(make(state, &r, &plan, NULL), 0);
	assert_int_equal(plan.risk, RISK_DISRUPTIVE);
	r.risk = RISK_DESTRUCTIVE;
	assert_int_equal(make(state, &r, &plan, NULL), 0);
	assert_int_equal(plan.risk, RISK_DESTRUCTIVE);
}

static void says_how_it_is_proved_and_taken_back(void **state)
{
	struct runbook r = copy(state, "cpu-neighbour");
	struct plan plan;

	r.verify.expect.bound = ALERT_BOUND_SERVICE_SLOW_MS;
	assert_int_equal(make(state, &r, &plan, NULL), 0);
	assert_string_equal(plan.verify_text,
			    "unit.cpu_pressure_some_pct below the endpoint's slow_ms for 5 s, "
			    "within 40 s, and every alert clear");
	assert_string_equal(plan.undo_text,
			    "taken back after 15 min 0 s, or when 'y.service' no longer needs it");
	r = copy(state, "service-hangs");
	assert_int_equal(make(state, &r, &plan, NULL), 0);
	assert_string_equal(plan.undo_text, "nothing to take back");
}

static void keeps_a_record_of_each_runbook(void **state)
{
	const struct brain *b = *state;
	const struct runbook *r = runbooks_find(&b->runbooks, "service-crashed");
	_cleanup_(engine_freep) struct engine *e = NULL;
	struct engine_learnt l;
	struct slot *s;

	assert_int_equal(engine_new(&b->config, &e, NULL), 0);
	engine_get_learnt(e, r, &l);
	assert_int_equal(l.n_tried, 0);
	assert_int_equal(l.autonomy, AUTONOMY_AUTO);
	s = &e->slots[0];
	assert_int_equal(make(state, r, &s->plan, NULL), 0);
	learn_attempt(e, s);
	learn_verdict(e, s, VERDICT_IMPROVED);
	learn_attempt(e, s);
	learn_verdict(e, s, VERDICT_WORSE);
	engine_get_learnt(e, r, &l);
	assert_int_equal(l.n_tried, 2);
	assert_int_equal(l.n_worked, 1);
	assert_int_equal(l.n_failed, 1);
	assert_int_equal(l.n_wrong, 1);
	assert_int_equal(l.autonomy, AUTONOMY_SUGGEST);
}

static void opens_the_breaker_after_three_and_closes_it_after_the_cool_off(void **state)
{
	const struct brain *b = *state;
	const struct runbook *r = runbooks_find(&b->runbooks, "service-crashed");
	_cleanup_(engine_freep) struct engine *e = NULL;
	struct breaker *breaker;
	struct slot *s;

	assert_int_equal(engine_new(&b->config, &e, NULL), 0);
	s = &e->slots[0];
	assert_int_equal(make(state, r, &s->plan, NULL), 0);
	breaker = learn_breaker(e, "y.service", "service-crashed");
	for (int i = 0; i < 12; i++) {
		e->now_ns += 60 * NS_PER_S;
		assert_int_equal(learn_is_open(e, breaker, r), i >= 3);
		learn_attempt(e, s);
	}
	assert_ptr_equal(breaker, learn_breaker(e, "y.service", "service-crashed"));
	assert_ptr_not_equal(breaker, learn_breaker(e, "x.service", "service-crashed"));
	e->now_ns += 1800 * NS_PER_S;
	assert_false(learn_is_open(e, breaker, r));
}

static void a_runbook_may_open_its_breaker_sooner(void **state)
{
	const struct brain *b = *state;
	struct runbook r = copy(state, "service-crashed");
	_cleanup_(engine_freep) struct engine *e = NULL;
	struct slot *s;

	r.per_hour = 1;
	assert_int_equal(engine_new(&b->config, &e, NULL), 0);
	s = &e->slots[0];
	assert_int_equal(make(state, &r, &s->plan, NULL), 0);
	learn_attempt(e, s);
	assert_true(learn_is_open(e, learn_breaker(e, "y.service", "service-crashed"), &r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(puts_root_and_entity_in_their_places),
		cmocka_unit_test(takes_types_and_bounds_from_the_action),
		cmocka_unit_test(knows_no_other_action_than_the_table_has),
		cmocka_unit_test(takes_the_higher_of_two_risks),
		cmocka_unit_test(says_how_it_is_proved_and_taken_back),
		cmocka_unit_test(keeps_a_record_of_each_runbook),
		cmocka_unit_test(opens_the_breaker_after_three_and_closes_it_after_the_cool_off),
		cmocka_unit_test(a_runbook_may_open_its_breaker_sooner),
	};

	return cmocka_run_group_tests(tests, brain_setup, brain_teardown);
}
