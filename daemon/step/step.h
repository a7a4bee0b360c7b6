/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "model/policy.h"
#include "model/step.h"
#include "ops/action.h"

/* One step: KEY is claimed, validated and carried out, or settled after its process was killed.
 * What is written when decides everything (model/step.h): claim, undo record, APPLYING, the change,
 * APPLIED, result. */

struct step {
	const char *key;
	int root_fd, run_fd; /* "/" and /run/aiops, or a test's */
	int steps_fd, undo_fd, claim_fd, undo_lock_fd;
	int credentials_fd; /* negative: none */
	struct step_record record;
	struct undo_record undo; /* once taken or read */
	bool has_undo;
	enum step_profile profile; /* of the unit we run in: another's action is refused */
	struct services services;
	bool has_services;
	bool is_next_run; /* of the unit: it settles what ExecStopPost= had no credentials for */
	const struct action_ops *ops;
	struct entity entity; /* what record is about */
	struct action_context context;
	uint32_t per_host_per_hour; /* the policy's, once it was read */
	uint64_t span_max_ns; /* bounds an action's own timeout_ms: settle has less time than run */
	void *bus;
	struct step_result result;
};

/* Opens the directories. Returns 0; -errno. step_done() accepts a half-opened one. */
int step_open(struct step *s, const char *root, const char *runtime_dir, const char *key,
	      struct err *reterr) _warn_unused_;
void step_done(struct step *s);

/* Claims KEY and carries it out, or settles it where a dead run has claimed it and left no result. Returns 1 when
 * a result was written, 0 when KEY is someone's already (then nothing was touched); -errno: there
 * is no result, settle will write one. */
int step_run(struct step *s, struct err *reterr) _warn_unused_;

/* Writes the result that a killed run could not. Returns 1 if one was written, 0 if there was
 * nothing to settle, or that is left to the next run; -errno. */
int step_settle(struct step *s, struct err *reterr) _warn_unused_;

/* Undoes KEY, whose time is over, and writes KEY.expired. Returns 1; 0: there is nothing to undo, or it
 * was not for a time; -errno: it is to be tried again. */
int step_expire(struct step *s, struct err *reterr) _warn_unused_;

/* Prints the actions as C: build/gen/action_table.c. Returns 0; -EIO. */
int step_describe(FILE *out) _warn_unused_;

/* Keeps the tracked files of every service that runs well, and tells of each what goodstore_keep_service()
 * returned. Returns 0; -errno: the services or systemd are not reached. */
int step_keep(const char *root, void (*tell)(const struct service *s, int r, const struct err *err),
	      struct err *reterr) _warn_unused_;

/* Drops what restores of databases have replaced and whose time is over, and tells of each service what
 * pgswap_expire() returned. Returns 0; -errno: the services cannot be read. */
int step_drop(const char *root, void (*tell)(const struct service *s, int r, const struct err *err),
	      struct err *reterr) _warn_unused_;

/* ---- the parts --------------------------------------------------------------------------------- */

/* claim.c: creates KEY.claim. Returns 1; 0 if it is there already; -errno. */
int claim_create(struct step *s, struct err *reterr) _warn_unused_;
/* Takes over the claim of a dead run. Returns 1; 0 if its process is alive or it is not a step's; -errno. */
int claim_take_over(struct step *s, struct err *reterr) _warn_unused_;
/* Puts a phase on record; what it announces must not begin if this fails. Returns 0; -errno. */
int claim_write(struct step *s, enum step_phase phase, struct err *reterr) _warn_unused_;

/* ledger.c: what was done since boot, root's own. Notes KEY. Returns 0; -EEXIST: KEY was noted before;
 * -EDQUOT: more than an honest executor would ask for; other -errno: then nothing may be done. */
int ledger_spend(const struct step *s, struct err *reterr) _warn_unused_;
/* Was KEY ever noted, or is there an undo record of it? Returns 1, 0; -errno. */
int ledger_knows(const struct step *s, struct err *reterr) _warn_unused_;

/* undo.c: the records in PATH_UNDO_DIR. What was made or read stays locked until step_done(): whoever else
 * wants it waits. Returns 0; -EEXIST: KEY was carried out before; -errno. */
int undo_create(struct step *s, const void *data, size_t size, struct err *reterr) _warn_unused_;
/* Of the attempt key, into s->undo. Returns 1; 0 if there is none; -EBADMSG; -errno. */
int undo_read(struct step *s, const char *key, struct err *reterr) _warn_unused_;
/* action_context.record() */
int undo_replace(const struct action_context *c, const void *data, size_t size,
		 struct err *reterr) _warn_unused_;
/* What it undid is no more, or never was: removes it, then the timer that would use it. In this order: a
 * timer without a record does nothing. */
void undo_end(struct step *s, const char *key);
/* The second half alone, after a kill between the two. */
void undo_disarm(struct step *s, const char *key);
/* Keeps the newest UNDO_MAX. */
void undo_prune(const struct step *s);

/* validate.c: reads KEY and checks all of it against root-owned policy; fills s->record and s->ops. It
 * does not trust the executor. Returns 0; -EALREADY: it is to be undone and was; -errno with the reason. */
int validate_record(struct step *s, struct err *reterr) _warn_unused_;
/* Checks the undo record that was read; fills s->ops. Returns 0; -errno: it can never be used. */
int validate_undo(struct step *s, struct err *reterr) _warn_unused_;

/* Finds the action that *s is to carry out. Returns 0; -ENOENT; -EPERM: another unit's. */
int validate_action(struct step *s, const char *name, struct err *reterr) _warn_unused_;

/* When an action that starts now is to give up, CLOCK_BOOTTIME. */
uint64_t step_deadline_ns(const struct step *s);
/* Connects to systemd if that was not tried with success before. */
void step_open_bus(struct step *s);
/* Fills s->context for an action: that of s->undo where there is one, else that of s->record. */
void step_context(struct step *s);
/* Finishes s->result with the phase and writes it as KEY and suffix. Returns 1; -errno. */
int step_write_result(struct step *s, const char *suffix, enum attempt_phase phase, int error,
		      const char *text, struct err *reterr) _warn_unused_;
/* The same, as KEY.result. */
int step_finish(struct step *s, enum attempt_phase phase, int error, const char *text,
		struct err *reterr) _warn_unused_;
/* The same, of what apply() may have done: an undo record that nothing can use goes. */
int step_finish_apply(struct step *s, enum attempt_phase phase, int error, const char *text,
		      struct err *reterr) _warn_unused_;
/* The result of a record that validate_record() did not pass. Returns 1; -errno. */
int step_finish_invalid(struct step *s, int error, const struct err *why,
			struct err *reterr) _warn_unused_;
/* Asks the action whether it is as it was to be. Returns 0; -EINPROGRESS: it cannot be told; -errno. */
int step_verify(struct step *s, struct err *reterr) _warn_unused_;
/* Undoes by s->undo. Returns 0; -ECANCELED: left alone; -errno. */
int step_revert(struct step *s, struct err *reterr) _warn_unused_;
/* The whole of a REVERT whose record is validated. Returns 1; -errno. */
int step_run_revert(struct step *s, struct err *reterr) _warn_unused_;
