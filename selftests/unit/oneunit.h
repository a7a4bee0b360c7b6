/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ops/action.h"
#include "selftests/unit/tree.h"
#include "sys/unitctl.h"

/* A systemd that has one unit, in place of sys/unitctl.c, and an action on it in place of a step. */

#define ONEUNIT_KEY    "0123456789abcdef0123456789abcdef"
#define ONEUNIT_NAME   "a.service"
#define ONEUNIT_DROPIN "run/systemd/system/" ONEUNIT_NAME ".d/90-aiops-" ONEUNIT_KEY ".conf"
#define ONEUNIT_CGROUP "sys/fs/cgroup/system.slice/" ONEUNIT_NAME "/"

struct oneunit {
	struct unit_facts facts;
	const struct tree *tree;
	int job_result;      /* of the next job or call */
	bool fails_to_start; /* the job is done, the unit dies at once */
	bool is_deaf;        /* jobs, calls and reloads are done and change nothing */
	bool is_needed;      /* another unit that runs needs it */
	unsigned n_changes;  /* jobs and calls */
	char last[32];       /* of them */
	uint64_t now_mono_us;
	char limit_file[32], limit_text[64]; /* see oneunit_set_limit() */
	char text[512];                      /* what the action said */
	uint8_t undo[ACTION_UNDO_MAX];
};

extern struct oneunit oneunit;

/* cmocka setup: it runs; teardown is tree_teardown. */
int oneunit_setup(void **state);

void oneunit_set_state(const char *active, const char *result);
void oneunit_new_invocation(void);

/* What the kernel has in a file of the unit's cgroup when no drop-in says otherwise. */
void oneunit_set_limit(const char *file, const char *text);

/* Parameters of an action on the unit, with one more unless name is NULL. */
struct params oneunit_params(const struct action_ops *a, const char *name, const char *value);
struct action_context oneunit_context(const struct params *params);

/* Everything but the revert, the undo record kept in c. Returns of the first that fails (a check that
 * has nothing to do counts), and which phase that was. */
int oneunit_carry_out(const struct action_ops *a, struct action_context *c, const char **ret_phase);
