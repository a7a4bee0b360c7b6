/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "executor/approval.h"
#include "executor/attempts.h"
#include "executor/budget.h"
#include "executor/guard.h"

/* The state machine of every attempt, without files, bus or clock: those are broker_ops, so that a
 * test can play any sequence.
 *
 *   PROPOSED -> DENIED | WAITING | STARTING        WAITING -> DENIED | STARTING
 *   STARTING -> CLAIMED .. APPLIED -> DONE | FAILED | UNKNOWN        DONE -> REVERTED | UNKNOWN
 *
 * What is done for a time is ended by systemd, whoever of us lives: that is taken note of here.
 *
 * What is about to happen is persisted first. systemd is asked once for a key, never again: what did not
 * begin is revoked, and the claim file decides between the two. */

/* A bus that shows no sign of life for this long is frozen. On a host that thrashes it lives, and polkit
 * and systemd take their time: that is waited for. */
#define BROKER_ASK_MAX_NS (4 * NS_PER_S)
#define BROKER_CLAIM_MAX_NS \
	(30 * NS_PER_S)                /* systemd must have answered, and then the step begun */
#define BROKER_GRACE_NS (2 * NS_PER_S) /* what was asked before our restart may yet begin */
#define BROKER_RETRY_NS NS_PER_S
/* TimeoutStartSec= and TimeoutStopSec= of aiops-step@.service are 330 s and 60 s: after that nothing
 * of it can be at work. */
#define BROKER_STEP_MAX_NS (400 * NS_PER_S)

/* An agent that asks again each 8 s for each of 8 incidents comes to 60. Over it nothing is looked at: two
 * audit entries each would fill their queue, and a full queue denies everything. */
#define BROKER_PROPOSALS_PER_MINUTE 120
/* Of one person: a few are tried before one that counts, and each is a process of root's; each that is refused
 * is an entry of the audit trail, whose length is bounded. */
#define BROKER_WISHES_PER_MINUTE 30
#define BROKER_RATE_WINDOW_NS    (60 * NS_PER_S)

struct broker_state {
	struct sealed_head head;
	enum autonomy mode;
	uint32_t paused; /* boolean */
};

struct broker_ops {
	/* Each returns 0 or -errno; if one fails, what it was for does not happen. */
	int (*persist)(void *userdata, struct entry *e, struct err *reterr);
	int (*save_budget)(void *userdata, struct budget *b, struct err *reterr);
	int (*save_state)(void *userdata, struct broker_state *s, struct err *reterr);
	/* steps/KEY; the same key again is no error. */
	int (*write_step)(void *userdata, const struct entry *e, uint64_t not_after_ns,
			  struct err *reterr);
	/* Asks systemd; the answer comes by broker_start_answered(), never from inside this call. */
	int (*start)(void *userdata, const char *key, enum step_profile profile,
		     struct err *reterr);
	/* Returns 1 if KEY will not begin any more, also when that was so before; 0 if a step has
	 * claimed it; -errno. */
	int (*revoke)(void *userdata, const char *key, struct err *reterr);
	/* Reads what the step left: 1 and *ret if there is a result, 0 and *ret_claim. */
	int (*look)(void *userdata, const char *key, struct step_claim *ret_claim,
		    bool *ret_claimed, struct step_result *ret, struct err *reterr);
	/* Reads what was left when systemd ended what KEY did for a time: 1 and *ret, 0 for nothing. */
	int (*look_expired)(void *userdata, const char *key, struct step_result *ret,
			    struct err *reterr);
	void (*forget)(void *userdata, const char *key); /* its files */
	bool (*is_stopped)(void *userdata);              /* PATH_STOP_FILE */
	bool (*audit_is_full)(void *userdata);
	bool (*audit_is_behind)(void *userdata);
	void (*audit)(void *userdata, const char *what, const char *actor, const struct entry *e);
	/* Something about it changed: tell the agent and, for a person's, the recorder. */
	void (*changed)(void *userdata, struct entry *e);
};

struct broker {
	const struct broker_ops *ops;
	void *userdata;
	const struct policy *policy; /* borrowed; NULL: deny */
	const struct services *services;
	char policy_error[ERR_TEXT_MAX];
	char boot_id[STR_HEX128_MAX];
	struct attempts attempts;
	struct budget budget;
	struct broker_state state;
	struct rate proposals;
	struct uid_rates wishes;
	uint64_t now_ns, wall_us; /* of the present input */
};

