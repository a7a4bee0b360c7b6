/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/clock.h"
#include "selftests/unit/tree.h"
#include "step/step.h"

/* The step in this process, on a host that is a number in memory and a systemd that only keeps timers. Its
 * actions: test.add, test.once (no undo), test.hint (policy: suggest), test.other (no rule), test.timed, test.secret
 * (needs credentials, of which there are none). */

#define KEY   "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210"

#define EXPIRE(key) "aiops-expire@" key ".service"

#define LINES_CHECKED  "claimed 1\nchecked 2\n"
#define LINES_SNAPSHOT LINES_CHECKED "snapshot 3\n"
#define LINES_APPLYING LINES_SNAPSHOT "applying 4\n"
#define LINES_APPLIED  LINES_APPLYING "applied 5\n"

struct stephost {
	int value; /* what the host is like: 0 before, 1 after */
	unsigned n_applied, n_reverted;
	int check, apply, verify, revert, snapshot, arm; /* what they return instead */
	char timer[STEP_UNIT_MAX]; /* of which service systemd has one; "" for none */
	uint64_t timer_ns;
};
extern struct stephost stephost;

int stephost_setup(void **state);
/* Skips the test otherwise: the step believes files of root only. */
void stephost_need_root(void);
void stephost_open(struct step *s, const struct tree *tree, const char *key);

/* Of KEY; a REVERT is one of OTHER. */
struct step_record stephost_record(const char *action, enum step_op op);
void stephost_write_record(const struct tree *tree, const struct step_record *record);
void stephost_write_undo(const struct tree *tree, const char *key, const char *action, int value);
bool stephost_has_undo(const struct tree *tree, const char *key);

/* Returns what the function did; *ret is the result that is there afterwards. */
int stephost_call(const struct tree *tree, int (*function)(struct step *s, struct err *reterr),
		  struct step_result *ret);
/* Writes the record and runs the step. */
struct step_result stephost_run(const struct tree *tree, const char *action, enum step_op op);
