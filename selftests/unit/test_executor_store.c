/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "executor/audit.h"
#include "executor/store.h"
#include "selftests/unit/tree.h"

#define KEY   "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210"

static struct store store;

static int setup(void **state)
{
	if (tree_setup(state) < 0)
		return -1;
	return store_open(&store, ((struct tree *)*state)->path, NULL);
}

static int teardown(void **state)
{
	store_done(&store);
	return tree_teardown(state);
}

static const struct entity a = { .kind = ENTITY_KIND_UNIT, .name = "a.service" };

static struct entry make_entry(const char *key)
{
	struct entry e;

	memset(&e, 0, sizeof(e));
	(void)str_copy(e.attempt.key, sizeof(e.attempt.key), key);
	(void)str_copy(e.attempt.action, sizeof(e.attempt.action), "unit.start");
	(void)str_copy(e.attempt.actor, sizeof(e.attempt.actor), "agent");
	(void)str_copy(e.attempt.text, sizeof(e.attempt.text), "under way");
	e.attempt.phase = ATTEMPT_PHASE_CLAIMED;
	e.attempt.params.n = 1;
	e.attempt.params.v[0].type = PARAM_TYPE_UNIT;
	(void)str_copy(e.attempt.params.v[0].name, PARAM_NAME_MAX, "unit");
	(void)str_copy(e.attempt.params.v[0].text, PARAM_TEXT_MAX, "a.service");
	e.entity = a;
	e.asked = true;
	return e;
}

static bool is_there(const struct tree *tree, const char *path)
{
	return faccessat(tree->fd, path, F_OK, 0) == 0;
}

static void load(struct broker *b, unsigned n_bad)
{
	static const struct broker_ops ops;

	broker_init(b, &ops, NULL, store.boot_id);
	assert_int_equal(store_load(&store, b), n_bad);
}

static void gives_back_attempts_budget_and_state(void **state)
{
	static struct broker b;
	struct entry e = make_entry(KEY);
	struct broker_state st = { .mode = AUTONOMY_SUGGEST, .paused = 1 };
	struct budget *budget = calloc(1, sizeof(*budget));

	(void)state;
	assert_non_null(budget);
	memcpy(budget->boot_id, store.boot_id, sizeof(budget->boot_id));
	budget_spend(budget, "unit.start", &a, 5);
	assert_int_equal(store_persist(&store, &e, NULL), 0);
	assert_int_equal(store_save_budget(&store, budget, NULL), 0);
	assert_int_equal(store_save_state(&store, &st, NULL), 0);
	load(&b, 0);
	assert_int_equal(b.attempts.n, 1);
	assert_string_equal(attempts_find(&b.attempts, KEY)->entity.name, "a.service");
	assert_int_equal(b.budget.n, 1);
	assert_int_equal(b.state.mode, AUTONOMY_SUGGEST);
	assert_int_equal(b.state.paused, 1);
	broker_done(&b);
	free(budget);
}

static void counts_what_was_done_before_a_reboot(void **state)
{
	static struct broker b;
	struct budget *budget = calloc(1, sizeof(*budget));

	(void)state;
	assert_non_null(budget);
	memcpy(budget->boot_id, KEY, sizeof(KEY));
	budget_spend(budget, "unit.start", &a, clock_boot_ns());
	assert_int_equal(store_save_budget(&store, budget, NULL), 0);
	load(&b, 0);
	assert_string_equal(b.budget.boot_id, store.boot_id);
	assert_int_equal(budget_count_hour(&b.budget, clock_boot_ns()), 1);
	broker_done(&b);
	free(budget);
}

static void is_paused_when_it_cannot_read_its_state_or_budget(void **state)
{
	static const char *const names[] = { "state", "budget" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		struct broker_state st = { .mode = AUTONOMY_SUGGEST };
		static struct broker b;

		assert_int_equal(store_save_state(&store, &st, NULL), 0);
		assert_int_equal(
			fd_write_atomic(store.exec_fd, names[i], "x", 1, 0600, false, NULL), 0);
		load(&b, 1);
		assert_int_equal(b.state.paused, 1);
		broker_done(&b);
		/* And so it stays when it is killed now. */
		load(&b, 0);
		assert_int_equal(b.state.paused, 1);
		broker_done(&b);
	}
}

