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

/* What a kill left is written as files, so that settle meets every case there is. */

static void does_it_once_and_keeps_what_undoes_it(void **state)
{
	struct step_result result;

	stephost_need_root();
	result = stephost_run(*state, "test.add", STEP_OP_APPLY);
	assert_int_equal(result.phase, ATTEMPT_PHASE_DONE);
	assert_string_equal(result.text, "added");
	assert_true(stephost_has_undo(*state, KEY));
	assert_int_equal(stephost_call(*state, step_run, &result), 0);
	assert_int_equal(stephost_call(*state, step_settle, &result), 0);
	assert_int_equal(stephost.n_applied, 1);
	assert_int_equal(result.phase, ATTEMPT_PHASE_DONE);
}

static void works_where_systemd_hides_its_credentials(void **state)
{
	struct step_result result;

	stephost_need_root();
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "/dev/null", true), 0);
	result = stephost_run(*state, "test.add", STEP_OP_APPLY);
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	assert_int_equal(result.phase, ATTEMPT_PHASE_DONE);
}

static void does_nothing_in_a_dry_run(void **state)
{
	struct step_result result;

	stephost_need_root();
	result = stephost_run(*state, "test.add", STEP_OP_DRY_RUN);
	assert_int_equal(result.phase, ATTEMPT_PHASE_DONE);
	assert_string_equal(result.text, "would add");
	assert_int_equal(stephost.n_applied, 0);
	assert_false(stephost_has_undo(*state, KEY));
}

static void says_that_there_is_nothing_to_do(void **state)
{
	struct step_result result;

	stephost_need_root();
	stephost.check = 1;
	result = stephost_run(*state, "test.add", STEP_OP_APPLY);
	assert_int_equal(result.phase, ATTEMPT_PHASE_DONE);
	assert_int_equal(result.ran, 0);
	assert_int_equal(stephost.n_applied, 0);
}

static void undoes_what_failed_halfway(void **state)
{
	static const struct {
		int apply, verify, revert;
		enum attempt_phase phase;
		uint32_t reverted;
	} cases[] = {
		{ -EIO, 0, 0, ATTEMPT_PHASE_FAILED, 1 },
		{ -EINPROGRESS, 0, 0, ATTEMPT_PHASE_FAILED, 1 },
		{ 0, -EIO, 0, ATTEMPT_PHASE_FAILED, 1 },
		{ 0, -EIO, -EIO, ATTEMPT_PHASE_UNKNOWN, 0 },
		{ 0, -EIO, -ECANCELED, ATTEMPT_PHASE_UNKNOWN, 0 },
		/* Done, though it cannot be seen. */
		{ 0, -EINPROGRESS, 0, ATTEMPT_PHASE_DONE, 0 },
	};

	stephost_need_root();
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct step_result result;

		stephost.value = 0;
		stephost.apply = cases[i].apply;
		stephost.verify = cases[i].verify;
		stephost.revert = cases[i].revert;
		result = stephost_run(*state, "test.add", STEP_OP_APPLY);
		assert_int_equal(result.phase, cases[i].phase);
		assert_int_equal(result.reverted, cases[i].reverted);
		assert_int_equal(result.ran, 1);
		assert_int_equal(stephost_has_undo(*state, KEY),
				 cases[i].phase != ATTEMPT_PHASE_FAILED);
		assert_int_equal(tree_teardown(state), 0);
		assert_int_equal(stephost_setup(state), 0);
	}
}

static void says_unknown_only_of_what_it_cannot_know(void **state)
{
	stephost_need_root();
	stephost.apply = -EIO;
	assert_int_equal(stephost_run(*state, "test.once", STEP_OP_APPLY).phase,
			 ATTEMPT_PHASE_FAILED);
	assert_false(stephost_has_undo(*state, KEY));
	assert_int_equal(tree_teardown(state), 0);
	assert_int_equal(stephost_setup(state), 0);
	stephost.apply = -EINPROGRESS;
	assert_int_equal(stephost_run(*state, "test.once", STEP_OP_APPLY).phase,
			 ATTEMPT_PHASE_UNKNOWN);
	/* What nothing can use is not kept. */
	assert_false(stephost_has_undo(*state, KEY));
}

