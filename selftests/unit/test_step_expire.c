/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/stephost.o selftests/unit/tree.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "selftests/unit/stephost.h"

/* ---- what is done for a time -------------------------------------------------------------------- */

static struct step_result read_expired(const struct tree *tree, const char *key)
{
	struct step_result expired;
	struct step s;
	int r;

	stephost_open(&s, tree, KEY);
	r = step_expired_read(s.steps_fd, key, &expired, NULL);
	assert_true(r >= 0);
	if (r == 0)
		memset(&expired, 0, sizeof(expired));
	step_done(&s);
	return expired;
}

static int expire(const struct tree *tree)
{
	struct step s;
	int r;

	stephost_open(&s, tree, KEY);
	r = step_expire(&s, NULL);
	step_done(&s);
	return r;
}

static void ends_by_a_timer_what_is_done_for_a_time(void **state)
{
	stephost_need_root();
	assert_int_equal(stephost_run(*state, "test.timed", STEP_OP_APPLY).phase,
			 ATTEMPT_PHASE_DONE);
	assert_string_equal(stephost.timer, EXPIRE(KEY));
	assert_int_equal(stephost.timer_ns, 30 * NS_PER_S);
	assert_int_equal(expire(*state), 1);
	assert_int_equal(stephost.value, 0);
	assert_int_equal(read_expired(*state, KEY).phase, ATTEMPT_PHASE_DONE);
	assert_false(stephost_has_undo(*state, KEY));
	assert_string_equal(stephost.timer, "");
	/* Once is enough, whoever starts it. */
	assert_int_equal(expire(*state), 0);
	assert_int_equal(stephost.n_reverted, 1);
}

static void changes_nothing_when_its_end_cannot_be_arranged(void **state)
{
	stephost_need_root();
	stephost.arm = -ETIMEDOUT;
	assert_int_equal(stephost_run(*state, "test.timed", STEP_OP_APPLY).phase,
			 ATTEMPT_PHASE_FAILED);
	assert_int_equal(stephost.n_applied, 0);
	assert_false(stephost_has_undo(*state, KEY));
}

static void refuses_what_would_last_longer_than_the_policy_says(void **state)
{
	struct step_record record = stephost_record("test.timed", STEP_OP_APPLY);
	struct step_result result;

	stephost_need_root();
	record.params.v[1].integer = INT64_C(50) * NS_PER_S;
	(void)str_copy(record.params.v[1].text, PARAM_TEXT_MAX, "50s");
	stephost_write_record(*state, &record);
	assert_int_equal(stephost_call(*state, step_run, &result), 1);
	assert_int_equal(result.error, -EPERM);
	assert_int_equal(stephost.n_applied, 0);
}

static void stops_the_timer_of_what_failed_or_was_undone_before(void **state)
{
	struct step_result result;

	stephost_need_root();
	stephost.verify = -EIO;
	result = stephost_run(*state, "test.timed", STEP_OP_APPLY);
	assert_int_equal(result.reverted, 1);
	assert_string_equal(stephost.timer, "");
	assert_int_equal(tree_teardown(state), 0);
	assert_int_equal(stephost_setup(state), 0);
	stephost_write_undo(*state, OTHER, "test.timed", 0);
	(void)str_copy(stephost.timer, sizeof(stephost.timer), EXPIRE(OTHER));
	stephost.value = 1;
	assert_int_equal(stephost_run(*state, NULL, STEP_OP_REVERT).phase, ATTEMPT_PHASE_DONE);
	assert_string_equal(stephost.timer, "");
}

static void stops_the_timer_when_it_settles_what_never_began(void **state)
{
	static const char *const claims[] = { LINES_CHECKED, LINES_SNAPSHOT };

	stephost_need_root();
	for (size_t i = 0; i < ELEMENTSOF(claims); i++) {
		struct step_record record = stephost_record("test.timed", STEP_OP_APPLY);
		struct step_result result;

		stephost_write_record(*state, &record);
		tree_write(*state, "run/steps/" KEY ".claim", claims[i]);
		stephost_write_undo(*state, KEY, "test.timed", 0);
		(void)str_copy(stephost.timer, sizeof(stephost.timer), EXPIRE(KEY));
		assert_int_equal(stephost_call(*state, step_settle, &result), 1);
		assert_int_equal(result.phase, ATTEMPT_PHASE_FAILED);
		assert_string_equal(stephost.timer, "");
		assert_false(stephost_has_undo(*state, KEY));
		assert_int_equal(tree_teardown(state), 0);
		assert_int_equal(stephost_setup(state), 0);
	}
}

