/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/brokerworld.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "selftests/unit/brokerworld.h"

static void starts_what_the_policy_lets_the_agent_do_by_itself(void **state)
{
	struct world w;
	struct proposal p;
	const struct entry *e;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.start", "a.service");
	e = world_propose(&w, &p);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_STARTING);
	broker_start_answered(&w.broker, p.key, 0, NULL);
	world_find(&w, p.key)->claimed = true;
	broker_look(&w.broker, p.key);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_CLAIMED);
	world_finish(&w, p.key, ATTEMPT_PHASE_DONE);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_DONE);
	assert_string_equal(e->attempt.text, "said the step");
	assert_int_equal(w.n_starts, 1);
	assert_string_equal(w.last_audit, "finish");
	world_end(&w);
}

static void answers_a_known_key_with_its_old_attempt(void **state)
{
	struct world w;
	struct proposal p;
	const struct entry *e;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.start", "a.service");
	e = world_propose(&w, &p);
	world_finish(&w, p.key, ATTEMPT_PHASE_DONE);
	world_wait(&w, 3600 * NS_PER_S);
	assert_ptr_equal(world_propose(&w, &p), e);
	assert_int_equal(w.n_starts, 1);
	world_end(&w);
}

static void denies_the_agent_without_independent_evidence(void **state)
{
	static const struct {
		uint32_t n_sources, n_trusted;
		const char *root;
	} bad[] = { { 1, 1, "a.service" }, { 2, 0, "a.service" }, { 2, 2, "b.service" } };
	struct world w;

	(void)state;
	world_begin(&w, 1);
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		struct proposal p = world_proposal(&w, "unit.start", "a.service");
		const struct entry *e;

		p.n_sources = bad[i].n_sources;
		p.n_trusted = bad[i].n_trusted;
		p.root = entity_make(ENTITY_KIND_UNIT, bad[i].root);
		e = world_propose(&w, &p);
		assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_DENIED);
		assert_string_equal(e->decision.by, "evidence");
	}
	assert_int_equal(w.n_starts, 0);
	world_end(&w);
}

static void denies_what_comes_too_late(void **state)
{
	struct world w;
	struct proposal p;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.start", "a.service");
	p.deadline_ns = w.now_ns;
	assert_string_equal(world_propose(&w, &p)->decision.by, "deadline");
	world_end(&w);
}

static void denies_protected_units_whoever_asks(void **state)
{
	struct world w;
	struct proposal p;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.start", "dbus.service");
	assert_string_equal(world_propose(&w, &p)->decision.by, "protected");
	assert_string_equal(world_do(&w, "unit.restart", "ssh.service", true, false)->decision.by,
			    "protected");
	assert_string_equal(
		world_do(&w, "unit.restart", "aiops-agent.service", true, true)->decision.by,
		"protected");
	assert_int_equal(w.n_starts, 0);
	world_end(&w);
}

static void denies_everything_without_a_policy_and_says_where(void **state)
{
	struct world w;
	const struct entry *e;

	(void)state;
	world_begin(&w, 1);
	broker_set_policy(&w.broker, NULL, NULL, "/etc/aiops/policy.d/10.yaml:3:7: bad");
	e = world_do(&w, "unit.start", "a.service", true, false);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_DENIED);
	assert_string_equal(e->decision.by, "no-policy");
	assert_non_null(strstr(e->attempt.text, "10.yaml:3:7"));
	world_end(&w);
}

static void waits_for_a_person_and_denies_when_time_is_over(void **state)
{
	struct world w;
	struct proposal p;
	struct entry *e;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.restart", "a.service");
	e = world_propose(&w, &p);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_WAITING);
	assert_int_equal(strlen(e->hash), 64);
	assert_true(broker_next_ns(&w.broker) == w.now_ns + 900 * NS_PER_S);
	world_wait(&w, 899 * NS_PER_S);
	broker_tick(&w.broker);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_WAITING);
	world_wait(&w, NS_PER_S);
	assert_int_equal(broker_decide(&w.broker, p.key, e->hash, true, 1000, "alice", NULL, NULL),
			 -ESTALE);
	broker_tick(&w.broker);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_DENIED);
	assert_string_equal(e->decision.by, "approval-timeout");
	assert_int_equal(w.n_starts, 0);
	world_end(&w);
}