static void changes_nothing_without_an_undo_record(void **state)
{
	struct step_result result;

	stephost_need_root();
	stephost.snapshot = -EIO;
	result = stephost_run(*state, "test.add", STEP_OP_APPLY);
	assert_int_equal(result.phase, ATTEMPT_PHASE_FAILED);
	assert_int_equal(result.ran, 0);
	assert_int_equal(stephost.n_applied, 0);
	/* One of an earlier life of the same key: it was done before, whoever lost its claim. */
	assert_int_equal(tree_teardown(state), 0);
	assert_int_equal(stephost_setup(state), 0);
	stephost_write_undo(*state, KEY, "test.add", 0);
	result = stephost_run(*state, "test.add", STEP_OP_APPLY);
	assert_int_equal(result.phase, ATTEMPT_PHASE_FAILED);
	assert_int_equal(stephost.n_applied, 0);
	assert_true(stephost_has_undo(*state, KEY));
}

static void forget(const struct tree *tree, const char *suffix)
{
	char path[64] = "run/steps/";

	str_append(path, sizeof(path), "%s%s", KEY, suffix);
	(void)unlinkat(tree->fd, path, 0);
}

/* What an executor that is another's by now may do in its own directory. */
static void takes_no_key_twice_though_its_claim_is_gone(void **state)
{
	struct step_result result;

	stephost_need_root();
	/* Its undo record goes when it is done: only the ledger remembers. */
	assert_int_equal(stephost_run(*state, "test.once", STEP_OP_APPLY).phase,
			 ATTEMPT_PHASE_DONE);
	assert_false(stephost_has_undo(*state, KEY));
	forget(*state, ".claim");
	forget(*state, ".result");
	stephost.value = 0;
	result = stephost_run(*state, "test.once", STEP_OP_APPLY);
	assert_int_equal(result.phase, ATTEMPT_PHASE_FAILED);
	assert_int_equal(result.error, -EEXIST);
	assert_non_null(strstr(result.text, "it was used before"));
	assert_int_equal(stephost.n_applied, 1);
}

static void keeps_the_undo_record_of_a_key_that_is_settled_again(void **state)
{
	struct step_result result;

	stephost_need_root();
	assert_int_equal(stephost_run(*state, "test.add", STEP_OP_APPLY).phase, ATTEMPT_PHASE_DONE);
	assert_true(stephost_has_undo(*state, KEY));
	forget(*state, ".claim");
	forget(*state, ".result");
	assert_int_equal(stephost_call(*state, step_settle, &result), 1);
	assert_int_equal(result.phase, ATTEMPT_PHASE_FAILED);
	assert_true(stephost_has_undo(*state, KEY));
	/* Killed right after it was claimed again. */
	forget(*state, ".result");
	assert_int_equal(stephost_call(*state, step_settle, &result), 1);
	assert_true(stephost_has_undo(*state, KEY));
}

/* One of each key, as a taken-over executor would; returns the first that is refused. */
static unsigned run_until_refused(const struct tree *tree, struct step_result *ret)
{
	for (unsigned n = 0; n < 100; n++) {
		char key[STR_HEX128_MAX] = "";
		struct step_record record = stephost_record("test.once", STEP_OP_APPLY);
		struct step s;

		str_append(key, sizeof(key), "%032x", n);
		(void)str_copy(record.key, sizeof(record.key), key);
		stephost.value = 0;
		stephost_open(&s, tree, key);
		assert_int_equal(sealed_write(s.steps_fd, key, &record, sizeof(record),
					      STEP_KIND_RECORD, STEP_VERSION, NULL),
				 0);
		assert_int_equal(step_run(&s, NULL), 1);
		*ret = s.result;
		step_done(&s);
		if (ret->phase != ATTEMPT_PHASE_DONE)
			return n;
	}
	return 0;
}

