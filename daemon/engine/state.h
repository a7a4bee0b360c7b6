/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <syslog.h>

#include "base/clock.h"
#include "engine/engine.h"
#include "ops/rule.h"

/* What the stages share; nobody outside engine/ includes this. All memory is taken once, in
 * engine_new(): a host that thrashes must not find us allocating. */

#define ENGINE_SIGNALS_MAX \
	3072 /* (signal, entity): 64 services x (31 + 4 endpoints x 2), and the host */
#define ENGINE_WINDOWS_MAX   2048 /* (alert, entity) */
#define ENGINE_POINTS_MAX    32768 /* of all windows, 16 bytes each; touched only where one is kept */
#define ENGINE_BASELINES_MAX 256   /* about 1 KiB each, likewise */
#define ENGINE_FIRING_MAX    256
#define ENGINE_CLOSED_MAX    16 /* closed incidents still listed */
#define ENGINE_LEASES_MAX    32
#define ENGINE_BREAKERS_MAX  128
#define SLOT_ITEMS_MAX       24 /* items of evidence of one round; a bit each in an evidence_set */
#define SLOT_ASKED_MAX       16
#define BREAKER_ATTEMPTS     8

typedef uint32_t evidence_set; /* bit i: item i */

struct signal_entry {
	char signal[SIGNAL_NAME_MAX];
	struct entity entity;
	enum source source;
	enum provenance provenance;
	uint64_t t_ns;
	double value;
};

struct window {
	char id[RULE_NAME_MAX]; /* of the alert: what is borrowed may be gone at the next configure */
	const struct alert *alert;
	const struct rule_ops *rule;
	struct entity entity;
	struct rule_window points;
	uint32_t first, keep; /* its part of engine.points */
	struct baseline *baseline;
	double block_sum; /* or the last value; of the block that block_end_ns ends */
	uint32_t block_n;
	enum rule_block block;
	uint64_t span_ns, block_end_ns;
	double bound;
	bool firing;
	bool held; /* fires, but no incident yet: see inhibit.c */
	uint64_t held_since_ns;
};

/* Where an incident is, finer than the state that is told. */
enum stage {
	STAGE_FREE,
	STAGE_SETTLE,  /* due: first round of evidence */
	STAGE_COLLECT, /* due: what has not come by then is missing */
	STAGE_WAIT,    /* due: look again from the start */
	STAGE_ACT,     /* an attempt is with the executor; due: ask what became of it */
	STAGE_VERIFY,  /* due: next look */
	STAGE_REVERT,  /* due: ask what became of the revert */
	STAGE_REST,    /* escalated: watched only */
	STAGE_LEFT,    /* left alone and told so: closed, kept until its alerts are clear */
	_STAGE_MAX,
};

struct asked {
	uint64_t id;
	char inspector[RULE_NAME_MAX];
	struct entity entity;
	bool done, blind, story; /* blind: it could not look; story: for people; not waited for */
};

struct item {
	uint64_t record_id;
	struct entity entity; /* it was asked about */
	struct evidence evidence;
};

/* One open incident. Up to `asked` it survives a restart of the agent. */
struct slot {
	enum stage stage;
	uint64_t id, last_id; /* last_id: parent of the next record */
	uint64_t due_ns, watch_from_ns;
	struct entity entity; /* the unit, where there is one */
	struct incident incident;
	char alerts[RUNBOOK_ALERTS_MAX][RULE_NAME_MAX];
	uint32_t n_alerts;
	uint64_t onset_ns; /* first bad value, before the alert fired */
	bool told_opened, withdrawing;
	char left_by[RULE_NAME_MAX]; /* why it was left alone last */

	uint32_t round, n_tries, n_redo;
	char hold_by[RULE_NAME_MAX]; /* why it waits, since when */
	uint64_t hold_since_ns;
	char told_cause[RULE_NAME_MAX];
	struct entity root;
	uint32_t n_sources;

	uint32_t alternative, sequence; /* sequence: number of the attempt, part of its key */
	uint64_t plan_id;
	struct plan plan;

	char key[STR_HEX128_MAX];
	enum attempt_phase phase;
	bool acked, revertible, counted; /* counted: against the breaker, once it has started */
	uint32_t n_queries, n_repeats, n_denied; /* n_denied: in a row, as too early */
	uint64_t proposed_ns, answer_ns; /* answer_ns: patience with the executor in this phase */
	char after_revert[RECORD_TEXT_MAX]; /* why a person is asked once it is reverted */

	/* healthy_since_ns: seen by itself, before the settle time counts it */
	uint64_t done_ns, good_since_ns, healthy_since_ns, broken_since_ns;
	double before, after;     /* before: the worst, or the last of before the incident */
	bool has_before, was_bad; /* before is of the incident; it missed what is expected */
	bool seen, sustained, regressed, failed_again, was_broken;
	char verify_signal[SIGNAL_NAME_MAX];