static void asks_before_what_destroys_even_where_a_rule_says_auto(void **state)
{
	const struct param_text texts[] = { { "service", "db" } };
	const struct action_info *info = action_info_find("service.restore_db");
	struct service db = { .name = "db", .unit = "db.service" };
	struct world w;
	struct proposal p;
	struct entry *e;

	(void)state;
	world_begin(&w, 1);
	w.services = (struct services){ 1, &db };
	(void)str_copy(w.rules[1].action, sizeof(w.rules[1].action), "service.restore_db");
	w.rules[1].autonomy = AUTONOMY_AUTO;
	p = world_proposal(&w, "unit.start", "db.service");
	(void)str_copy(p.plan.step.action, sizeof(p.plan.step.action), "service.restore_db");
	assert_int_equal(params_parse(info->params, texts, 1, &p.plan.step.params, NULL), 0);
	e = world_propose(&w, &p);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_WAITING);
	assert_int_equal(w.n_starts, 0);
	world_end(&w);
}

static void starts_what_a_person_approved_by_its_very_hash(void **state)
{
	struct world w;
	struct proposal p;
	struct entry *e;
	char bad[SHA256_HEX_MAX];

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.restart", "a.service");
	e = world_propose(&w, &p);
	(void)str_copy(bad, sizeof(bad), e->hash);
	bad[63] = bad[63] == '0' ? '1' : '0';
	assert_int_equal(broker_decide(&w.broker, p.key, bad, true, 1000, "alice", NULL, NULL),
			 -ESTALE);
	assert_int_equal(broker_decide(&w.broker, p.key, "", true, 1000, "alice", NULL, NULL),
			 -ESTALE);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_WAITING);
	assert_int_equal(broker_decide(&w.broker, p.key, e->hash, true, 1000, "alice", NULL, NULL),
			 0);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_STARTING);
	assert_string_equal(e->approver, "alice");
	assert_int_equal(e->approver_uid, 1000);
	assert_int_equal(broker_decide(&w.broker, p.key, e->hash, true, 1000, "alice", NULL, NULL),
			 -EALREADY);
	assert_int_equal(w.n_starts, 1);
	world_end(&w);
}

static void checks_again_what_changed_while_a_person_thought(void **state)
{
	struct world w;
	struct proposal p;
	struct entry *e;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.restart", "a.service");
	e = world_propose(&w, &p);
	w.stopped = true;
	assert_int_equal(broker_decide(&w.broker, p.key, e->hash, true, 1000, "alice", NULL, NULL),
			 0);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_DENIED);
	assert_string_equal(e->decision.by, "stop-file");
	world_end(&w);
}

static void takes_a_no_with_its_reason_made_harmless(void **state)
{
	struct world w;
	struct proposal p;
	struct entry *e;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.restart", "a.service");
	e = world_propose(&w, &p);
	assert_int_equal(broker_decide(&w.broker, p.key, e->hash, false, 1000, "alice",
				       "not\n\x1b[2Jnow", NULL),
			 0);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_DENIED);
	assert_null(strpbrk(e->attempt.text, "\n\x1b"));
	assert_non_null(strstr(e->attempt.text, "alice said no"));
	world_end(&w);
}

static void merges_identical_wishes_and_keeps_at_most_five(void **state)
{
	static const char *const units[] = { "a.service", "b.service", "c.service",
					     "d.service", "e.service", "f.service" };
	struct world w;
	struct entry *first = NULL;
	struct proposal p;

	(void)state;
	world_begin(&w, 1);
	for (size_t i = 0; i < ELEMENTSOF(units); i++) {
		const struct entry *e;

		p = world_proposal(&w, "unit.restart", units[i]);
		e = world_propose(&w, &p);
		first = first ? first : attempts_find(&w.broker.attempts, p.key);
		assert_int_equal(e->attempt.phase,
				 i < APPROVALS_MAX ? ATTEMPT_PHASE_WAITING : ATTEMPT_PHASE_DENIED);
	}
	p = world_proposal(&w, "unit.restart", "a.service");
	assert_ptr_equal(world_propose(&w, &p), first);
	assert_ptr_equal(world_do(&w, "unit.restart", "a.service", false, false), first);
	assert_int_equal(first->n_aliases, 1);
	assert_ptr_equal(attempts_find(&w.broker.attempts, p.key), first);
	assert_int_equal(attempts_count_waiting(&w.broker.attempts), APPROVALS_MAX);
	/* The second one goes, the first still waits. */
	assert_int_equal(broker_revert(&w.broker, p.key, "agent", "over", NULL), 0);
	assert_int_equal(first->attempt.phase, ATTEMPT_PHASE_WAITING);
	assert_int_equal(broker_revert(&w.broker, first->attempt.key, "agent", "over", NULL), 0);
	assert_int_equal(first->attempt.phase, ATTEMPT_PHASE_DENIED);
	assert_string_equal(first->decision.by, "withdrawn");
	world_end(&w);
}