static void does_no_more_in_an_hour_than_twice_what_the_policy_gives(void **state)
{
	struct step_result result;

	stephost_need_root();
	assert_int_equal(run_until_refused(*state, &result), 20);
	assert_int_equal(result.phase, ATTEMPT_PHASE_FAILED);
	assert_int_equal(result.error, -EDQUOT);
	assert_int_equal(stephost.n_applied, 20);
}

static void does_nothing_when_it_cannot_know_what_was_done_but_undoes(void **state)
{
	struct step_result result;

	stephost_need_root();
	tree_write(*state, "run/undo/ledger", "torn");
	assert_int_equal(stephost_run(*state, "test.add", STEP_OP_APPLY).phase,
			 ATTEMPT_PHASE_FAILED);
	assert_int_equal(stephost.n_applied, 0);
	forget(*state, ".claim");
	forget(*state, ".result");
	stephost_write_undo(*state, OTHER, "test.add", 0);
	stephost.value = 1;
	result = stephost_run(*state, "", STEP_OP_REVERT);
	assert_int_equal(result.phase, ATTEMPT_PHASE_DONE);
	assert_int_equal(stephost.value, 0);
}

/* What the record says and the root-owned policy does not want, whatever the executor thinks of it. */
static void refuses_what_it_must_not_believe(void **state)
{
	static const struct {
		const char *action, *unit;
		bool by_person;
		int error;
	} cases[] = {
		{ "test.none", "a.service", false, -ENOENT },
		{ "test.other", "a.service", true, -EPERM },     /* no rule */
		{ "test.hint", "a.service", true, -EPERM },      /* suggest */
		{ "test.add", "dbus.service", true, -EPERM },    /* protected */
		{ "test.add", "../etc/passwd", false, -EINVAL }, /* no unit */
		{ "test.once", "a.service", false, 0 },
		{ "test.add", "a.service", true, 0 },
	};

	stephost_need_root();
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct step_record record = stephost_record(cases[i].action, STEP_OP_APPLY);
		struct step_result result;

		(void)str_copy(record.params.v[0].text, PARAM_TEXT_MAX, cases[i].unit);
		record.by_person = cases[i].by_person;
		stephost_write_record(*state, &record);
		assert_int_equal(stephost_call(*state, step_run, &result), 1);
		assert_int_equal(result.error, cases[i].error);
		assert_int_equal(stephost.n_applied, cases[i].error == 0);
		assert_int_equal(tree_teardown(state), 0);
		assert_int_equal(stephost_setup(state), 0);
	}
}

static void refuses_what_is_late_of_another_boot_or_another_name(void **state)
{
	struct step_record record;
	struct step_result result;

	stephost_need_root();
	for (int i = 0; i < 4; i++) {
		record = stephost_record("test.add", STEP_OP_APPLY);
		if (i == 0)
			record.not_after_ns = clock_boot_ns() - 1;
		else if (i == 1)
			memcpy(record.boot_id, OTHER, sizeof(OTHER));
		else if (i == 2)
			memcpy(record.key, OTHER, sizeof(OTHER));
		else
			record.params.n = 0;
		stephost_write_record(*state, &record);
		assert_int_equal(stephost_call(*state, step_run, &result), 1);
		assert_int_equal(result.phase, ATTEMPT_PHASE_FAILED);
		assert_int_equal(stephost.n_applied, 0);
		assert_int_equal(tree_teardown(state), 0);
		assert_int_equal(stephost_setup(state), 0);
	}
}

static void refuses_without_a_policy_it_may_trust_but_undoes(void **state)
{
	struct step_result result;

	stephost_need_root();
	tree_chmod(*state, "etc/aiops/policy.d/10.yaml", 0666);
	result = stephost_run(*state, "test.add", STEP_OP_APPLY);
	assert_int_equal(result.error, -EPERM);
	assert_int_equal(tree_teardown(state), 0);
	assert_int_equal(stephost_setup(state), 0);
	tree_chmod(*state, "etc/aiops/policy.d/10.yaml", 0666);
	tree_write(*state, "run/STOP", "");
	stephost_write_undo(*state, OTHER, "test.add", 0);
	stephost.value = 1;
	result = stephost_run(*state, NULL, STEP_OP_REVERT);
	assert_int_equal(result.phase, ATTEMPT_PHASE_DONE);
	assert_int_equal(stephost.value, 0);
	assert_false(stephost_has_undo(*state, OTHER));
}

