/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/oneunit.o selftests/unit/tree.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "selftests/unit/oneunit.h"

extern const struct action_ops action_unit_start, action_unit_stop, action_unit_reload,
	action_unit_reset_failed, action_unit_freeze, action_unit_thaw;

static void set_freezer(const char *state)
{
	(void)str_copy(oneunit.facts.freezer_state, sizeof(oneunit.facts.freezer_state), state);
}

/* ---- what holds for all of them ------------------------------------------------------------------ */

static const struct action_ops *const all[] = { &action_unit_stop, &action_unit_reload,
						&action_unit_reset_failed, &action_unit_freeze,
						&action_unit_thaw };

static void refuses_a_unit_that_is_not_there_masked_or_busy(void **state)
{
	static const struct {
		const char *load_state;
		uint32_t job_id;
		int r;
	} cases[] = { { "not-found", 0, -ENOENT },
		      { "masked", 0, -EPERM },
		      { "loaded", 7, -EBUSY } };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		for (size_t j = 0; j < ELEMENTSOF(all); j++) {
			struct params params = oneunit_params(all[j], NULL, NULL);
			struct action_context c = oneunit_context(&params);

			(void)str_copy(oneunit.facts.load_state, sizeof(oneunit.facts.load_state),
				       cases[i].load_state);
			oneunit.facts.job_id = cases[i].job_id;
			assert_int_equal(all[j]->check(&c, NULL), cases[i].r);
		}
}

static void changes_nothing_in_a_dry_run_and_says_what_it_would_do(void **state)
{
	(void)state;
	for (size_t j = 0; j < ELEMENTSOF(all); j++) {
		struct params params = oneunit_params(all[j], NULL, NULL);
		struct action_context c = oneunit_context(&params);

		c.dry_run = true;
		assert_int_equal(all[j]->apply(&c, NULL), 0);
		assert_non_null(strstr(oneunit.text, "would "));
		assert_non_null(strstr(oneunit.text, ONEUNIT_NAME));
	}
	assert_int_equal(oneunit.n_changes, 0);
}

static void is_not_content_with_a_systemd_that_says_done_and_does_nothing(void **state)
{
	(void)state;
	oneunit.is_deaf = true;
	for (size_t j = 0; j < ELEMENTSOF(all); j++) {
		struct params params = oneunit_params(all[j], NULL, NULL);
		struct action_context c = oneunit_context(&params);
		const char *phase = "";

		c.by_person = true;
		set_freezer(all[j] == &action_unit_thaw ? "frozen" : "running");
		oneunit_set_state(all[j] == &action_unit_reset_failed ? "failed" : "active",
				  "success");
		assert_true(oneunit_carry_out(all[j], &c, &phase) < 0);
		assert_string_equal(phase, "verify");
	}
}

static void hands_on_that_nobody_knows_what_became_of_it(void **state)
{
	(void)state;
	oneunit.job_result = -EINPROGRESS;
	for (size_t j = 0; j < ELEMENTSOF(all); j++) {
		struct params params = oneunit_params(all[j], NULL, NULL);
		struct action_context c = oneunit_context(&params);

		assert_int_equal(all[j]->apply(&c, NULL), -EINPROGRESS);
	}
}

static void all_but_thaw_leave_a_frozen_unit_alone(void **state)
{
	(void)state;
	set_freezer("frozen");
	for (size_t j = 0; j < ELEMENTSOF(all); j++) {
		struct params params = oneunit_params(all[j], NULL, NULL);
		struct action_context c = oneunit_context(&params);

		c.by_person = true;
		assert_int_equal(all[j]->check(&c, NULL), all[j] == &action_unit_thaw ? 0 : -EBUSY);
	}
}

/* ---- unit.stop ----------------------------------------------------------------------------------- */

static void stops_and_starts_again(void **state)
{
	const struct action_ops *a = &action_unit_stop;
	struct params params = oneunit_params(a, NULL, NULL);
	struct action_context c = oneunit_context(&params);
	const char *phase = "";

	(void)state;
	assert_int_equal(oneunit_carry_out(a, &c, &phase), 0);
	assert_string_equal(oneunit.facts.active_state, "inactive");
	assert_int_equal(a->check(&c, NULL), 1);
	assert_int_equal(a->revert(&c, oneunit.undo, c.undo_size, NULL), 0);
	assert_string_equal(oneunit.facts.active_state, "active");
	/* Twice changes nothing more. */
	assert_int_equal(a->revert(&c, oneunit.undo, c.undo_size, NULL), 0);
	assert_int_equal(oneunit.n_changes, 2);
}

