/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/param.h"
#include "model/record.h"

/* What the executor, the agent and aiopsctl may know of an action without linking it. C cannot list
 * that from the plugins' files, so the step prints it (aiops-step describe) at build time into
 * build/gen/action_table.c; the table ends with .name == NULL. */
struct action_info {
	const char *name, *summary;
	const struct param_spec *params; /* ends with .name == NULL */
	enum risk risk;
	bool revertible, idempotent;
	uint32_t timeout_ms, settle_ms, cooldown_ms;
};

extern const struct action_info action_table[];