static void keeps_the_undo_record_of_what_it_left_alone(void **state)
{
	struct step_result result;

	stephost_need_root();
	stephost_write_undo(*state, OTHER, "test.add", 0);
	stephost.revert = -ECANCELED;
	result = stephost_run(*state, NULL, STEP_OP_REVERT);
	assert_int_equal(result.phase, ATTEMPT_PHASE_FAILED);
	assert_int_equal(result.error, -ECANCELED);
	assert_true(stephost_has_undo(*state, OTHER));
}

static void cannot_undo_what_left_no_record(void **state)
{
	stephost_need_root();
	assert_int_equal(stephost_run(*state, NULL, STEP_OP_REVERT).error, -ENOENT);
}

/* Every state a kill can leave, and what settle makes of it. */
static void settles_every_state_a_kill_can_leave(void **state)
{
	static const struct {
		const char *action, *claim; /* claim NULL: none */
		bool has_undo;
		int value; /* of the host */
		enum attempt_phase phase;
		int value_after;
	} cases[] = {
		{ "test.add", NULL, false, 0, ATTEMPT_PHASE_FAILED, 0 },
		{ "test.add", "", false, 0, ATTEMPT_PHASE_FAILED, 0 },
		{ "test.add", "claimed 1\n", false, 0, ATTEMPT_PHASE_FAILED, 0 },
		{ "test.add", LINES_CHECKED, false, 0, ATTEMPT_PHASE_FAILED, 0 },
		{ "test.add", LINES_CHECKED, true, 0, ATTEMPT_PHASE_FAILED, 0 },
		{ "test.add", LINES_SNAPSHOT, true, 0, ATTEMPT_PHASE_FAILED, 0 },
		/* The line is torn: it was not applied. */
		{ "test.add", LINES_SNAPSHOT "applying", true, 0, ATTEMPT_PHASE_FAILED, 0 },
		{ "test.add", LINES_APPLYING, true, 0, ATTEMPT_PHASE_FAILED, 0 },
		{ "test.add", LINES_APPLYING, true, 1, ATTEMPT_PHASE_DONE, 1 },
		{ "test.add", LINES_APPLIED, true, 1, ATTEMPT_PHASE_DONE, 1 },
		{ "test.add", LINES_APPLIED, true, 2, ATTEMPT_PHASE_FAILED, 0 },
		{ "test.add", LINES_APPLIED "reverting 6\n", true, 1, ATTEMPT_PHASE_FAILED, 0 },
		{ "test.add", LINES_APPLIED "reverting 6\n", false, 0, ATTEMPT_PHASE_FAILED, 0 },
		{ "test.add", LINES_APPLIED, false, 1, ATTEMPT_PHASE_UNKNOWN, 1 },
		{ "test.once", LINES_SNAPSHOT, true, 0, ATTEMPT_PHASE_FAILED, 0 },
		{ "test.once", LINES_APPLYING, true, 1, ATTEMPT_PHASE_DONE, 1 },
		{ "test.once", LINES_APPLYING, true, 0, ATTEMPT_PHASE_UNKNOWN, 0 },
		{ "test.once", LINES_APPLIED, true, 2, ATTEMPT_PHASE_UNKNOWN, 2 },
	};

	stephost_need_root();
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct step_record record = stephost_record(cases[i].action, STEP_OP_APPLY);
		struct step_result result, again;

		stephost_write_record(*state, &record);
		if (cases[i].claim)
			tree_write(*state, "run/steps/" KEY ".claim", cases[i].claim);
		if (cases[i].has_undo)
			stephost_write_undo(*state, KEY, cases[i].action, 0);
		stephost.value = cases[i].value;
		assert_int_equal(stephost_call(*state, step_settle, &result), 1);
		assert_int_equal(result.phase, cases[i].phase);
		assert_int_equal(result.settled, 1);
		assert_int_equal(result.ran, cases[i].claim && strstr(cases[i].claim, "applying "));
		assert_int_equal(stephost.value, cases[i].value_after);
		assert_int_equal(stephost.n_applied, 0);
		if (str_equal(cases[i].action, "test.once"))
			assert_false(stephost_has_undo(*state, KEY));
		/* A second settle, and a second run, find it settled. */
		assert_int_equal(stephost_call(*state, step_settle, &again), 0);
		assert_int_equal(stephost_call(*state, step_run, &again), 0);
		assert_memory_equal(&result, &again, sizeof(result));
		assert_int_equal(tree_teardown(state), 0);
		assert_int_equal(stephost_setup(state), 0);
	}
}

