/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/brokerworld.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "selftests/unit/brokerworld.h"

#define SEQUENCES 60 /* AIOPS_SEQUENCES=N in the environment for more */
#define STEPS     1200

static uint64_t next_random(struct world *w)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return w->seed;
}

static struct entry *any_entry(struct world *w)
{
	return w->broker.attempts.n == 0 ?
		       NULL :
		       w->broker.attempts.v[next_random(w) % w->broker.attempts.n];
}

static void any_wish(struct world *w)
{
	static const char *const actions[] = { "unit.start", "unit.restart", "unit.set_cpu_quota",
					       "unit.kill" };
	static const char *const units[] = { "a.service", "b.service", "dbus.service" };
	const char *action = actions[next_random(w) % ELEMENTSOF(actions)];
	const char *unit = units[next_random(w) % ELEMENTSOF(units)];
	struct proposal p;

	if (next_random(w) % 3 == 0) {
		(void)world_do(w, action, unit, next_random(w) % 2, next_random(w) % 4 == 0);
		return;
	}
	p = world_proposal(w, action, unit);
	p.n_sources = (uint32_t)(next_random(w) % 4);
	p.n_trusted = (uint32_t)(next_random(w) % 3);
	p.deadline_ns = w->now_ns + next_random(w) % (2 * NS_PER_S);
	p.plan.autonomy = (enum autonomy)(next_random(w) % _AUTONOMY_MAX);
	if (w->next_key > 3 && next_random(w) % 8 == 0) { /* a key that was seen before */
		w->next_key -= 2;
		(void)world_new_key(w, p.key);
		w->next_key++;
	}
	if (p.plan.autonomy != AUTONOMY_AUTO)
		world_find(w, p.key)->allowed = false;
	if (p.plan.autonomy == AUTONOMY_AUTO && !attempts_find(&w->broker.attempts, p.key))
		(void)world_propose(w, &p);
	else
		(void)broker_propose(&w->broker, &p, NULL);
}

/* A step somewhere goes on by one phase, or ends. Only what was asked for and not revoked can. */
static void any_step(struct world *w)
{
	size_t back = next_random(w) % 12; /* mostly the last ones: those are under way */
	struct step_of_world *s = back < w->n_steps ? w->steps[w->n_steps - 1 - back] : NULL;

	if (!s || !s->asked || s->revoked || s->has_result)
		return;
	if (!s->claimed)
		s->claimed = true;
	else if (next_random(w) % 2 && s->phase < STEP_PHASE_REVERTING)
		s->phase++;
	else {
		s->has_result = true;
		s->result = (struct step_result){
			.phase = next_random(w) % 4 ? ATTEMPT_PHASE_DONE : ATTEMPT_PHASE_FAILED,
		};
	}
	if (next_random(w) % 3)
		broker_look(&w->broker, s->key);
}

static void any_input(struct world *w)
{
	const struct err refused = { .code = -EACCES, .text = "no" };
	struct entry *e = any_entry(w);
	int r = 0;

	switch (next_random(w) % 18) {
	case 0:
	case 1:
	case 2:
		any_wish(w);
		break;
	case 3:
	case 4:
	case 5:
		any_step(w);
		break;
	case 6:
		if (e)
			r = broker_decide(&w->broker, e->attempt.key,
					  next_random(w) % 4 ? e->hash : "bad",
					  next_random(w) % 3 != 0, 1000, "alice", "x", NULL);
		break;
	case 7:
		if (e)
			r = broker_revert(&w->broker, e->attempt.key, "agent", "x", NULL);
		break;
	case 8:
		if (e)
			broker_start_answered(&w->broker, e->attempt.key,
					      next_random(w) % 4 ? 0 : -EACCES, &refused);
		break;
	case 9:
		if (e && next_random(w) % 2)
			broker_job_removed(&w->broker, e->attempt.key);
		else if (e)
			broker_start_alive(&w->broker, e->attempt.key);
		break;
	case 10:
		w->disk_full = next_random(w) % 12 == 0;
		w->starter_full = next_random(w) % 12 == 0;
		w->stopped = next_random(w) % 12 == 0;
		w->audit_full = next_random(w) % 12 == 0;
		break;
	case 11:
		r = broker_set_paused(&w->broker, next_random(w) % 12 == 0, "alice", NULL);
		r = broker_set_mode(&w->broker,
				    next_random(w) % 6 ? AUTONOMY_AUTO : AUTONOMY_SUGGEST, "alice",
				    NULL);
		break;
	case 13:
	case 14:
	case 15:
	case 16:
		any_step(w);
		break;
	case 12:
		if (next_random(w) % 4 == 0)
			world_restart(w);
		break;
	default:
		world_wait(w, next_random(w) % (next_random(w) % 8 ? NS_PER_S : 1000 * NS_PER_S));
		broker_tick(&w->broker);
		break;
	}
	assert_true(r <= 0);
}

static void check_always(struct world *w)
{
	uint64_t next_ns = broker_next_ns(&w->broker);

	assert_true(attempts_count_waiting(&w->broker.attempts) <= APPROVALS_MAX);
	assert_true(attempts_count_active(&w->broker.attempts) <= ATTEMPTS_ACTIVE_MAX);
	for (size_t i = 0; i < w->broker.attempts.n; i++) {
		const struct entry *e = w->broker.attempts.v[i];

		/* Nothing under way is ever forgotten: it is looked at again some time. */
		assert_true(attempt_phase_is_final(e->attempt.phase) ||
			    e->due_ns != CLOCK_NEVER_NS);
		assert_true(e->due_ns >= next_ns);
		assert_int_equal(entry_check(e, NULL), 0);
	}
}

static void never_starts_without_leave_nor_twice_nor_two_at_once_in_any_sequence(void **state)
{
	const char *more = getenv("AIOPS_SEQUENCES");
	size_t n_starts = 0, n_done = 0;
	uint64_t n = SEQUENCES;

	(void)state;
	assert_true(!more || str_parse_u64(more, &n) == 0);
	for (uint64_t seed = 1; seed <= n; seed++) {
		struct world w;

		world_begin(&w, seed * UINT64_C(0x9e3779b97f4a7c15));
		/* Budgets that stop almost nothing, and almost everything. */
		if (seed % 2) {
			w.policy.limits.per_entity_per_hour = 60;
			w.policy.limits.per_host_per_hour = 600;
			w.policy.limits.cooldown_s = 0;
		}
		for (int i = 0; i < STEPS; i++) {
			any_input(&w);
			check_always(&w);
		}
		/* The host is well again: everything comes to its end. */
		w.disk_full = w.starter_full = false;
		for (int i = 0; i < 64 && broker_next_ns(&w.broker) != CLOCK_NEVER_NS; i++) {
			world_wait(&w, 401 * NS_PER_S);
			broker_tick(&w.broker);
		}
		assert_int_equal(attempts_count_active(&w.broker.attempts), 0);
		n_starts += w.n_starts;
		for (size_t i = 0; i < w.n_steps; i++)
			n_done += w.steps[i]->kept.attempt.phase == ATTEMPT_PHASE_DONE;
		world_end(&w);
	}
	print_message("%zu starts, %zu done\n", n_starts, n_done);
	/* The sequences did reach what they are about. */
	assert_true(n_starts > 10 * n);
	assert_true(n_done > n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			never_starts_without_leave_nor_twice_nor_two_at_once_in_any_sequence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