static void sets_aside_what_it_cannot_read(void **state)
{
	const struct tree *tree = *state;
	static struct broker b;
	struct entry e = make_entry(KEY);

	assert_int_equal(store_persist(&store, &e, NULL), 0);
	assert_int_equal(fd_write_atomic(store.attempts_fd, OTHER, "torn", 4, 0600, false, NULL),
			 0);
	/* One under a name that is not its own. */
	assert_int_equal(linkat(store.attempts_fd, KEY, store.attempts_fd,
				"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0),
			 0);
	load(&b, 2);
	assert_int_equal(b.attempts.n, 1);
	assert_true(is_there(tree, "exec/attempts/" OTHER ".bad"));
	assert_false(is_there(tree, "exec/attempts/" OTHER));
	broker_done(&b);
}

static void writes_a_step_once_with_the_mode_its_reader_needs(void **state)
{
	const struct tree *tree = *state;
	struct entry e = make_entry(KEY);
	struct step_record record;
	struct stat st = { 0 };

	assert_int_equal(store_write_step(&store, &e, 99, NULL), 0);
	assert_int_equal(sealed_read(store.steps_fd, KEY, &record, sizeof(record), STEP_KIND_RECORD,
				     STEP_VERSION, NULL),
			 0);
	assert_int_equal(step_record_check(&record, NULL), 0);
	assert_int_equal(record.not_after_ns, 99);
	assert_string_equal(record.action, "unit.start");
	assert_int_equal(fstatat(tree->fd, "steps/" KEY, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	/* The second time it is the same one. */
	assert_int_equal(store_write_step(&store, &e, 100, NULL), 0);
	assert_int_equal(sealed_read(store.steps_fd, KEY, &record, sizeof(record), STEP_KIND_RECORD,
				     STEP_VERSION, NULL),
			 0);
	assert_int_equal(record.not_after_ns, 99);
}

static void writes_an_undo_without_what_the_step_must_not_believe(void **state)
{
	struct entry e = make_entry(KEY);
	struct step_record record;

	(void)state;
	e.op = STEP_OP_REVERT;
	memcpy(e.target_key, OTHER, sizeof(OTHER));
	assert_int_equal(store_write_step(&store, &e, 99, NULL), 0);
	assert_int_equal(sealed_read(store.steps_fd, KEY, &record, sizeof(record), STEP_KIND_RECORD,
				     STEP_VERSION, NULL),
			 0);
	assert_string_equal(record.target_key, OTHER);
	assert_string_equal(record.action, "");
	assert_int_equal(record.params.n, 0);
}

static void revokes_what_no_step_has_claimed_and_only_that(void **state)
{
	const struct tree *tree = *state;
	struct step_claim claim = { 0 };
	struct step_result result;
	bool claimed = false;

	assert_int_equal(store_revoke(&store, KEY, NULL), 1);
	assert_int_equal(store_revoke(&store, KEY, NULL), 1);
	assert_int_equal(store_look(&store, KEY, &claim, &claimed, &result, NULL), 0);
	assert_true(claimed);
	assert_int_equal(claim.phase, STEP_PHASE_REVOKED);
	tree_write(tree, "steps/" OTHER ".claim", "claimed 1\n");
	assert_int_equal(store_revoke(&store, OTHER, NULL), 0);
	assert_false(is_there(tree, "steps/" OTHER ".revoke"));
}

static void forgets_every_file_of_an_attempt(void **state)
{
	const struct tree *tree = *state;
	struct entry e = make_entry(KEY);

	assert_int_equal(store_persist(&store, &e, NULL), 0);
	assert_int_equal(store_write_step(&store, &e, 99, NULL), 0);
	assert_int_equal(store_revoke(&store, KEY, NULL), 1);
	tree_write(tree, "steps/" KEY ".result", "x");
	store_forget(&store, KEY);
	assert_false(is_there(tree, "exec/attempts/" KEY));
	assert_false(is_there(tree, "steps/" KEY));
	assert_false(is_there(tree, "steps/" KEY ".claim"));
	assert_false(is_there(tree, "steps/" KEY ".result"));
}

static void sweeps_only_old_files_that_nobody_knows(void **state)
{
	static const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	const struct tree *tree = *state;
	struct attempts known = { 0 };

	assert_non_null(attempts_add(&known, KEY));
	tree_write(tree, "steps/" KEY ".claim", "x");
	tree_write(tree, "steps/" OTHER ".claim", "x");
	tree_write(tree, "steps/" OTHER ".result", "x");
	tree_write(tree, "steps/README", "x");
	assert_int_equal(utimensat(tree->fd, "steps/" KEY ".claim", old, 0), 0);
	assert_int_equal(utimensat(tree->fd, "steps/" OTHER ".claim", old, 0), 0);
	assert_int_equal(utimensat(tree->fd, "steps/README", old, 0), 0);
	store_sweep(&store, &known);
	assert_true(is_there(tree, "steps/" KEY ".claim"));
	assert_false(is_there(tree, "steps/" OTHER ".claim"));
	assert_true(is_there(tree, "steps/" OTHER ".result"));
	assert_true(is_there(tree, "steps/README"));
	attempts_done(&known);
}

static void sees_the_stop_file_whatever_it_is(void **state)
{
	const struct tree *tree = *state;

	assert_false(store_is_stopped(&store));
	assert_int_equal(symlinkat("/nowhere", tree->fd, "STOP"), 0);
	assert_true(store_is_stopped(&store));
}

static void keeps_audit_entries_until_each_is_acknowledged(void **state)
{
	static struct audit_queue q, again;
	struct audit_entry entry = { 0 };

	(void)state;
	audit_queue_init(&q, &store);
	for (int i = 0; i < 3; i++)
		assert_int_equal(audit_queue_add(&q, &entry, NULL), 0);
	assert_int_equal(entry.seq, 3);
	audit_queue_ack(&q, 2);
	audit_queue_ack(&q, 2);
	audit_queue_ack(&q, 999);
	/* The next process finds the rest, in order, and never names one twice. */
	audit_queue_init(&again, &store);
	assert_int_equal(again.n, 2);
	assert_int_equal(again.seqs[0], 1);
	assert_int_equal(again.seqs[1], 3);
	assert_int_equal(audit_queue_add(&again, &entry, NULL), 0);
	assert_int_equal(entry.seq, 4);
	/* Also when none is left. */
	audit_queue_ack(&again, 1);
	audit_queue_ack(&again, 3);
	audit_queue_ack(&again, 4);
	audit_queue_init(&q, &store);
	assert_int_equal(q.n, 0);
	assert_int_equal(audit_queue_add(&q, &entry, NULL), 0);
	assert_int_equal(entry.seq, 5);
}

static void counts_audit_entries_for_which_there_is_no_room(void **state)
{
	static struct audit_queue q;
	struct audit_entry entry = { 0 };

	(void)state;
	audit_queue_init(&q, &store);
	for (int i = 0; i < AUDIT_ENTRIES_MAX; i++)
		assert_int_equal(audit_queue_add(&q, &entry, NULL), 0);
	assert_int_equal(audit_queue_add(&q, &entry, NULL), -ENOSPC);
	assert_int_equal(q.dropped, 1);
	assert_int_equal(q.n, AUDIT_ENTRIES_MAX);
	audit_queue_ack(&q, 1);
	assert_int_equal(audit_queue_add(&q, &entry, NULL), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gives_back_attempts_budget_and_state),
		TEST(counts_what_was_done_before_a_reboot),
		TEST(is_paused_when_it_cannot_read_its_state_or_budget),
		TEST(sets_aside_what_it_cannot_read),
		TEST(writes_a_step_once_with_the_mode_its_reader_needs),
		TEST(writes_an_undo_without_what_the_step_must_not_believe),
		TEST(revokes_what_no_step_has_claimed_and_only_that),
		TEST(forgets_every_file_of_an_attempt),
		TEST(sweeps_only_old_files_that_nobody_knows),
		TEST(sees_the_stop_file_whatever_it_is),
		TEST(keeps_audit_entries_until_each_is_acknowledged),
		TEST(counts_audit_entries_for_which_there_is_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