static void settles_an_undo_by_doing_it_again(void **state)
{
	static const struct {
		const char *claim;
		bool has_undo;
		enum attempt_phase phase;
	} cases[] = {
		{ "claimed 1\n", true, ATTEMPT_PHASE_DONE },
		{ "claimed 1\nreverting 2\n", true, ATTEMPT_PHASE_DONE },
		{ "claimed 1\nreverting 2\n", false,
		  ATTEMPT_PHASE_DONE }, /* its record goes last */
		{ "claimed 1\n", false, ATTEMPT_PHASE_FAILED },
	};

	stephost_need_root();
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct step_record record = stephost_record(NULL, STEP_OP_REVERT);
		struct step_result result;

		stephost_write_record(*state, &record);
		tree_write(*state, "run/steps/" KEY ".claim", cases[i].claim);
		if (cases[i].has_undo)
			stephost_write_undo(*state, OTHER, "test.add", 0);
		stephost.value = cases[i].has_undo;
		assert_int_equal(stephost_call(*state, step_settle, &result), 1);
		assert_int_equal(result.phase, cases[i].phase);
		assert_int_equal(stephost.value, 0);
		assert_false(stephost_has_undo(*state, OTHER));
		assert_int_equal(tree_teardown(state), 0);
		assert_int_equal(stephost_setup(state), 0);
	}
}

static void leaves_alone_what_the_executor_revoked(void **state)
{
	struct step_record record = stephost_record("test.add", STEP_OP_APPLY);
	struct step_result result;

	stephost_need_root();
	stephost_write_record(*state, &record);
	tree_write(*state, "run/steps/" KEY ".claim", "revoked 0\n");
	assert_int_equal(stephost_call(*state, step_run, &result), 0);
	assert_int_equal(stephost_call(*state, step_settle, &result), 0);
	assert_int_equal(result.phase, 0);
	assert_int_equal(stephost.n_applied, 0);
}

/* Killed in the middle of apply() or after it; then of its undoing. */
static void leaves_what_needs_a_credential_to_the_next_run(void **state)
{
	static const char *const claims[] = { LINES_APPLYING, LINES_APPLIED };
	struct step_record record = stephost_record("test.secret", STEP_OP_APPLY);
	struct step_result result = { 0 };

	stephost_need_root();
	for (int done = 0; done <= 1; done++) {
		assert_int_equal(stephost_setup(state), 0);
		stephost.value = done;
		stephost_write_record(*state, &record);
		stephost_write_undo(*state, KEY, "test.secret", 0);
		tree_write(*state, "run/steps/" KEY ".claim", claims[done]);
		assert_int_equal(stephost_call(*state, step_settle, &result), 0);
		assert_string_equal(result.key, "");
		assert_int_equal(stephost.n_reverted, 0);
		assert_true(stephost_has_undo(*state, KEY));
		assert_int_equal(stephost_call(*state, step_run, &result), 1);
		assert_int_equal(result.phase, done ? ATTEMPT_PHASE_DONE : ATTEMPT_PHASE_FAILED);
		assert_int_equal(result.reverted, !done);
		assert_int_equal(result.settled, 1);
		assert_int_equal(stephost.n_applied, 0);
		/* A third one finds it settled. */
		assert_int_equal(stephost_call(*state, step_run, &result), 0);
		assert_int_equal(tree_teardown(state), 0);
	}
	assert_int_equal(stephost_setup(state), 0);
	record = stephost_record("test.secret", STEP_OP_REVERT);
	stephost_write_record(*state, &record);
	stephost_write_undo(*state, OTHER, "test.secret", 0);
	stephost.value = 1;
	tree_write(*state, "run/steps/" KEY ".claim", "claimed 1\nreverting 2\n");
	assert_int_equal(stephost_call(*state, step_settle, &result), 0);
	assert_int_equal(stephost.value, 1);
	assert_int_equal(stephost_call(*state, step_run, &result), 1);
	assert_int_equal(result.phase, ATTEMPT_PHASE_DONE);
	assert_int_equal(stephost.value, 0);
	assert_int_equal(tree_teardown(state), 0);
}

