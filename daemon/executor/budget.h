/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/policy.h"
#include "model/step.h"

/* How much was done lately: the brake on a repair that repairs nothing. Two windows, an hour with the
 * policy's limits and a day with BUDGET_DAY_FACTOR times those: what comes back every twenty minutes
 * passes the first and not the second. Kept in PATH_EXEC_DIR/budget, which outlives the process, and from there
 * by others on the disk (keep.h): a host that reboots over and over is braked, too. */

#define BUDGET_EVENTS_MAX 1024 /* when they are all within a day, nothing more is done */
#define BUDGET_HOUR_NS    (3600 * NS_PER_S)
#define BUDGET_DAY_NS     (24 * BUDGET_HOUR_NS)
#define BUDGET_DAY_FACTOR 8

struct budget_event {
	int64_t t_ns; /* CLOCK_BOOTTIME; below 0: before this boot */
	uint64_t entity_hash, action_hash;
};

struct budget {
	struct sealed_head head;
	char boot_id[STR_HEX128_MAX];          /* whose CLOCK_BOOTTIME this is */
	uint64_t saved_boot_ns, saved_wall_us; /* both clocks when it was written */
	uint32_t n;
	struct budget_event v[BUDGET_EVENTS_MAX]; /* oldest first */
};

struct budget_wish {
	const char *action;
	uint32_t cooldown_ms; /* the action's own least distance */
	const struct entity *on;
};

struct budget_refusal {
	const char *by;    /* "cooldown", "budget-entity", "budget-action" or "budget-host" */
	uint64_t retry_ns; /* from now: not sooner */
};

/* May one more action be done on this? Returns 0; -EDQUOT with *ret and the reason. Pure. */
int budget_check(const struct budget *b, const struct policy_limits *limits,
		 const struct budget_wish *wish, uint64_t now_ns, struct budget_refusal *ret,
		 struct err *reterr) _warn_unused_;

/* Notes one. Events older than a day are forgotten. */
void budget_spend(struct budget *b, const char *action, const struct entity *on, uint64_t now_ns);

/* Takes back what was spent at t_ns for something that was then not begun. */
void budget_refund(struct budget *b, const char *action, const struct entity *on, uint64_t t_ns);

/* Makes the budget of an earlier boot this one's. The time between them is told by the wall clock, and is nothing
 * when that went back: then an event counts for longer. */
void budget_carry_over(struct budget *b, const char *boot_id, uint64_t now_ns, uint64_t wall_us);

/* How often something is asked for, whether it is then done or not: what is over it is dropped and counted. */
struct rate {
	uint64_t start_ns; /* of the present window */
	uint32_t n;
	uint64_t dropped;
};

/* The same for each of those who asked last. */
#define RATE_UIDS_MAX 16
struct uid_rates {
	uint32_t n;
	struct {
		uint32_t uid;
		struct rate rate;
	} v[RATE_UIDS_MAX];
	uint64_t dropped; /* of all */
};
bool uid_rates_take(struct uid_rates *r, uint32_t uid, uint64_t window_ns, uint32_t max,
		    uint64_t now_ns);

/* Takes one of max within window_ns. Returns false if there is none left, and counts that. */
bool rate_take(struct rate *r, uint64_t window_ns, uint32_t max, uint64_t now_ns);

/* Spent by all entities within the last hour. */
uint32_t budget_count_hour(const struct budget *b, uint64_t now_ns);