static void lets_a_person_with_the_role_confirm_by_doing(void **state)
{
	struct world w;
	const struct entry *e;

	(void)state;
	world_begin(&w, 1);
	e = world_do(&w, "unit.restart", "a.service", false, false);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_WAITING);
	e = world_do(&w, "unit.restart", "b.service", true, false);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_STARTING);
	assert_string_equal(e->approver, "alice, uid 1000");
	/* A dry run changes nothing: nobody need approve it. */
	e = world_do(&w, "unit.restart", "c.service", false, true);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_STARTING);
	world_end(&w);
}

static void keeps_one_writer_for_a_unit(void **state)
{
	struct world w;
	const struct entry *e;

	(void)state;
	world_begin(&w, 1);
	assert_int_equal(world_do(&w, "unit.restart", "a.service", true, false)->attempt.phase,
			 ATTEMPT_PHASE_STARTING);
	e = world_do(&w, "unit.start", "a.service", true, false);
	assert_string_equal(e->decision.by, "busy");
	assert_int_equal(world_do(&w, "unit.start", "b.service", true, false)->attempt.phase,
			 ATTEMPT_PHASE_STARTING);
	world_end(&w);
}

static void gives_up_on_a_bus_that_does_not_answer_and_revokes_the_start(void **state)
{
	struct world w;
	struct proposal p;
	struct entry *e;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.start", "a.service");
	e = world_propose(&w, &p);
	assert_true(broker_next_ns(&w.broker) <= w.now_ns + 5 * NS_PER_S);
	world_wait(&w, 5 * NS_PER_S);
	broker_tick(&w.broker);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_FAILED);
	assert_true(world_find(&w, p.key)->revoked);
	assert_non_null(strstr(e->attempt.text, "D-Bus"));
	/* It was not begun, so it does not count: the next may be tried at once. */
	assert_int_equal(w.budget.n, 0);
	p = world_proposal(&w, "unit.start", "a.service");
	assert_int_equal(world_propose(&w, &p)->attempt.phase, ATTEMPT_PHASE_STARTING);
	assert_int_equal(w.budget.n, 1);
	world_end(&w);
}

static void waits_for_a_slow_systemd_as_long_as_the_bus_lives(void **state)
{
	struct world w;
	struct proposal p;
	struct entry *e;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.start", "a.service");
	e = world_propose(&w, &p);
	for (int i = 0; i < 14; i++) {
		world_wait(&w, 2 * NS_PER_S);
		broker_tick(&w.broker);
		assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_STARTING);
		broker_start_alive(&w.broker, p.key);
	}
	/* But not for ever. */
	world_wait(&w, 2 * NS_PER_S);
	broker_tick(&w.broker);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_FAILED);
	assert_true(world_find(&w, p.key)->revoked);
	world_end(&w);
}

static void believes_a_claim_that_came_before_the_revocation(void **state)
{
	struct world w;
	struct proposal p;
	struct entry *e;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.start", "a.service");
	e = world_propose(&w, &p);
	world_find(&w, p.key)->claimed = true;
	world_wait(&w, 5 * NS_PER_S);
	broker_tick(&w.broker);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_CLAIMED);
	world_wait(&w, BROKER_STEP_MAX_NS);
	broker_tick(&w.broker);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_UNKNOWN);
	world_end(&w);
}