	struct asked asked[SLOT_ASKED_MAX];
	uint32_t n_asked, n_items;
	bool flaps;              /* it comes and goes */
	uint64_t quiet_since_ns; /* and has gone; 0: not now */
	struct item *items;      /* SLOT_ITEMS_MAX */
	struct diagnosis diagnosis;
};

/* A change for a time only. systemd takes it back when that is over; here it is watched, so that it ends
 * sooner when nobody needs it any more, and told of. */
struct lease {
	char key[STR_HEX128_MAX], action[RULE_NAME_MAX], service[RULE_NAME_MAX],
		runbook[RULE_NAME_MAX];
	uint64_t incident_id, parent_id, until_ns, due_ns;
	struct entity root;
	double quota_pct; /* 0: the change is no quota */
	char reason[160];
	uint64_t idle_since_ns;
	uint64_t asked_status, asked_tasks; /* ids of the inspections under way, or 0 */
	bool used, reverting;
	uint32_t n_tries;
};

/* How often one repair of one unit was needed; survives a restart. */
struct breaker {
	char unit[ENTITY_NAME_MAX], runbook[RULE_NAME_MAX];
	uint64_t at_ns[BREAKER_ATTEMPTS], open_until_ns, used_ns;
	uint32_t n, n_failures;
	bool told;
};

/* A runbook's record. */
struct learnt {
	char runbook[RULE_NAME_MAX];
	uint32_t n_tried, n_worked, n_failed, n_wrong;
};

struct engine {
	struct engine_config config;
	struct engine_stats stats;
	uint64_t now_ns, wall_us, last_id;
	uint64_t package_ns; /* last sign of a package manager; 0: never */
	bool overflow_told;

	struct slot slots[ENGINE_INCIDENTS_MAX];
	struct item items[ENGINE_INCIDENTS_MAX][SLOT_ITEMS_MAX];
	struct record closed[ENGINE_CLOSED_MAX];
	uint32_t n_closed;
	struct lease leases[ENGINE_LEASES_MAX];
	struct breaker breakers[ENGINE_BREAKERS_MAX];
	struct learnt learnt[RUNBOOKS_MAX];
	uint32_t n_learnt;

	uint16_t alert_index[2 * ALERTS_MAX],
		alert_next[ALERTS_MAX]; /* by signal; 1 + its number */
	uint16_t signal_index[2 * ENGINE_SIGNALS_MAX], window_index[2 * ENGINE_WINDOWS_MAX];
	struct signal_entry signals[ENGINE_SIGNALS_MAX];
	struct window windows[ENGINE_WINDOWS_MAX];
	uint32_t n_signals, n_windows, n_firing, n_timed, n_points;
	uint16_t firing[ENGINE_FIRING_MAX];
	uint16_t timed[ENGINE_WINDOWS_MAX]; /* looked at each second */
	uint64_t timed_ns;                  /* when they were */
	struct rule_point points[ENGINE_POINTS_MAX];
	struct baseline baselines[ENGINE_BASELINES_MAX];
	bool baseline_used[ENGINE_BASELINES_MAX];

	struct record scratch; /* written to when the queue is full */
	uint32_t first_command, n_commands;
	struct command commands[ENGINE_COMMANDS_MAX];
};

/* engine.c: ids, and what goes out. A full queue drops and counts; it never waits. */
uint64_t engine_new_id(struct engine *e);
struct command *engine_push(struct engine *e, enum command_kind kind);
/* Queues a record of this slot, child of its last; never NULL. */
struct record *engine_emit(struct engine *e, const struct slot *s, enum record_kind kind);
struct record *engine_emit_with(struct engine *e, enum record_kind kind, uint64_t id,
				uint64_t parent_id, uint64_t incident_id);

/* window.c: what is kept for each (alert, entity) */
/* The window of an entity, made where there is none; NULL where there is no room. */
struct window *window_get(struct engine *e, const struct alert *alert, const struct entity *entity);
/* Takes a value. Returns true if there is something new to judge. */
bool window_push(struct engine *e, struct window *w, uint64_t t_ns, double value);
/* Ends the blocks that time alone has ended. Returns true if there is something new to judge. */
bool window_advance(struct engine *e, struct window *w);
double window_figure(const struct engine *e, const struct window *w);
void window_configure(struct engine *e);

/* perceive.c: samples to events */
uint32_t perceive_hash(const char *name, const struct entity *entity);
/* Keeps the windows and values of what still exists. */
void perceive_configure(struct engine *e);
void perceive_sample(struct engine *e, const struct sample *sample);
void perceive_tick(struct engine *e);
uint64_t perceive_next_ns(const struct engine *e);
const struct signal_entry *perceive_latest(const struct engine *e, const char *signal,
					   const struct entity *entity);
