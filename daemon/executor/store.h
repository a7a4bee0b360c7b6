/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "executor/broker.h"
#include "executor/idempotency.h"

/* The executor's files, all on tmpfs: PATH_EXEC_DIR is its own, PATH_STEPS_DIR it shares with steps. */

#define STORE_BUDGET_FILE "budget"
#define STORE_STATE_FILE  "state"

struct store {
	int run_fd, exec_fd, attempts_fd, audit_fd, steps_fd;
	char boot_id[STR_HEX128_MAX];
};

/* Opens below runtime_dir, making what is missing. Returns 0; -errno. */
int store_open(struct store *s, const char *runtime_dir, struct err *reterr) _warn_unused_;
void store_done(struct store *s);

/* Reads what the last process left into b. An attempt that cannot be read is set
 * aside as KEY.bad; without the state or the budget it begins paused; each is counted. Returns the
 * count. */
unsigned store_load(struct store *s, struct broker *b);

/* The keys of callers, of this boot. Returns 0, also where there are none; -EBADMSG: they are lost. */
int store_load_keys(const struct store *s, struct idempotency *ret,
		    struct err *reterr) _warn_unused_;
int store_save_keys(const struct store *s, struct idempotency *t, struct err *reterr) _warn_unused_;

/* Removes files of steps that no attempt knows, an hour after they were written. */
void store_sweep(const struct store *s, const struct attempts *known);

/* For struct broker_ops. */
int store_persist(const struct store *s, struct entry *e, struct err *reterr) _warn_unused_;
int store_save_budget(const struct store *s, struct budget *b, struct err *reterr) _warn_unused_;
int store_save_state(const struct store *s, struct broker_state *st,
		     struct err *reterr) _warn_unused_;
int store_write_step(const struct store *s, const struct entry *e, uint64_t not_after_ns,
		     struct err *reterr) _warn_unused_;
int store_revoke(const struct store *s, const char *key, struct err *reterr) _warn_unused_;
int store_look(const struct store *s, const char *key, struct step_claim *ret_claim,
	       bool *ret_claimed, struct step_result *ret, struct err *reterr) _warn_unused_;
void store_forget(const struct store *s, const char *key);
bool store_is_stopped(const struct store *s);