static void refuses_at_once_what_systemd_refuses(void **state)
{
	const struct err err = { .code = -EACCES, .text = "start unit: Access denied" };
	struct world w;
	struct proposal p;
	struct entry *e;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.start", "a.service");
	e = world_propose(&w, &p);
	broker_start_answered(&w.broker, p.key, -EACCES, &err);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_FAILED);
	assert_string_equal(e->attempt.text, err.text);
	world_end(&w);
}

static void does_nothing_that_it_cannot_keep(void **state)
{
	struct world w;
	struct proposal p;

	(void)state;
	world_begin(&w, 1);
	w.disk_full = true;
	p = world_proposal(&w, "unit.start", "a.service");
	assert_int_equal(world_propose(&w, &p)->attempt.phase, ATTEMPT_PHASE_FAILED);
	p = world_proposal(&w, "unit.restart", "b.service");
	assert_int_equal(world_propose(&w, &p)->attempt.phase, ATTEMPT_PHASE_DENIED);
	assert_int_equal(w.n_starts, 0);
	world_end(&w);
}

static void undoes_what_is_done_even_when_stopped(void **state)
{
	struct world w;
	struct proposal p;
	struct entry *e;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.start", "a.service");
	e = world_propose(&w, &p);
	world_finish(&w, p.key, ATTEMPT_PHASE_DONE);
	w.stopped = w.audit_full = true;
	broker_set_policy(&w.broker, NULL, NULL, "gone");
	assert_int_equal(broker_revert(&w.broker, p.key, "agent", "no better", NULL), 0);
	assert_int_equal(w.n_starts, 2);
	/* Asked for twice, it is done once. */
	assert_int_equal(broker_revert(&w.broker, p.key, "agent", "no better", NULL), 0);
	assert_int_equal(w.n_starts, 2);
	world_finish(&w, e->revert_key, ATTEMPT_PHASE_DONE);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_REVERTED);
	assert_int_equal(broker_revert(&w.broker, p.key, "agent", "no better", NULL), -EALREADY);
	world_end(&w);
}

static void says_when_an_undo_failed_and_tries_again_when_asked(void **state)
{
	struct world w;
	struct proposal p;
	struct entry *e;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.start", "a.service");
	e = world_propose(&w, &p);
	world_finish(&w, p.key, ATTEMPT_PHASE_DONE);
	assert_int_equal(broker_revert(&w.broker, p.key, "agent", "no better", NULL), 0);
	world_finish(&w, e->revert_key, ATTEMPT_PHASE_FAILED);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_UNKNOWN);
	assert_non_null(strstr(e->attempt.text, "undo failed"));
	assert_int_equal(broker_revert(&w.broker, p.key, "agent", "no better", NULL), 0);
	world_finish(&w, e->revert_key, ATTEMPT_PHASE_DONE);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_REVERTED);
	world_end(&w);
}

/* A quota that a person set, and that is in force. */
static struct entry *in_force(struct world *w)
{
	struct entry *e;

	world_begin(w, 1);
	e = world_do(w, "unit.set_cpu_quota", "a.service", true, false);
	assert_non_null(e);
	world_finish(w, e->attempt.key, ATTEMPT_PHASE_DONE);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_DONE);
	return e;
}

static void denies_what_would_last_longer_than_the_policy_says(void **state)
{
	struct world w;
	const struct entry *e;

	(void)state;
	world_begin(&w, 1);
	w.policy.limits.duration_s = 60;
	e = world_do(&w, "unit.set_cpu_quota", "a.service", true, false);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_DENIED);
	assert_string_equal(e->decision.by, "duration");
	assert_int_equal(w.n_starts, 0);
	world_end(&w);
}

static void takes_note_once_of_what_systemd_ended(void **state)
{
	struct world w;
	struct entry *e = in_force(&w);
	size_t n_changed;

	(void)state;
	world_expire(&w, e->attempt.key, ATTEMPT_PHASE_DONE);
	broker_look(&w.broker, e->attempt.key);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_REVERTED);
	assert_string_equal(e->attempt.text, "its time is over: gave it back");
	assert_string_equal(w.last_audit, "expire");
	n_changed = w.n_changed;
	broker_look(&w.broker, e->attempt.key);
	broker_look_at_all(&w.broker);
	assert_int_equal(w.n_changed, n_changed);
	assert_int_equal(broker_revert(&w.broker, e->attempt.key, "p", "x", NULL), -EALREADY);
	world_end(&w);
}

