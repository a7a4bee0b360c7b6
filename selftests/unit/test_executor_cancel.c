/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/brokerworld.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "selftests/unit/brokerworld.h"

static int cancel(struct world *w, const struct entry *e, struct err *reterr)
{
	return broker_cancel(&w->broker, e->attempt.key, "uid 1000", reterr);
}

static void what_waits_is_withdrawn(void **state)
{
	struct world w;
	const struct entry *e;

	(void)state;
	world_begin(&w, 1);
	e = world_do(&w, "unit.restart", "a.service", false, false);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_WAITING);
	assert_int_equal(cancel(&w, e, NULL), 0);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_DENIED);
	assert_string_equal(e->decision.by, "cancelled");
	assert_int_equal(w.n_starts, 0);
	world_end(&w);
}

static void what_no_step_has_claimed_never_begins(void **state)
{
	struct world w;
	const struct entry *e;

	(void)state;
	world_begin(&w, 1);
	e = world_do(&w, "unit.restart", "a.service", true, false);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_STARTING);
	assert_int_equal(cancel(&w, e, NULL), 0);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_FAILED);
	assert_int_equal(e->attempt.error, -ECANCELED);
	assert_true(world_find(&w, e->attempt.key)->revoked);
	/* Nothing was done: the next may be. */
	assert_int_equal(world_do(&w, "unit.restart", "a.service", true, false)->attempt.phase,
			 ATTEMPT_PHASE_STARTING);
	world_end(&w);
}

static const struct entry *at_work(struct world *w, const char *action)
{
	const struct entry *e = world_do(w, action, "a.service", true, false);

	broker_start_answered(&w->broker, e->attempt.key, 0, NULL);
	world_find(w, e->attempt.key)->claimed = true;
	broker_look(&w->broker, e->attempt.key);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_CLAIMED);
	return e;
}

static void what_is_at_work_is_undone_when_it_has_ended(void **state)
{
	struct world w;
	const struct entry *e;

	(void)state;
	world_begin(&w, 1);
	e = at_work(&w, "unit.set_cpu_quota");
	assert_int_equal(cancel(&w, e, NULL), 0);
	assert_true(e->revert_wanted);
	world_finish(&w, e->attempt.key, ATTEMPT_PHASE_DONE);
	assert_true(e->revert_key[0] != '\0');
	assert_int_equal(w.n_starts, 2);
	world_end(&w);
}

static void what_is_at_work_and_cannot_be_undone_goes_on(void **state)
{
	struct world w;
	struct err err = { 0 };
	const struct entry *e;

	(void)state;
	world_begin(&w, 1);
	e = at_work(&w, "unit.restart");
	assert_int_equal(cancel(&w, e, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err_text(&err), "it is at work, and cannot be undone"));
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_CLAIMED);
	assert_false(e->revert_wanted);
	world_end(&w);
}

static void what_has_ended_cannot_be_cancelled(void **state)
{
	struct world w;
	const struct entry *e;

	(void)state;
	world_begin(&w, 1);
	e = at_work(&w, "unit.restart");
	world_finish(&w, e->attempt.key, ATTEMPT_PHASE_DONE);
	assert_int_equal(cancel(&w, e, NULL), -EALREADY);
	assert_int_equal(broker_cancel(&w.broker, "ffff", "uid 1000", NULL), -ENOENT);
	world_end(&w);
}

static void a_denial_says_how_long_to_wait_where_time_helps(void **state)
{
	struct world w;
	const struct entry *e;

	(void)state;
	world_begin(&w, 1);
	e = at_work(&w, "unit.restart");
	world_finish(&w, e->attempt.key, ATTEMPT_PHASE_DONE);
	world_wait(&w, 10 * NS_PER_S);
	e = world_do(&w, "unit.restart", "a.service", true, false);
	assert_string_equal(e->decision.by, "cooldown");
	assert_int_equal(broker_retry_ns(&w.broker, e), 50 * NS_PER_S);
	e = world_do(&w, "unit.restart", "ssh.service", true, false);
	assert_int_equal(broker_retry_ns(&w.broker, e), 0);
	world_end(&w);
}

static void leaves_places_for_what_comes_from_nearer_than_remote_callers(void **state)
{
	static const char *const units[] = { "a.service", "b.service", "c.service", "d.service" };
	struct world w;
	struct proposal p;

	(void)state;
	world_begin(&w, 1);
	for (size_t i = 0; i < ELEMENTSOF(units); i++) {
		const struct entry *e = world_do_remote(&w, "unit.restart", units[i]);

		assert_int_equal(e->attempt.phase, i < APPROVALS_REMOTE_MAX ?
							   ATTEMPT_PHASE_WAITING :
							   ATTEMPT_PHASE_DENIED);
	}
	p = world_proposal(&w, "unit.restart", "e.service");
	assert_int_equal(world_propose(&w, &p)->attempt.phase, ATTEMPT_PHASE_WAITING);
	assert_int_equal(world_do(&w, "unit.restart", "f.service", false, false)->attempt.phase,
			 ATTEMPT_PHASE_WAITING);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_places_for_what_comes_from_nearer_than_remote_callers),
		cmocka_unit_test(what_waits_is_withdrawn),
		cmocka_unit_test(what_no_step_has_claimed_never_begins),
		cmocka_unit_test(what_is_at_work_is_undone_when_it_has_ended),
		cmocka_unit_test(what_is_at_work_and_cannot_be_undone_goes_on),
		cmocka_unit_test(what_has_ended_cannot_be_cancelled),
		cmocka_unit_test(a_denial_says_how_long_to_wait_where_time_helps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