/* Does any alert of this service, unit or host fire? events: those without an end of their own count. */
bool perceive_is_firing(const struct engine *e, const struct entity *primary, bool events);

/* inhibit.c */
/* Is what fires not told, for now? */
bool inhibit_is_held(const struct engine *e, const struct window *w, const struct entity *primary);
#define INHIBIT_FLAP_QUIET_NS (600 * NS_PER_S)
/* Do incidents about it open and clear by themselves again and again? */
bool inhibit_is_flapping(const struct engine *e, const struct entity *primary);
bool inhibit_is_upgrading(const struct engine *e);

/* correlate.c: events to incidents */
const struct service *correlate_service(const struct engine *e, const struct entity *entity,
					const struct endpoint **ret_endpoint);
bool correlate_is_managed(const struct engine *e, const struct entity *entity);
struct entity correlate_primary(const struct engine *e, const struct entity *entity);
void correlate_fired(struct engine *e, struct window *w, double value);
void correlate_cleared(struct engine *e, const struct window *w, double value);
void correlate_tick(struct engine *e);
void correlate_count(struct engine *e); /* brings engine_stats up to date */
struct slot *correlate_find(struct engine *e, const struct entity *primary);
/* A new state and why, on record. */
void incident_set_state(struct engine *e, struct slot *s, enum incident_state state,
			const char *format, ...) _printf_(4, 5);
/* Frees the slot of what is closed on record. */
void incident_free(struct engine *e, struct slot *s);
/* The end: RESOLVED or CLEARED; the slot is free afterwards. */
void incident_close(struct engine *e, struct slot *s, enum incident_state state,
		    const char *reason);
/* A person must look; nothing more is done. */
void incident_escalate(struct engine *e, struct slot *s, const char *message_id,
		       const char *reason);

/* collect.c: rounds of evidence */
void collect_start(struct engine *e, struct slot *s);
void collect_item(struct engine *e, const struct inspect_item *item);
void collect_done(struct engine *e, const struct inspect_done *done);
void collect_deadline(struct engine *e, struct slot *s);

/* score.c */
enum clause_state { CLAUSE_ABSENT, CLAUSE_FAILS, CLAUSE_HOLDS };
struct tally {
	const struct runbook *runbook;
	struct hypothesis hypothesis;
	struct entity root;
	bool has_root, dead; /* dead: ruled out by what is there, whatever else may come */
	evidence_set supports;
	uint32_t sources; /* bit per enum source: of supporting items about the root */
	uint32_t n_sources, n_trusted;
};
bool evidence_is_trusted(const struct evidence *evidence);
/* Scores one runbook on what is there. Pure. */
void diagnose_score(const struct runbook *r, const struct item *items, uint32_t n_items,
		    const struct entity *entity, struct tally *ret);
/* The unit a runbook blames. Returns false where its fact is missing, untrusted or the entity itself. */
bool diagnose_root(const struct runbook *r, const struct item *items, uint32_t n_items,
		   const struct entity *entity, struct entity *ret);
bool diagnose_clause_holds(const struct clause *c, const struct fact *f);
bool diagnose_is_candidate(const struct slot *s, const struct runbook *r);

/* diagnose.c */
void diagnose_run(struct engine *e, struct slot *s);

/* guard.c */
enum guard_verdict {
	GUARD_GO,
	GUARD_WAIT,  /* look again at .until_ns */
	GUARD_LEAVE, /* somebody else is in charge: close the incident, quietly */
	GUARD_ASK,   /* a person may do it */
	GUARD_STOP,  /* not by us, whoever asks */
};
struct guard {
	enum guard_verdict verdict;
	uint64_t until_ns, patience_ns; /* of WAIT; patience: how long before a person is asked */
	char by[RULE_NAME_MAX];
	char text[RECORD_TEXT_MAX];
};
/* Is somebody else in charge of the unit? From the facts of unit_status. Pure. */
struct guard guard_hands_off(const struct item *items, uint32_t n_items, const struct entity *unit,
			     uint64_t now_ns);
/* Packages are being installed: whatever is wrong may be meant so. */
struct guard guard_upgrade(const struct engine *e);
struct guard guard_check(struct engine *e, struct slot *s, const struct runbook *r,
			 const struct plan *plan);
/* Waits, or asks a person when it has waited long enough for the same reason. */
void guard_hold(struct engine *e, struct slot *s, const struct guard *g);

/* plan.c */
int plan_make(const struct engine_config *config, const struct runbook *r, uint32_t alternative,
	      const struct entity *entity, const struct entity *root, struct plan *ret,
	      struct err *reterr) _warn_unused_;
const char *plan_target(const struct plan *plan); /* the unit it changes, or "" */
/* The next alternative that is allowed goes to the executor; none: a person is asked. */
void plan_next(struct engine *e, struct slot *s);

