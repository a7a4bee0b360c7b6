/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/action_info.h"
#include "model/param.h"
#include "model/record.h"

/* An action: one typed, bounded change to the host. Runs in its own step unit (aiops-step@KEY, or that
 * of its profile), never in a daemon; may block up to timeout_ms. */

#define ACTION_UNDO_MAX 4096 /* bytes an undo record may hold */

struct action_context {
	const struct params *params; /* validated against the action's specs */
	const char *key; /* the attempt's idempotency key; names what we leave on the host */
	bool dry_run;    /* nothing may change; apply() then only says what it would do */
	bool by_person;  /* a person asked, not the agent: what a person stopped may be started */
	int root_fd;     /* "/" or a test's tree */
	void *bus; /* sd_bus *, with a call timeout of 5 s; NULL where systemd is not reached */
	struct entity entity; /* what it is done to */
	/* services.d as root wrote it. NULL only in revert() and in verify() after a kill, when it can no
	 * longer be read: what they need goes into the undo record. */
	const struct services *services;
	int credentials_fd; /* directory of systemd credentials (sys/credential.h); -EBADF: none */
	uint64_t deadline_ns; /* CLOCK_BOOTTIME: apply() and verify() give up then */
	/* What snapshot() stored; NULL before it, and in a dry run. */
	const void *undo;
	size_t undo_size;
	/* Replaces what snapshot() stored by the same with what apply() learned (the id of the very
	 * start that was ours). Returns 0; -errno: the old one is still there. */
	int (*record)(const struct action_context *c, const void *undo, size_t size,
		      struct err *reterr);
	void *priv; /* record()'s own */
	char *text; /* what was done, for people; written by each phase */
	size_t text_size;
};

struct action_ops {
	const char *name; /* "unit.restart" for unit_restart.c */
	const char *summary;
	const char *source; /* where the mechanism is documented */
	/* Ends with .name == NULL. One that is PARAM_DURATION makes the change one for a time: before apply()
	 * the step sees to it that PID 1 will have it reverted then. */
	const struct param_spec *params;
	/* The parameter that names what it is done to: a unit, a container or a service; NULL: the host.
	 * What is done to a process is done to the unit that it is of: the unit is the target, and check()
	 * refuses a process that is not in its cgroup. What is done to a session or to a database is done to
	 * the service that has it. */
	const char *target;
	enum step_profile profile;
	enum risk risk;
	const char *undo; /* what revert() does, for people, before they approve; NULL without it */
	bool idempotent;  /* repeating apply() after an unknown end does no further harm */
	/* verify() and revert() need a credential. systemd hides those from ExecStopPost=, so after a kill
	 * they are left to the next run of the unit, which Restart=on-failure brings about at once. */
	bool needs_credentials;
	uint32_t timeout_ms;  /* of the whole step */
	uint32_t settle_ms;   /* what the host needs before verify() means something */
	uint32_t cooldown_ms; /* least time between two of these on one entity */

	/* May it be done now? Returns 0; >0: nothing to do (already so); -EPERM, -ENOENT, -EBUSY, ...
	 * with the reason. Reads only. */
	int (*check)(const struct action_context *c, struct err *reterr);
	/* Fills undo (at most ACTION_UNDO_MAX) with what revert() needs, and verify() to tell before
	 * from after; stored before apply() runs. May be NULL. Returns bytes >= 0; -errno. */
	int (*snapshot)(const struct action_context *c, void *undo, struct err *reterr);
	/* Does it and waits until systemd says it is done. Returns 0; -errno, and the step reverts;
	 * -EINPROGRESS: it was asked for and nobody can say what became of it. */
	int (*apply)(const struct action_context *c, struct err *reterr);
	/* Did it take effect (the action's own view; the agent's verdict is another)? Also asked by a
	 * fresh process after a kill -9, which has only undo. Returns 0; -errno with what is not so, and
	 * the step reverts; -EINPROGRESS: it cannot be told. */
	int (*verify)(const struct action_context *c, struct err *reterr);
	/* Puts back what undo says, from a fresh process, idempotent: run twice it changes nothing more.
	 * Compare before swap: what a person changed since is left alone (-ECANCELED, says so). NULL where it
	 * cannot be undone. */
	int (*revert)(const struct action_context *c, const void *undo, size_t undo_size,
		      struct err *reterr);
};

extern const struct action_ops *const action_registry[]; /* generated; ends with NULL */
const struct action_ops *action_find(const char *name);