static void starts_again_what_systemd_has_unloaded_since(void **state)
{
	const struct action_ops *a = &action_unit_stop;
	struct params params = oneunit_params(a, NULL, NULL);
	struct action_context c = oneunit_context(&params);
	const char *phase = "";

	(void)state;
	assert_int_equal(oneunit_carry_out(a, &c, &phase), 0);
	oneunit.facts.invocation_id[0] = '\0';
	assert_int_equal(a->revert(&c, oneunit.undo, c.undo_size, NULL), 0);
	assert_string_equal(oneunit.facts.active_state, "active");
}

static void leaves_alone_what_somebody_started_and_stopped_since(void **state)
{
	const struct action_ops *a = &action_unit_stop;
	struct params params = oneunit_params(a, NULL, NULL);
	struct action_context c = oneunit_context(&params);
	const char *phase = "";

	(void)state;
	assert_int_equal(oneunit_carry_out(a, &c, &phase), 0);
	oneunit_new_invocation();
	assert_int_equal(a->revert(&c, oneunit.undo, c.undo_size, NULL), -ECANCELED);
	assert_string_equal(oneunit.facts.active_state, "inactive");
	assert_int_equal(a->revert(&c, oneunit.undo, 1, NULL), -EBADMSG);
}

static void does_not_stop_what_others_need_or_what_refuses_it(void **state)
{
	struct params params = oneunit_params(&action_unit_stop, NULL, NULL);
	struct action_context c = oneunit_context(&params);

	(void)state;
	oneunit.is_needed = true;
	assert_int_equal(action_unit_stop.check(&c, NULL), -EBUSY);
	oneunit.is_needed = false;
	assert_int_equal(action_unit_stop.check(&c, NULL), 0);
	oneunit.facts.refuse_manual_start = true;
	assert_int_equal(action_unit_stop.check(&c, NULL), -EPERM);
	oneunit.facts.refuse_manual_start = false;
	oneunit_set_state("deactivating", "success");
	assert_int_equal(action_unit_stop.check(&c, NULL), -EBUSY);
}

/* ---- unit.reload --------------------------------------------------------------------------------- */

static void reloads_and_sees_that_it_was_the_same_run(void **state)
{
	const struct action_ops *a = &action_unit_reload;
	struct params params = oneunit_params(a, NULL, NULL);
	struct action_context c = oneunit_context(&params);
	const char *phase = "";

	(void)state;
	assert_int_equal(oneunit_carry_out(a, &c, &phase), 0);
	assert_string_equal(oneunit.last, "ReloadUnit");
	oneunit_new_invocation();
	assert_int_equal(a->verify(&c, NULL), -EIO);
	assert_null(a->revert);
}

static void says_that_a_unit_died_of_its_reload(void **state)
{
	const struct action_ops *a = &action_unit_reload;
	struct params params = oneunit_params(a, NULL, NULL);
	struct action_context c = oneunit_context(&params);
	const char *phase = "";

	(void)state;
	oneunit.fails_to_start = true;
	assert_int_equal(oneunit_carry_out(a, &c, &phase), -EIO);
	assert_string_equal(phase, "verify");
}

static void reloads_only_what_runs_and_can(void **state)
{
	struct params params = oneunit_params(&action_unit_reload, NULL, NULL);
	struct action_context c = oneunit_context(&params);

	(void)state;
	oneunit_set_state("inactive", "success");
	assert_int_equal(action_unit_reload.check(&c, NULL), -ESRCH);
	oneunit.facts.can_reload = false;
	assert_int_equal(action_unit_reload.check(&c, NULL), -EOPNOTSUPP);
}

/* ---- unit.reset_failed, unit.thaw, unit.start ---------------------------------------------------- */

static void forgets_a_failure_and_only_that(void **state)
{
	const struct action_ops *a = &action_unit_reset_failed;
	struct params params = oneunit_params(a, NULL, NULL);
	struct action_context c = oneunit_context(&params);
	const char *phase = "";

	(void)state;
	assert_int_equal(a->check(&c, NULL), 1);
	oneunit_set_state("failed", "start-limit-hit");
	assert_int_equal(oneunit_carry_out(a, &c, &phase), 0);
	assert_string_equal(oneunit.facts.active_state, "inactive");
}

