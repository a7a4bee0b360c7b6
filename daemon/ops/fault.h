/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/param.h"
#include "model/record.h"

/* A fault: one bounded breakage. Runs in its own unit (aiops-fault@KEY) whose PID 1 owns the end:
 * RuntimeMaxSec= fires and ExecStopPost= runs clear() even if all our processes are dead. */

#define FAULT_STATE_MAX 4096 /* bytes of undo state */

/* Who reverts, best first. */
enum reverts {
	REVERTS_KERNEL, /* R0: the kernel, when our fd or process goes */
	REVERTS_TIMER,  /* R1: a kernel or systemd timer armed first */
	REVERTS_RECORD, /* R2: the undo record, replayed by ExecStopPost= */
	REVERTS_NOBODY, /* R3: nobody: what was killed stays dead until something starts it */
	_REVERTS_MAX,
};
LOOKUP_DECLARE(reverts, enum reverts);

struct fault_context {
	const struct params *params;
	const char *key; /* names everything of ours on the host */
	uint64_t duration_ns;
	/* Stores the undo state (at most FAULT_STATE_MAX bytes), atomically, before the change it is
	 * for. Returns 0; -errno: then the change must not be made. */
	int (*record)(const struct fault_context *c, const void *state, size_t size,
		      struct err *reterr);
	void *priv; /* of the fault while it runs */
	void *bus;  /* sd_bus *; NULL where the plugin declares it needs none */
};

/* What a good diagnosis of this fault says; compared by aiopsctl validate. */
struct fault_expects {
	const char *cause;          /* runbook id, or "unknown" */
	const char *const *actions; /* acceptable ones, NULL-terminated; empty: none */
	const char *effect;         /* for people */
};

struct fault_ops {
	const char *name; /* "net.delay" for net_delay.c */
	const char *summary;
	const char *source;
	const struct param_spec *params; /* duration is common and not among them */
	enum reverts reverts;
	struct fault_expects expects;

	/* Can it be done here? Reads only. Returns 0; -errno with the reason. */
	int (*check)(const struct fault_context *c, struct err *reterr);
	int (*inject)(struct fault_context *c, struct err *reterr);
	/* Measures that the fault has an effect now. Returns 1 if so, 0 if not, -errno. May be NULL. */
	int (*effect)(const struct fault_context *c, struct err *reterr);
	/* Ends it, from a fresh process that has only the state; idempotent; goes on after errors and
	 * returns the first. */
	int (*clear)(const struct fault_context *c, const void *state, size_t size,
		     struct err *reterr);
};

extern const struct fault_ops *const fault_registry[]; /* generated; ends with NULL */
const struct fault_ops *fault_find(const char *name);
