/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/lookup.h"
#include "model/param.h"

/* Who reverts, best first. */
enum reverts {
	REVERTS_KERNEL, /* R0: the kernel, when our fd or process goes */
	REVERTS_TIMER,  /* R1: a kernel or systemd timer armed first */
	REVERTS_RECORD, /* R2: the undo record, replayed by ExecStopPost= */
	REVERTS_NOBODY, /* R3: nobody: what was killed stays dead until something starts it */
	_REVERTS_MAX,
};
LOOKUP_DECLARE(reverts, enum reverts);

/* What a good diagnosis of this fault says; compared by aiopsctl validate. */
struct fault_expects {
	const char *cause;          /* runbook id, or "unknown" */
	const char *const *actions; /* acceptable ones, NULL-terminated; empty: none */
	const char *effect;         /* for people */
};

/* What aiopsctl may know of a fault without linking it. C cannot list that from the plugins' files,
 * so `aiops-fault describe` prints it at build time into build/gen/fault_table.c; the table ends with
 * .name == NULL. */
struct fault_info {
	const char *name, *summary, *source;
	const struct param_spec
		*params; /* ends with .name == NULL; the duration is not among them */
	enum reverts reverts;
	struct fault_expects expects;
};

extern const struct fault_info fault_table[];