/* execute.c */
void execute_propose(struct engine *e, struct slot *s);
void execute_revert(struct engine *e, struct slot *s, const char *reason);
void execute_update(struct engine *e, struct slot *s, const struct attempt_update *u);
void execute_due(struct engine *e, struct slot *s);
/* It was proposed, and nobody has said how it ended: it may still be done. */
bool execute_is_unsettled(const struct slot *s);
void execute_restored(struct engine *e, struct slot *s);

/* verify.c */
void verify_start(struct engine *e, struct slot *s);
/* Looks from now on, as after a restart: what was seen before is not known any more. */
void verify_resume(const struct engine *e, struct slot *s);
void verify_step(struct engine *e, struct slot *s);
/* New values, while an action is under way or judged: notes since when all is well. */
void verify_watch(struct engine *e, struct slot *s);
/* Before an action: what was measured, and which invariants were broken already. */
void verify_baseline(struct engine *e, struct slot *s, const struct runbook *r);

/* save.c: the bytes are a head, then n_slots of SLOT_SAVED_SIZE, leases, breakers and what was learnt */
#define SAVE_MAGIC      UINT64_C(0x65766173706f6961) /* "aiopsave" */
#define SAVE_VERSION    1
#define SLOT_SAVED_SIZE offsetof(struct slot, asked)
struct save_head {
	uint64_t magic, checksum; /* of all that follows this field */
	uint32_t version, slot_size, lease_size, breaker_size, learnt_size;
	uint32_t n_slots, n_leases, n_breakers, n_learnt;
	uint64_t last_id, package_ns;
};
uint64_t save_checksum(const uint8_t *data, size_t size);

/* savecheck.c: could the engine have written this, at now_ns or before? Pure. */
bool save_slot_is_sane(const struct slot *s, uint64_t now_ns);
bool save_lease_is_sane(const struct lease *l, uint64_t now_ns);
bool save_breaker_is_sane(const struct breaker *b, uint64_t now_ns);
bool save_learnt_is_sane(const struct learnt *l);

/* learn.c */
struct breaker *learn_breaker(struct engine *e, const char *unit, const char *runbook);
bool learn_is_open(struct engine *e, struct breaker *b, const struct runbook *r);
/* Repairs of this unit by this runbook within the breaker's window. */
uint32_t learn_count(struct engine *e, const char *unit, const char *runbook);
uint64_t learn_last_attempt_ns(const struct breaker *b);
void learn_attempt(struct engine *e, struct slot *s);
void learn_verdict(struct engine *e, struct slot *s, enum verdict_result result);
enum autonomy learn_autonomy(const struct engine *e, const struct runbook *r);

/* lease.c */
/* What s has done is for a time; no more than looks at it where it is not. */
void lease_add(struct engine *e, struct slot *s);
/* After a restart of the agent: what became of each meanwhile is asked. */
void lease_restored(struct engine *e);
void lease_drop(struct engine *e, const char *key);
bool lease_is_in_force(const struct engine *e, const char *action, const struct entity *root);
bool lease_update(struct engine *e, const struct attempt_update *u);
void lease_item(struct engine *e, const struct inspect_item *item);
void lease_tick(struct engine *e);
uint64_t lease_next_ns(const struct engine *e);

/* narrate.c */
void narrate(struct engine *e, const struct slot *s, int priority, const char *message_id,
	     const char *format, ...) _printf_(5, 6);
/* About what is no longer open. */
_printf_(5, 6) void narrate_lease(struct engine *e, const struct lease *l, int priority,
				  const char *message_id, const char *format, ...);
/* "api (x.service)", "x.service" or "the host" */
const char *narrate_subject(const struct slot *s, char *buf, size_t size);
/* Fills {entity} {root} {service} and {FACT} from facts; a part in [ ] goes when a fact of it is missing
 * or zero. Text of facts is escaped. */
void narrate_template(char *buf, size_t size, const char *format, const struct slot *s);
/* "312 ms": the number, and the unit that the signal's name ends in. Returns buf. */
#define NARRATE_VALUE_MAX (STR_NUMBER_MAX + 8)
const char *narrate_value(const char *signal, double value, char buf[static NARRATE_VALUE_MAX]);
/* "systemd unit.result=signal, bpf exit.signal=9": facts the clauses of r hold on, or, without r, the
 * first facts of each item. */
void narrate_evidence(char *buf, size_t size, const struct slot *s, const struct runbook *r);
/* Quotes untrusted text, escaped and named so; "" where there is none. */
void narrate_untrusted(char *buf, size_t size, const struct slot *s);
/* "; no answer from top_cpu": what was not looked at differs from what was not found. */
void narrate_blind(char *buf, size_t size, const struct slot *s);
const char *narrate_plan(const struct plan *plan, char *buf, size_t size);
