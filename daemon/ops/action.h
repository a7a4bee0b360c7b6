/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/action_info.h"
#include "model/param.h"
#include "model/record.h"

/* An action: one typed, bounded change to the host. Runs in its own step unit (aiops-step@KEY),
 * never in a daemon; may block up to timeout_ms. */

#define ACTION_UNDO_MAX 4096 /* bytes an undo record may hold */

struct action_context {
	const struct params *params; /* validated against the action's specs */
	const char *key; /* the attempt's idempotency key; names what we leave on the host */
	bool dry_run;    /* nothing may change; apply() then only says what it would do */
	void *bus;       /* sd_bus *, connected, with a call timeout of 5 s */
	char *text;      /* what was done, for people; written by each phase */
	size_t text_size;
};

struct action_ops {
	const char *name; /* "unit.restart" for unit_restart.c */
	const char *summary;
	const char *source; /* where the mechanism is documented */
	const struct param_spec
		*params; /* ends with .name == NULL; one of them names the target unit: "unit" */
	enum risk risk;
	bool revertible;
	bool idempotent;      /* repeating apply() after an unknown end does no further harm */
	uint32_t timeout_ms;  /* of the whole step */
	uint32_t settle_ms;   /* what the host needs before verify() means something */
	uint32_t cooldown_ms; /* least time between two of these on one entity */

	/* May it be done now? Returns 0; >0: nothing to do (already so); -EPERM, -ENOENT, -EBUSY, ...
	 * with the reason. Reads only. */
	int (*check)(const struct action_context *c, struct err *reterr);
	/* Fills undo (at most ACTION_UNDO_MAX) with what revert() needs; stored before apply() runs. NULL
	 * where nothing can be undone. Returns bytes >= 0; -errno. */
	int (*snapshot)(const struct action_context *c, void *undo, struct err *reterr);
	/* Does it and waits until systemd says it is done. Returns 0; -errno, and the step reverts. */
	int (*apply)(const struct action_context *c, struct err *reterr);
	/* Did it take effect (the action's own view; the agent's verdict is another)? Returns 0;
	 * -errno with what is not so, and the step reverts. */
	int (*verify)(const struct action_context *c, struct err *reterr);
	/* Puts back what undo says, from a fresh process, idempotent: run twice it changes nothing more.
	 * Compare before swap: what a person changed since is left alone (-ECANCELED, says so). NULL where not
	 * revertible. */
	int (*revert)(const struct action_context *c, const void *undo, size_t undo_size,
		      struct err *reterr);
};

extern const struct action_ops *const action_registry[]; /* generated; ends with NULL */
const struct action_ops *action_find(const char *name);
