/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "model/action_info.h"
#include "model/alert.h"
#include "model/alert_test.h"
#include "model/message.h"
#include "model/policy.h"
#include "model/runbook.h"
#include "model/service.h"
#include "model/silence.h"

/* The brain: a function of records and time. No I/O, no clock, no globals: inputs go in with the time
 * at which they happened, commands come out; so it replays a recorded trace on any laptop.
 *
 *   sample -> perceive -> event -> correlate -> incident -> diagnose -> plan -> guard -> execute
 *          -> verify -> (revert, next alternative, escalate) -> narrate, learn
 *
 * One file per stage. */

#define ENGINE_INCIDENTS_MAX 64 /* open at once; more are counted in engine_stats.overflow */
#define ENGINE_COMMANDS_MAX  512

struct engine;

/* Borrowed until engine_configure() has returned or the engine is freed; an empty set is {0}, never
 * NULL. */
struct engine_config {
	const struct services *services;
	const struct alerts *alerts;
	const struct runbooks *runbooks;
	const struct silences *silences;   /* NULL: none */
	const struct action_info *actions; /* ends with .name NULL: build/gen/action_table.c */
	enum autonomy mode;                /* ceiling; the executor has the last word */
	uint64_t boot_grace_ns;            /* no action this soon after boot: 0 in tests */
};

enum command_kind {
	COMMAND_EMIT,    /* .record: to history, and when it is a NARRATIVE to the journal */
	COMMAND_COLLECT, /* .inspect: ask this inspector; answer by engine_evidence/_inspected */
	COMMAND_PROPOSE, /* .proposal: to the executor */
	COMMAND_REVERT,  /* .revert: to the executor; withdraws an attempt that still waits */
	COMMAND_QUERY,   /* .query: what became of this attempt */
};

struct command {
	enum command_kind kind;
	union {
		struct record record;
		struct inspect inspect;
		struct proposal proposal;
		struct revert_request revert;
		struct attempt_query query;
	};
};

struct engine_stats {
	uint64_t samples, events, incidents, commands_dropped, overflow;
	uint32_t open, waiting, escalated;
};

int engine_new(const struct engine_config *config, struct engine **ret,
	       struct err *reterr) _warn_unused_;
struct engine *engine_free(struct engine *e);
DEFINE_CLEANUP(struct engine *, engine_free);

/* Takes a new configuration; open incidents and windows of what still exists are kept. */
int engine_configure(struct engine *e, const struct engine_config *config,
		     struct err *reterr) _warn_unused_;

/* Inputs. now_ns and sample times: CLOCK_BOOTTIME; wall_us: for records and ids only. */
void engine_sample(struct engine *e, const struct sample *s, uint64_t wall_us);
void engine_evidence(struct engine *e, const struct inspect_item *item, uint64_t now_ns,
		     uint64_t wall_us);
void engine_inspected(struct engine *e, const struct inspect_done *done, uint64_t now_ns,
		      uint64_t wall_us);
void engine_attempt(struct engine *e, const struct attempt_update *u, uint64_t now_ns,
		    uint64_t wall_us);
void engine_tick(struct engine *e, uint64_t now_ns, uint64_t wall_us);

/* When engine_tick() wants to be called next at the latest; CLOCK_NEVER_NS. */
uint64_t engine_next_ns(const struct engine *e);

/* Pops the oldest command. Returns false when there is none. */
bool engine_next_command(struct engine *e, struct command *ret);

/* What is true now, for the API. */
const struct engine_stats *engine_stats(const struct engine *e);
/* Copies up to max current incident records (open ones first, then the last closed). Returns the count. */
size_t engine_list_incidents(const struct engine *e, struct record *ret, size_t max);

/* A runbook's own record: attempts, and what became of them. wrong: an invariant broke, so that from then on
 * it may only suggest. */
struct engine_learnt {
	uint32_t n_tried, n_worked, n_failed, n_wrong;
	enum autonomy autonomy; /* the runbook's, or what is left of it */
};
void engine_get_learnt(const struct engine *e, const struct runbook *r, struct engine_learnt *ret);

/* A buffer of this size is always enough for engine_save(). */
#define ENGINE_SAVE_MAX (1024 * 1024)

/* What must outlive the agent as bytes (open incidents, leases, breakers, what was learnt), for its own
 * restart; and back (right after engine_new). The engine then asks by COMMAND_QUERY what became of
 * attempts under way. Returns bytes; -ENOSPC / 0; -EBADMSG. */
ssize_t engine_save(const struct engine *e, void *buf, size_t size);
int engine_restore(struct engine *e, const void *buf, size_t size, uint64_t now_ns,
		   struct err *reterr) _warn_unused_;

/* Runs one fixture of a runbook through the code that diagnoses incidents.
 * Returns 0 when it ends as expected; -EBADMSG with the difference (score, missing or excluding clause);
 * -ENOENT where the test has no fixture (it names a fault). */
int engine_replay_runbook(const struct runbook *r, uint32_t test_index,
			  struct err *reterr) _warn_unused_;

/* Runs a test of an alert through the code that perceives. Returns 0 when it fires and clears at the times
 * that are expected and at no other; -EBADMSG with the difference. */
int engine_test_alert(const struct alert *a, const struct alert_test *t,
		      struct err *reterr) _warn_unused_;
