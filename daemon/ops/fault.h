/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/fault_info.h"
#include "model/fault_record.h"
#include "model/param.h"

/* A fault: one bounded breakage. Runs in its own unit (aiops-fault@KEY) whose PID 1 owns the end:
 * the deadline fires and ExecStopPost= runs clear() even if all our processes are dead. */

struct fault_context {
	const struct params *params;
	const char *key; /* names everything of ours on the host */
	uint64_t duration_ns;
	/* Stores the undo state (at most FAULT_STATE_MAX bytes), atomically, before the change it is
	 * for. Returns 0; -errno: then the change must not be made. */
	int (*record)(const struct fault_context *c, const void *state, size_t size,
		      struct err *reterr);
	void *priv; /* the fault's own, from inject() to release() */
	void *bus;  /* sd_bus *, calls limited to 5 s */
	char *text; /* what effect() measured or clear() found, for people */
	size_t text_size;
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
	/* Makes all changes, each after record(). Returns 0; -errno: clear() follows. */
	int (*inject)(struct fault_context *c, struct err *reterr);
	/* Measures that the fault has an effect now. Returns 1 if so, 0 if not yet, -errno. */
	int (*effect)(struct fault_context *c, struct err *reterr);
	/* Is there still something to end? Returns 1; 0: it is over, as when the kernel has killed
	 * the hog or the agent has restarted the service; -errno. */
	int (*active)(struct fault_context *c, struct err *reterr);
	/* Ends it, from a fresh process that has the state and neither priv nor parameters;
	 * idempotent; goes on after errors and returns the first. Deletes only what carries our mark
	 * and is still as we made it. Returns 1 if something was there; 0: nothing of ours is left;
	 * -errno. NULL where nobody can revert. */
	int (*clear)(const struct fault_context *c, const void *state, size_t size,
		     struct err *reterr);
	/* Frees priv, in the process that injected; what hangs on its fds goes with it. May be NULL. */
	void (*release)(struct fault_context *c);
};

extern const struct fault_ops *const fault_registry[]; /* generated; ends with NULL */
const struct fault_ops *fault_find(const char *name);