static void learns_after_its_restart_what_systemd_ended_meanwhile(void **state)
{
	struct world w;
	struct entry *e = in_force(&w);
	char key[STR_HEX128_MAX] = "";

	(void)state;
	(void)str_copy(key, sizeof(key), e->attempt.key);
	world_expire(&w, key, ATTEMPT_PHASE_DONE);
	world_restart(&w);
	e = attempts_find(&w.broker.attempts, key);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_REVERTED);
	world_end(&w);
}

static void says_so_when_systemd_could_not_end_it(void **state)
{
	struct world w;
	struct entry *e = in_force(&w);
	size_t n_changed;

	(void)state;
	world_expire(&w, e->attempt.key, ATTEMPT_PHASE_FAILED);
	broker_look(&w.broker, e->attempt.key);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_UNKNOWN);
	n_changed = w.n_changed;
	broker_look(&w.broker, e->attempt.key);
	assert_int_equal(w.n_changed, n_changed);
	world_end(&w);
}

/* A step of ours and the timer meet: whoever was second finds no undo record. */
static void is_reverted_whichever_of_the_two_ends_was_first(void **state)
{
	static const enum attempt_phase ends[] = { ATTEMPT_PHASE_DONE, ATTEMPT_PHASE_FAILED };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
		struct world w;
		struct entry *e = in_force(&w);

		assert_int_equal(broker_revert(&w.broker, e->attempt.key, "p", "x", NULL), 0);
		world_expire(&w, e->attempt.key, ATTEMPT_PHASE_DONE);
		world_finish(&w, e->revert_key, ends[i]);
		assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_REVERTED);
		world_end(&w);
	}
}

static void undoes_as_soon_as_it_ended_what_was_withdrawn_while_it_ran(void **state)
{
	struct world w;
	struct proposal p;
	struct entry *e;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.start", "a.service");
	e = world_propose(&w, &p);
	world_find(&w, p.key)->claimed = true;
	broker_look(&w.broker, p.key);
	assert_int_equal(broker_revert(&w.broker, p.key, "agent", "over", NULL), 0);
	assert_int_equal(w.n_starts, 1);
	world_finish(&w, p.key, ATTEMPT_PHASE_DONE);
	assert_int_equal(w.n_starts, 2);
	world_finish(&w, e->revert_key, ATTEMPT_PHASE_DONE);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_REVERTED);
	world_end(&w);
}

static void undoes_after_a_restart_what_was_about_to_be_undone(void **state)
{
	struct world w;
	struct proposal p;
	struct entry *e;
	struct step_of_world *s;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.start", "a.service");
	e = world_propose(&w, &p);
	world_find(&w, p.key)->claimed = true;
	broker_look(&w.broker, p.key);
	assert_int_equal(broker_revert(&w.broker, p.key, "agent", "over", NULL), 0);
	world_finish(&w, p.key, ATTEMPT_PHASE_DONE);
	/* As if it had been killed when only the target was written. */
	s = world_find(&w, e->revert_key);
	s->is_kept = s->asked = s->written = false;
	world_restart(&w);
	e = attempts_find(&w.broker.attempts, p.key);
	assert_true(world_find(&w, e->revert_key)->asked);
	world_finish(&w, e->revert_key, ATTEMPT_PHASE_DONE);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_REVERTED);
	/* And once more, killed after the undo had ended and before its target was told so. */
	world_find(&w, p.key)->kept.attempt.phase = ATTEMPT_PHASE_DONE;
	world_restart(&w);
	e = attempts_find(&w.broker.attempts, p.key);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_REVERTED);
	assert_int_equal(w.n_starts, 3);
	world_end(&w);
}

