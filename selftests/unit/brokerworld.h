/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/clock.h"
#include "executor/broker.h"

/* The broker in a world made of memory: what it persists survives its restart, what systemd was asked for
 * begins when the test says so. The world checks what must never be, whatever the sequence. */

#define WORLD_KEYS_MAX 4096

struct step_of_world {
	char key[STR_HEX128_MAX];
	bool written, asked, claimed, revoked, has_result, allowed;
	enum step_phase phase;
	struct step_result result, expired;
	bool has_expired;
	struct entry kept;
	bool is_kept;
};

struct world {
	struct broker broker;
	struct policy policy;
	struct policy_rule rules[4];
	struct services services;
	struct step_of_world *steps[WORLD_KEYS_MAX];
	size_t n_steps, n_starts, n_changed, n_audit;
	char last_audit[32];
	struct budget budget;
	struct broker_state state;
	bool stopped, audit_full, disk_full, starter_full;
	uint64_t now_ns, seed, next_key;
};

/* What is known of the step KEY; made when it is new. */
struct step_of_world *world_find(struct world *w, const char *key);

void world_begin(struct world *w, uint64_t seed);
void world_end(struct world *w);

/* Lets time pass. */
void world_wait(struct world *w, uint64_t span_ns);
/* kill -9 of the executor: all that is left is what was persisted. */
void world_restart(struct world *w);

const char *world_new_key(struct world *w, char buf[static STR_HEX128_MAX]);
struct proposal world_proposal(struct world *w, const char *action, const char *unit);
/* The agent's wish, with the world's own, simpler, view of what policy alone would let it do. */
struct entry *world_propose(struct world *w, const struct proposal *p);
/* A person's. */
struct entry *world_do(struct world *w, const char *action, const char *unit, bool may_approve,
		       bool dry_run);
/* A remote caller's. */
struct entry *world_do_remote(struct world *w, const char *action, const char *unit);
/* The time of what key did is over; phase: DONE when it was undone. Nobody tells the broker. */
void world_expire(struct world *w, const char *key, enum attempt_phase phase);
/* The step of key leaves a result. */
void world_finish(struct world *w, const char *key, enum attempt_phase phase);
