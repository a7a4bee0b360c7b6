/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "executor/attempts.h"
#include "executor/budget.h"

/* Says yes, ask, or no. Pure: everything it looks at comes in. */

#define EVIDENCE_SOURCES_MIN 2
#define EVIDENCE_TRUSTED_MIN 1

/* The host and the executor as they are now. */
struct guard_view {
	const struct policy *policy; /* NULL: none that is valid */
	const char *policy_error;    /* why, with the place */
	const struct services *services;
	const struct budget *budget;
	const struct attempts *attempts;
	enum autonomy mode; /* set by a person; only lowers what the policy gives */
	bool paused, stopped;
	bool audit_full, audit_behind; /* nothing more fits; something is not written yet */
	uint64_t now_ns;
};

struct guard_request {
	const struct entry *entry; /* action and parameters are valid */
	const struct action_info *info;
	bool approved;          /* a person with the role said yes */
	enum autonomy autonomy; /* the runbook's; APPROVE for a person's own wish */
	uint32_t n_sources, n_trusted;
	const struct entity *root; /* what the evidence is about; NULL for a person's */
	uint64_t deadline_ns;
};

/* Fills *ret: ALLOW (start it), ASK (wait for a person), SUGGEST or DENY, with the rule and the reason. */
void guard_decide(const struct guard_view *view, const struct guard_request *rq,
		  struct decision *ret);
