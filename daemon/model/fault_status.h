/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/lookup.h"
#include "model/fault_record.h"

/* How far a fault is. In this order; the last four are ends. */
enum fault_state {
	FAULT_STATE_PLANNED,  /* the record is read and valid */
	FAULT_STATE_ARMED,    /* PID 1 has the deadline and the undo */
	FAULT_STATE_INJECTED, /* all changes are made */
	FAULT_STATE_OBSERVED, /* the effect was measured */
	FAULT_STATE_REVERTING,
	FAULT_STATE_REVERTED, /* clear() has run */
	FAULT_STATE_VERIFIED, /* and a second clear() found nothing left */
	FAULT_STATE_REFUSED,  /* nothing was changed */
	FAULT_STATE_FAILED,   /* injecting failed; what was done is undone */
	FAULT_STATE_STUCK,    /* something is left; nothing new is injected until it is recovered */
	_FAULT_STATE_MAX,
};
LOOKUP_DECLARE(fault_state, enum fault_state);
bool fault_state_is_final(enum fault_state s);

#define FAULT_PARAMS_TEXT_MAX 512

struct fault_status {
	char key[STR_HEX128_MAX];
	char fault[RULE_NAME_MAX];
	char unit[ENTITY_NAME_MAX]; /* "" = the host */
	char params[FAULT_PARAMS_TEXT_MAX];
	char requester[FAULT_REQUESTER_MAX];
	enum fault_state state;
	enum reverts reverts;
	int32_t error;              /* negative errno of what failed first, or 0 */
	char text[RECORD_TEXT_MAX]; /* for people: why refused, what was measured, what is left */
	uint64_t duration_ns, deadline_ns;     /* CLOCK_BOOTTIME; 0: none yet */
	uint64_t reached_us[_FAULT_STATE_MAX]; /* wall clock; 0: never */
};

/* Enters a state at a time; a state already entered keeps its first time. */
void fault_status_enter(struct fault_status *status, enum fault_state state, uint64_t wall_us);

/* True if the effect was measured, whatever came after. */
bool fault_status_was_observed(const struct fault_status *status);

/* One JSON object; the caller owns *ret. Returns 0; -ENOMEM. */
int fault_status_to_json(const struct fault_status *status, struct json_object **ret) _warn_unused_;

/* Returns 0; -EBADMSG, -EINVAL, -ENOENT naming the field. */
int fault_status_from_text(const char *text, size_t length, struct fault_status *ret,
			   struct err *reterr) _warn_unused_;