static void freezes_for_a_time_and_thaws_what_is_still_that_run(void **state)
{
	const struct action_ops *a = &action_unit_freeze;
	struct params params = oneunit_params(a, "duration", "30s");
	struct action_context c = oneunit_context(&params);
	const char *phase = "";

	(void)state;
	/* The step arms PID 1's timer for whatever has this parameter. */
	assert_int_equal(params_duration_ns(&params), 30 * NS_PER_S);
	assert_int_equal(oneunit_carry_out(a, &c, &phase), 0);
	assert_string_equal(oneunit.facts.freezer_state, "frozen");
	assert_int_equal(a->revert(&c, oneunit.undo, c.undo_size, NULL), 0);
	assert_string_equal(oneunit.facts.freezer_state, "running");
	/* Twice changes nothing more. */
	assert_int_equal(a->revert(&c, oneunit.undo, c.undo_size, NULL), 0);
	assert_int_equal(oneunit.n_changes, 2);
	/* Somebody's own freeze of a later run. */
	oneunit_new_invocation();
	set_freezer("frozen");
	assert_int_equal(a->revert(&c, oneunit.undo, c.undo_size, NULL), -ECANCELED);
	assert_int_equal(a->revert(&c, oneunit.undo, 0, NULL), -EBADMSG);
}

static void freezes_only_what_runs_and_can(void **state)
{
	struct params params = oneunit_params(&action_unit_freeze, NULL, NULL);
	struct action_context c = oneunit_context(&params);

	(void)state;
	oneunit_set_state("failed", "signal");
	assert_int_equal(action_unit_freeze.check(&c, NULL), -ESRCH);
	oneunit.facts.can_freeze = false;
	assert_int_equal(action_unit_freeze.check(&c, NULL), -EOPNOTSUPP);
}

static void thaws_for_a_person_only(void **state)
{
	const struct action_ops *a = &action_unit_thaw;
	struct params params = oneunit_params(a, NULL, NULL);
	struct action_context c = oneunit_context(&params);
	const char *phase = "";

	(void)state;
	assert_int_equal(a->check(&c, NULL), 1);
	set_freezer("frozen");
	assert_int_equal(a->check(&c, NULL), -EPERM);
	c.by_person = true;
	assert_int_equal(oneunit_carry_out(a, &c, &phase), 0);
	assert_string_equal(oneunit.facts.freezer_state, "running");
}

static void the_agent_runs_a_oneshot_at_rest_but_not_one_that_was_stopped(void **state)
{
	struct params params = oneunit_params(&action_unit_start, NULL, NULL);
	struct action_context c = oneunit_context(&params);

	(void)state;
	oneunit_set_state("inactive", "success");
	assert_int_equal(action_unit_start.check(&c, NULL), -EPERM);
	(void)str_copy(oneunit.facts.type, sizeof(oneunit.facts.type), "oneshot");
	assert_int_equal(action_unit_start.check(&c, NULL), 0);
	oneunit.facts.active_exit_mono_us = 5;
	assert_int_equal(action_unit_start.check(&c, NULL), -EPERM);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, oneunit_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refuses_a_unit_that_is_not_there_masked_or_busy),
		TEST(changes_nothing_in_a_dry_run_and_says_what_it_would_do),
		TEST(is_not_content_with_a_systemd_that_says_done_and_does_nothing),
		TEST(hands_on_that_nobody_knows_what_became_of_it),
		TEST(all_but_thaw_leave_a_frozen_unit_alone),
		TEST(stops_and_starts_again),
		TEST(starts_again_what_systemd_has_unloaded_since),
		TEST(leaves_alone_what_somebody_started_and_stopped_since),
		TEST(does_not_stop_what_others_need_or_what_refuses_it),
		TEST(reloads_and_sees_that_it_was_the_same_run),
		TEST(says_that_a_unit_died_of_its_reload),
		TEST(reloads_only_what_runs_and_can),
		TEST(forgets_a_failure_and_only_that),
		TEST(freezes_for_a_time_and_thaws_what_is_still_that_run),
		TEST(freezes_only_what_runs_and_can),
		TEST(thaws_for_a_person_only),
		TEST(the_agent_runs_a_oneshot_at_rest_but_not_one_that_was_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