static void cannot_undo_a_restart(void **state)
{
	struct world w;
	struct entry *e;

	(void)state;
	world_begin(&w, 1);
	e = world_do(&w, "unit.restart", "a.service", true, false);
	world_finish(&w, e->attempt.key, ATTEMPT_PHASE_DONE);
	assert_int_equal(broker_revert(&w.broker, e->attempt.key, "agent", "x", NULL), -EOPNOTSUPP);
	assert_int_equal(broker_revert(&w.broker, "ffffffffffffffffffffffffffffffff", "agent", "x",
				       NULL),
			 -ENOENT);
	world_end(&w);
}

static void lowers_the_mode_for_the_agent_alone(void **state)
{
	struct world w;
	struct proposal p;

	(void)state;
	world_begin(&w, 1);
	assert_int_equal(broker_set_mode(&w.broker, AUTONOMY_SUGGEST, "alice", NULL), 0);
	p = world_proposal(&w, "unit.start", "a.service");
	assert_int_equal(world_propose(&w, &p)->decision.verdict, DECISION_SUGGEST);
	assert_int_equal(world_do(&w, "unit.start", "a.service", true, false)->attempt.phase,
			 ATTEMPT_PHASE_STARTING);
	w.policy.mode = AUTONOMY_APPROVE;
	assert_int_equal(broker_set_mode(&w.broker, AUTONOMY_AUTO, "alice", NULL), -EPERM);
	world_end(&w);
}

static void is_paused_by_a_person_over_a_restart(void **state)
{
	struct world w;
	struct proposal p;

	(void)state;
	world_begin(&w, 1);
	assert_int_equal(broker_set_paused(&w.broker, true, "alice", NULL), 0);
	world_restart(&w);
	p = world_proposal(&w, "unit.start", "a.service");
	assert_string_equal(world_propose(&w, &p)->decision.by, "paused");
	assert_int_equal(broker_set_paused(&w.broker, false, "alice", NULL), 0);
	p = world_proposal(&w, "unit.start", "a.service");
	assert_int_equal(world_propose(&w, &p)->attempt.phase, ATTEMPT_PHASE_STARTING);
	world_end(&w);
}

static void asks_nobody_twice_after_a_restart(void **state)
{
	struct world w;
	struct proposal p;
	struct entry *e;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.start", "a.service");
	(void)world_propose(&w, &p);
	world_restart(&w);
	e = attempts_find(&w.broker.attempts, p.key);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_STARTING);
	world_wait(&w, BROKER_GRACE_NS);
	broker_tick(&w.broker);
	assert_int_equal(e->attempt.phase, ATTEMPT_PHASE_FAILED);
	assert_int_equal(w.n_starts, 1);
	world_end(&w);
}

static void asks_once_for_what_was_persisted_but_never_asked(void **state)
{
	struct world w;
	struct proposal p;
	struct step_of_world *s;

	(void)state;
	world_begin(&w, 1);
	p = world_proposal(&w, "unit.start", "a.service");
	(void)world_propose(&w, &p);
	/* As if it had been killed between the two writes. */
	s = world_find(&w, p.key);
	s->kept.asked = false;
	s->asked = s->written = false;
	world_restart(&w);
	assert_true(s->asked);
	world_finish(&w, p.key, ATTEMPT_PHASE_DONE);
	assert_int_equal(attempts_find(&w.broker.attempts, p.key)->attempt.phase,
			 ATTEMPT_PHASE_DONE);
	world_end(&w);
}

static void forgets_the_oldest_end_and_never_what_runs(void **state)
{
	struct world w;
	struct proposal p, first, undoable;

	(void)state;
	world_begin(&w, 1);
	undoable = world_proposal(&w, "unit.start", "undoable.service");
	(void)world_propose(&w, &undoable);
	world_finish(&w, undoable.key, ATTEMPT_PHASE_DONE);
	first = world_proposal(&w, "unit.start", "first.service");
	(void)world_propose(&w, &first);
	for (size_t i = 0; i < ATTEMPTS_FINAL_MAX + 50; i++) {
		world_wait(&w, NS_PER_S);
		p = world_proposal(&w, "unit.kill", "b.service");
		assert_int_equal(world_propose(&w, &p)->attempt.phase, ATTEMPT_PHASE_DENIED);
		assert_true(w.broker.attempts.n <= ATTEMPTS_FINAL_MAX + ATTEMPTS_ACTIVE_MAX);
	}
	assert_int_equal(w.broker.attempts.n, ATTEMPTS_FINAL_MAX + 1);
	assert_non_null(attempts_find(&w.broker.attempts, first.key));
	/* It ended first of all, but it can still be undone. */
	assert_int_equal(broker_revert(&w.broker, undoable.key, "agent", "over", NULL), 0);
	world_end(&w);
}