static void tries_again_what_systemd_did_not_answer_and_leaves_a_persons_change(void **state)
{
	static const struct {
		int revert, r;
		enum attempt_phase phase;
	} cases[] = { { -EINPROGRESS, -EINPROGRESS, 0 },
		      { -ENOTCONN, -ENOTCONN, 0 },
		      { -ENOENT, -ENOENT, 0 }, /* Docker's socket, say */
		      { -ECANCELED, 1, ATTEMPT_PHASE_FAILED } };

	stephost_need_root();
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		stephost_write_undo(*state, KEY, "test.timed", 0);
		stephost.revert = cases[i].revert;
		assert_int_equal(expire(*state), cases[i].r);
		assert_int_equal(read_expired(*state, KEY).phase, cases[i].phase);
		assert_int_equal(stephost_has_undo(*state, KEY), cases[i].r < 0);
		assert_int_equal(tree_teardown(state), 0);
		assert_int_equal(stephost_setup(state), 0);
	}
}

static void never_ends_what_was_not_for_a_time(void **state)
{
	stephost_need_root();
	stephost_write_undo(*state, KEY, "test.add", 0);
	stephost.value = 1;
	assert_int_equal(expire(*state), 0);
	assert_int_equal(stephost.value, 1);
	assert_true(stephost_has_undo(*state, KEY));
}

static void calls_undone_what_systemd_ended_first(void **state)
{
	struct step_record record = stephost_record(NULL, STEP_OP_REVERT);
	struct step_result result;
	struct step s;

	stephost_need_root();
	stephost_open(&s, *state, OTHER);
	assert_int_equal(step_write_result(&s, ".expired", ATTEMPT_PHASE_DONE, 0, "gone", NULL), 1);
	step_done(&s);
	stephost_write_record(*state, &record);
	assert_int_equal(stephost_call(*state, step_run, &result), 1);
	assert_int_equal(result.phase, ATTEMPT_PHASE_DONE);
	assert_string_equal(result.text, "its time was over before: gone");
	assert_int_equal(stephost.n_reverted, 0);
}

static void forgets_old_undo_records_but_never_one_a_timer_waits_for(void **state)
{
	const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	static const char *const keys[] = { OTHER, "00000000000000000000000000000001",
					    "00000000000000000000000000000002" };
	const struct tree *tree = *state;

	stephost_need_root();
	stephost_write_undo(tree, keys[0], "test.add", 0);
	stephost_write_undo(tree, keys[1], "test.timed", 0);
	stephost_write_undo(tree, keys[2], "test.add", 0);
	for (size_t i = 0; i < 2; i++) {
		char path[64] = "run/undo/";

		str_append(path, sizeof(path), "%s", keys[i]);
		assert_int_equal(utimensat(tree->fd, path, old, 0), 0);
	}
	assert_int_equal(stephost_run(tree, "test.add", STEP_OP_APPLY).phase, ATTEMPT_PHASE_DONE);
	assert_false(stephost_has_undo(tree, keys[0]));
	assert_true(stephost_has_undo(tree, keys[1]));
	assert_true(stephost_has_undo(tree, keys[2]));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, stephost_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ends_by_a_timer_what_is_done_for_a_time),
		TEST(changes_nothing_when_its_end_cannot_be_arranged),
		TEST(refuses_what_would_last_longer_than_the_policy_says),
		TEST(stops_the_timer_of_what_failed_or_was_undone_before),
		TEST(stops_the_timer_when_it_settles_what_never_began),
		TEST(tries_again_what_systemd_did_not_answer_and_leaves_a_persons_change),
		TEST(never_ends_what_was_not_for_a_time),
		TEST(calls_undone_what_systemd_ended_first),
		TEST(forgets_old_undo_records_but_never_one_a_timer_waits_for),
	};

	return cmocka_run_group_tests(tests, tree_become_root, NULL);
}
