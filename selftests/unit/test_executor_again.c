/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/brokerworld.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "selftests/unit/brokerworld.h"

/* What was allowed by an executor that was then killed, and what is asked for over and over. */

static void lower_the_mode(struct world *w)
{
	w->state.mode = AUTONOMY_SUGGEST;
}

static void pause_it(struct world *w)
{
	w->state.paused = 1;
}

static void touch_the_stop_file(struct world *w)
{
	w->stopped = true;
}

static void deny_by_policy(struct world *w)
{
	w->policy.n_rules = 0;
}

static void ask_by_policy(struct world *w)
{
	w->rules[0].autonomy = AUTONOMY_APPROVE;
}

static void let_it_be_late(struct world *w)
{
	w->now_ns += 61 * NS_PER_S;
}

static void let_it_be(struct world *w)
{
	(void)w;
}

/* As kill -9 leaves it between the two files that are written before systemd is asked. */
static const char *kill_before_asking(struct world *w)
{
	static struct proposal p;
	struct step_of_world *s;

	p = world_proposal(w, "unit.start", "a.service");
	assert_int_equal(world_propose(w, &p)->attempt.phase, ATTEMPT_PHASE_STARTING);
	s = world_find(w, p.key);
	s->kept.asked = false;
	s->asked = s->written = false;
	w->n_starts = 0;
	return p.key;
}

static void passes_the_guard_again_after_a_restart(void **state)
{
	static const struct {
		void (*change)(struct world *w);
		enum attempt_phase phase;
		const char *by;
		unsigned n_starts, n_spent;
	} cases[] = {
		{ let_it_be, ATTEMPT_PHASE_STARTING, "policy", 1, 1 },
		{ lower_the_mode, ATTEMPT_PHASE_DENIED, "runbook", 0, 0 },
		{ pause_it, ATTEMPT_PHASE_DENIED, "paused", 0, 0 },
		{ touch_the_stop_file, ATTEMPT_PHASE_DENIED, "stop-file", 0, 0 },
		{ deny_by_policy, ATTEMPT_PHASE_DENIED, "no-rule", 0, 0 },
		{ ask_by_policy, ATTEMPT_PHASE_WAITING, "policy", 0, 0 },
		{ let_it_be_late, ATTEMPT_PHASE_DENIED, "deadline", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		const struct entry *e;
		struct world w;
		const char *key;

		world_begin(&w, 1);
		key = kill_before_asking(&w);
		cases[i].change(&w);
		world_restart(&w);
		e = attempts_find(&w.broker.attempts, key);
		assert_non_null(e);
		assert_int_equal(e->attempt.phase, cases[i].phase);
		assert_string_equal(e->decision.by, cases[i].by);
		assert_int_equal(w.n_starts, cases[i].n_starts);
		assert_int_equal(w.broker.budget.n, cases[i].n_spent);
		world_end(&w);
	}
}

static void does_not_blame_the_bus_for_its_own_restart(void **state)
{
	const struct entry *e;
	struct proposal p;
	struct world w;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.start", "a.service");
	(void)world_propose(&w, &p);
	world_restart(&w);
	world_wait(&w, BROKER_GRACE_NS);
	broker_tick(&w.broker);
	e = attempts_find(&w.broker.attempts, p.key);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_FAILED);
	assert_null(strstr(e->attempt.text, "D-Bus"));
	assert_non_null(strstr(e->attempt.text, "the executor was restarted"));
	world_end(&w);
}

static void takes_so_many_proposals_a_minute_and_counts_the_rest(void **state)
{
	struct err err = { 0 };
	struct proposal p, first;
	struct world w;

	(void)state;
	world_begin(&w, 1);
	first = world_proposal(&w, "unit.start", "dbus.service");
	assert_non_null(world_propose(&w, &first));
	for (unsigned i = 1; i < BROKER_PROPOSALS_PER_MINUTE; i++) {
		p = world_proposal(&w, "unit.start", "dbus.service");
		assert_non_null(world_propose(&w, &p));
	}
	p = world_proposal(&w, "unit.start", "dbus.service");
	assert_null(broker_propose(&w.broker, &p, &err));
	assert_int_equal(err.code, -EAGAIN);
	assert_int_equal(w.n_audit, 2 * BROKER_PROPOSALS_PER_MINUTE); /* propose and deny */
	/* What is known already costs nothing. */
	assert_non_null(broker_propose(&w.broker, &first, &err));
	assert_int_equal(w.broker.proposals.dropped, 1);
	world_wait(&w, BROKER_RATE_WINDOW_NS);
	assert_non_null(world_propose(&w, &p));
	world_end(&w);
}

static void bounds_what_each_person_asks_for(void **state)
{
	struct world w;
	struct wish other = { .key = "ffffffffffffffffffffffffffffffff",
			      .info = action_info_find("unit.start"),
			      .dry_run = true,
			      .uid = 1001,
			      .actor = "bob, uid 1001" };

	(void)state;
	world_begin(&w, 1);
	for (unsigned i = 0; i < BROKER_WISHES_PER_MINUTE; i++) {
		bool dry_run = i % 2 == 0;
		const struct entry *e = world_do(
			&w, "unit.start", dry_run ? "a.service" : "ssh.service", true, dry_run);

		assert_non_null(e);
		other.params = e->attempt.params;
		if (dry_run)
			world_finish(&w, e->attempt.key, ATTEMPT_PHASE_DONE);
	}
	assert_null(world_do(&w, "unit.start", "a.service", true, true));
	assert_null(world_do(&w, "unit.start", "a.service", true, false));
	assert_int_equal(w.broker.wishes.dropped, 2);
	/* Another person is another. */
	assert_non_null(broker_do(&w.broker, &other, NULL));
	world_wait(&w, BROKER_RATE_WINDOW_NS);
	assert_non_null(world_do(&w, "unit.start", "b.service", true, true));
	world_end(&w);
}

static void forgets_the_rate_of_who_came_first_only(void **state)
{
	struct uid_rates r = { 0 };

	(void)state;
	for (uint32_t uid = 0; uid < RATE_UIDS_MAX; uid++)
		assert_true(uid_rates_take(&r, uid, 1000, 1, 5000 + uid));
	for (uint32_t uid = 0; uid < RATE_UIDS_MAX; uid++)
		assert_false(uid_rates_take(&r, uid, 1000, 1, 5100));
	assert_true(uid_rates_take(&r, 99, 1000, 1, 5100));
	assert_false(uid_rates_take(&r, 1, 1000, 1, 5100));
	assert_true(uid_rates_take(&r, 0, 1000, 1, 5100));
	assert_int_equal(r.dropped, RATE_UIDS_MAX + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_the_guard_again_after_a_restart),
		cmocka_unit_test(does_not_blame_the_bus_for_its_own_restart),
		cmocka_unit_test(takes_so_many_proposals_a_minute_and_counts_the_rest),
		cmocka_unit_test(bounds_what_each_person_asks_for),
		cmocka_unit_test(forgets_the_rate_of_who_came_first_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