/* A person's wish. */
struct wish {
	const char *key;
	const struct action_info *info;
	struct params params;
	bool dry_run, may_approve;
	bool is_remote; /* who it is is not known: no one person can then be the second one */
	uint32_t uid;
	const char *actor;
	const char *reason;
};

void broker_init(struct broker *b, const struct broker_ops *ops, void *userdata,
		 const char *boot_id);
void broker_done(struct broker *b);

/* Inputs. Times: CLOCK_BOOTTIME, and since the epoch for records. */
void broker_time(struct broker *b, uint64_t now_ns, uint64_t wall_us);

/* The agent's wish. Returns the attempt, new or known, decided; NULL with the reason: nothing is kept
 * of it (-EAGAIN: too often; else malformed, or no room). */
struct entry *broker_propose(struct broker *b, const struct proposal *p, struct err *reterr);
struct entry *broker_do(struct broker *b, const struct wish *w, struct err *reterr);

/* A person's answer. Returns 0; -ENOENT; see approval_check(). */
int broker_decide(struct broker *b, const char *key, const char *hash, bool approve, uint32_t uid,
		  const char *actor, const char *reason, struct err *reterr) _warn_unused_;

/* Withdraws what waits, undoes what is done, remembers to undo what is under way. Always allowed.
 * Returns 0; -ENOENT: no such attempt; -EALREADY: nothing to undo; -EOPNOTSUPP: cannot be undone. */
int broker_revert(struct broker *b, const char *key, const char *actor, const char *reason,
		  struct err *reterr) _warn_unused_;

/* Ends what has not ended: what waits is withdrawn, what was not begun never begins, and what runs is undone
 * when it has. Returns 0; -ENOENT; -EALREADY: it has ended; -EOPNOTSUPP: it runs and cannot be undone;
 * -errno. */
int broker_cancel(struct broker *b, const char *key, const char *actor,
		  struct err *reterr) _warn_unused_;

/* How long a denied wish has to wait, 0 if time alone does not help. */
uint64_t broker_retry_ns(const struct broker *b, const struct entry *e);

/* systemd answered: r 0, or its refusal. */
void broker_start_answered(struct broker *b, const char *key, int r, const struct err *err);
/* The bus lives, though systemd has not answered yet. */
void broker_start_alive(struct broker *b, const char *key);
/* systemd says that the unit's job is over: a hint to look sooner. */
void broker_job_removed(struct broker *b, const char *key);
/* Something changed in the steps directory. */
void broker_look(struct broker *b, const char *key);
/* And it is not known what. */
void broker_look_at_all(struct broker *b);

/* After its attempts were loaded: goes on where the last process stopped. */
void broker_resume(struct broker *b);
void broker_tick(struct broker *b);
/* When broker_tick() is wanted next; CLOCK_NEVER_NS. */
uint64_t broker_next_ns(const struct broker *b);

/* Returns 0; -EPERM: over the policy's; -errno if it cannot be kept. */
int broker_set_mode(struct broker *b, enum autonomy mode, const char *actor,
		    struct err *reterr) _warn_unused_;
int broker_set_paused(struct broker *b, bool paused, const char *actor,
		      struct err *reterr) _warn_unused_;

/* policy NULL: error says why. */
void broker_set_policy(struct broker *b, const struct policy *policy,
		       const struct services *services, const char *error);

/* Ends an attempt that was not begun. by: the rule; actor: who, for the audit trail. */
void broker_deny(struct broker *b, struct entry *e, const char *by, const char *text,
		 const char *actor);

/* Starts, asks a person or denies what was allowed some time ago: what held then may not hold any more. */
void broker_start_again(struct broker *b, struct entry *e);

/* ---- broker_run.c: from STARTING on ------------------------------------------------------------ */

/* Persists and tells. Returns 0; -errno: not persisted, and not told. */
int broker_keep(struct broker *b, struct entry *e, struct err *reterr) _warn_unused_;
/* For what is so even if it cannot be kept: persists if possible, and tells. */
void broker_tell(struct broker *b, struct entry *e);
/* The last phase of an attempt; error is a negative errno or 0. */
void broker_end(struct broker *b, struct entry *e, enum attempt_phase phase, int error,
		const char *text);
/* Ends what systemd was asked for and no step has claimed, and makes sure that none will. Returns 1; 0: one
 * has; -errno: neither is known yet, and it is tried again. */
int broker_end_unbegun(struct broker *b, struct entry *e, int error, const char *text);
/* Spends budget, writes the record and asks systemd. */
void broker_start(struct broker *b, struct entry *e);
