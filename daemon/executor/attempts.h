/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/action_info.h"
#include "model/message.h"
#include "model/step.h"

/* Every attempt the executor knows: those under way and the last ones that ended. */

#define ATTEMPT_REQUESTER_REMOTE UINT32_MAX
#define ATTEMPTS_ACTIVE_MAX      32
#define ATTEMPTS_FINAL_MAX       256 /* kept so that a key that comes again gets its old answer */
#define ATTEMPT_ALIASES_MAX      4

/* Another key that asked for the same while it waited for a person. */
struct alias {
	char key[STR_HEX128_MAX];
	uint64_t incident_id, plan_id;
};

/* One attempt, as it is kept in PATH_EXEC_DIR/attempts/KEY. */
struct entry {
	struct sealed_head head;
	struct attempt attempt;
	struct entity entity;     /* what it is done to: action_entity() when it was wanted */
	struct decision decision; /* the last one about it */
	uint64_t incident_id, plan_id;
	enum step_op op;
	char target_key[STR_HEX128_MAX]; /* REVERT: what is undone */
	char revert_key[STR_HEX128_MAX]; /* the attempt that undoes this one, or "" */
	uint32_t n_reverts;
	uint32_t asked;     /* boolean: systemd was asked to start it; never asked twice */
	uint32_t answered;  /* boolean: and it said yes */
	uint32_t by_person; /* boolean */
	uint32_t ran;       /* boolean: its step says that something was begun */
	uint32_t resumed;   /* boolean: it was an earlier process of ours that asked */
	uint32_t
		revert_wanted; /* boolean: undo it as soon as it has ended, if that is not on record yet */
	uint32_t requester_uid, approver_uid; /* requester: ATTEMPT_REQUESTER_REMOTE without one */
	char approver[64];
	char reason[160];             /* why it is wanted */
	char hash[SHA256_HEX_MAX];    /* of the canonical action, what a person approves */
	uint64_t created_ns, wall_us; /* CLOCK_BOOTTIME; since the epoch */
	uint64_t deadline_ns;         /* the proposal's; 0: a person's wish has none */
	uint64_t expires_ns;          /* WAITING: denied then */
	uint64_t spent_ns;            /* when its budget was taken; 0: not, or given back */
	uint64_t asked_ns;
	uint64_t due_ns; /* when its phase is looked at again; CLOCK_NEVER_NS */
	uint64_t final_ns;
	uint64_t record_id; /* of the last record about it */
	uint32_t n_aliases;
	struct alias aliases[ATTEMPT_ALIASES_MAX];
};

struct attempts {
	size_t n;
	struct entry *v[ATTEMPTS_ACTIVE_MAX + ATTEMPTS_FINAL_MAX + 1];
};

/* Adds an empty entry for key. Returns NULL when ATTEMPTS_ACTIVE_MAX are under way or memory is out. */
struct entry *attempts_add(struct attempts *a, const char *key);
void attempts_remove(struct attempts *a, struct entry *e);
void attempts_done(struct attempts *a);

/* By key or alias. */
struct entry *attempts_find(const struct attempts *a, const char *key);
/* By key or a unique ending of it, at least 4 characters. Returns NULL for none and for several. */
struct entry *attempts_find_part(const struct attempts *a, const char *part);

/* A step of it may be at work: systemd was, or is about to be, asked. */
bool entry_is_running(const struct entry *e);
/* Who asked for it is known by a key alone. */
bool entry_is_remote(const struct entry *e);
/* What else changes what e is about now; NULL if nothing does. */
struct entry *attempts_find_writer(const struct attempts *a, const struct entry *e);
/* The waiting attempt for the very same action; NULL. */
struct entry *attempts_find_waiting(const struct attempts *a, const char *action,
				    const struct params *params);
size_t attempts_count_waiting(const struct attempts *a);
size_t attempts_count_waiting_remote(const struct attempts *a);
size_t attempts_count_active(const struct attempts *a);
/* The final attempt to forget if there are more than ATTEMPTS_FINAL_MAX: the one that ended first, but
 * what can still be undone goes last while it is no more than half of them. NULL. */
struct entry *attempts_find_surplus(const struct attempts *a);

/* Same names, types and texts. */
bool params_equal(const struct params *a, const struct params *b);

/* Checks what the seal of a file does not. Returns 0; -EBADMSG naming the field. */
int entry_check(const struct entry *e, struct err *reterr) _warn_unused_;

/* The row of the generated table, or NULL. */
const struct action_info *action_info_find(const char *name);