static void does_not_settle_what_is_still_alive(void **state)
{
	struct step_record record = stephost_record("test.add", STEP_OP_APPLY);
	struct step_result result;
	struct step alive;

	stephost_need_root();
	stephost_write_record(*state, &record);
	stephost_open(&alive, *state, KEY);
	assert_int_equal(claim_create(&alive, NULL), 1);
	assert_int_equal(stephost_call(*state, step_settle, &result), 0);
	assert_int_equal(result.phase, 0);
	step_done(&alive);
	assert_int_equal(stephost_call(*state, step_settle, &result), 1);
}

static void follows_no_link_that_the_executor_laid(void **state)
{
	const struct tree *tree = *state;
	struct step_record record = stephost_record("test.add", STEP_OP_APPLY);
	struct step s;

	stephost_need_root();
	stephost_write_record(tree, &record);
	tree_write(tree, "run/victim", "safe");
	assert_int_equal(symlinkat("../victim", tree->fd, "run/steps/" KEY ".claim"), 0);
	stephost_open(&s, tree, KEY);
	assert_true(step_run(&s, NULL) <= 0);
	assert_true(step_settle(&s, NULL) <= 0);
	step_done(&s);
	assert_int_equal(stephost.n_applied, 0);
}

static void refuses_a_key_that_is_a_path(void **state)
{
	const struct tree *tree = *state;
	struct step s;

	assert_int_equal(step_open(&s, tree->path, tree->path, "../../etc/shadow", NULL), -EINVAL);
	step_done(&s);
	assert_int_equal(step_open(&s, tree->path, tree->path, "", NULL), -EINVAL);
	step_done(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, stephost_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(does_it_once_and_keeps_what_undoes_it),
		TEST(works_where_systemd_hides_its_credentials),
		TEST(does_nothing_in_a_dry_run),
		TEST(says_that_there_is_nothing_to_do),
		TEST(undoes_what_failed_halfway),
		TEST(says_unknown_only_of_what_it_cannot_know),
		TEST(changes_nothing_without_an_undo_record),
		TEST(takes_no_key_twice_though_its_claim_is_gone),
		TEST(keeps_the_undo_record_of_a_key_that_is_settled_again),
		TEST(does_no_more_in_an_hour_than_twice_what_the_policy_gives),
		TEST(does_nothing_when_it_cannot_know_what_was_done_but_undoes),
		TEST(refuses_what_it_must_not_believe),
		TEST(refuses_what_is_late_of_another_boot_or_another_name),
		TEST(refuses_without_a_policy_it_may_trust_but_undoes),
		TEST(keeps_the_undo_record_of_what_it_left_alone),
		TEST(cannot_undo_what_left_no_record),
		TEST(settles_every_state_a_kill_can_leave),
		TEST(settles_an_undo_by_doing_it_again),
		TEST(leaves_alone_what_the_executor_revoked),
		cmocka_unit_test(leaves_what_needs_a_credential_to_the_next_run),
		TEST(does_not_settle_what_is_still_alive),
		TEST(follows_no_link_that_the_executor_laid),
		TEST(refuses_a_key_that_is_a_path),
	};

	return cmocka_run_group_tests(tests, tree_become_root, NULL);
}