/* Forgotten at once it would be freed under its caller, and proposed again it would be done again. */
static void never_forgets_what_has_just_ended(void **state)
{
	struct world w;
	struct proposal p;

	(void)state;
	world_begin(&w, 1);
	for (size_t i = 0; i < ATTEMPTS_FINAL_MAX + 50; i++) {
		char unit[32] = "";

		str_append(unit, sizeof(unit), "s%zu.service", i);
		world_wait(&w, 3600 * NS_PER_S);
		p = world_proposal(&w, "unit.start", unit);
		(void)world_propose(&w, &p);
		world_finish(&w, p.key, ATTEMPT_PHASE_DONE);
		assert_non_null(attempts_find(&w.broker.attempts, p.key));
		p = world_proposal(&w, "unit.kill", "b.service");
		assert_int_equal(world_propose(&w, &p)->attempt.phase, ATTEMPT_PHASE_DENIED);
		assert_non_null(attempts_find(&w.broker.attempts, p.key));
	}
	assert_int_equal(w.broker.attempts.n, ATTEMPTS_FINAL_MAX);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_what_the_policy_lets_the_agent_do_by_itself),
		cmocka_unit_test(answers_a_known_key_with_its_old_attempt),
		cmocka_unit_test(denies_the_agent_without_independent_evidence),
		cmocka_unit_test(denies_what_comes_too_late),
		cmocka_unit_test(denies_protected_units_whoever_asks),
		cmocka_unit_test(denies_everything_without_a_policy_and_says_where),
		cmocka_unit_test(waits_for_a_person_and_denies_when_time_is_over),
		cmocka_unit_test(asks_before_what_destroys_even_where_a_rule_says_auto),
		cmocka_unit_test(starts_what_a_person_approved_by_its_very_hash),
		cmocka_unit_test(checks_again_what_changed_while_a_person_thought),
		cmocka_unit_test(takes_a_no_with_its_reason_made_harmless),
		cmocka_unit_test(merges_identical_wishes_and_keeps_at_most_five),
		cmocka_unit_test(lets_a_person_with_the_role_confirm_by_doing),
		cmocka_unit_test(keeps_one_writer_for_a_unit),
		cmocka_unit_test(gives_up_on_a_bus_that_does_not_answer_and_revokes_the_start),
		cmocka_unit_test(waits_for_a_slow_systemd_as_long_as_the_bus_lives),
		cmocka_unit_test(believes_a_claim_that_came_before_the_revocation),
		cmocka_unit_test(refuses_at_once_what_systemd_refuses),
		cmocka_unit_test(does_nothing_that_it_cannot_keep),
		cmocka_unit_test(undoes_what_is_done_even_when_stopped),
		cmocka_unit_test(says_when_an_undo_failed_and_tries_again_when_asked),
		cmocka_unit_test(denies_what_would_last_longer_than_the_policy_says),
		cmocka_unit_test(takes_note_once_of_what_systemd_ended),
		cmocka_unit_test(learns_after_its_restart_what_systemd_ended_meanwhile),
		cmocka_unit_test(says_so_when_systemd_could_not_end_it),
		cmocka_unit_test(is_reverted_whichever_of_the_two_ends_was_first),
		cmocka_unit_test(undoes_as_soon_as_it_ended_what_was_withdrawn_while_it_ran),
		cmocka_unit_test(undoes_after_a_restart_what_was_about_to_be_undone),
		cmocka_unit_test(cannot_undo_a_restart),
		cmocka_unit_test(lowers_the_mode_for_the_agent_alone),
		cmocka_unit_test(is_paused_by_a_person_over_a_restart),
		cmocka_unit_test(asks_nobody_twice_after_a_restart),
		cmocka_unit_test(asks_once_for_what_was_persisted_but_never_asked),
		cmocka_unit_test(forgets_the_oldest_end_and_never_what_runs),
		cmocka_unit_test(never_forgets_what_has_just_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
