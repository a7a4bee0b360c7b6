/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/action_info.h"
#include "model/record.h"
#include "model/service.h"

/* A file of policy.d (NAME.yaml), root-owned: what may be done to what, by itself or with a person's word.
 * Missing, unreadable or malformed = nothing may be done.
 *
 *   mode: auto                  # ceiling for the host: observe, suggest, approve, auto
 *   allow:
 *     - action: unit.start
 *       units: managed          # "managed" (in services.d), "any" (not protected), or a list of
 *                               # names with * and ? as in glob(7)
 *       autonomy: auto
 *   limits:
 *     per_entity_per_hour: 3
 *     per_host_per_hour: 10
 *     cooldown_s: 60
 *     approval_s: 900
 */

#define POLICY_RULES_MAX 128
#define POLICY_UNITS_MAX 16

enum policy_scope { POLICY_SCOPE_MANAGED, POLICY_SCOPE_ANY, POLICY_SCOPE_LIST };

struct policy_rule {
	char action[RULE_NAME_MAX];
	enum policy_scope scope;
	enum autonomy autonomy;
	uint32_t n_units;
	char units[POLICY_UNITS_MAX][ENTITY_NAME_MAX];
	char origin[160]; /* FILE:LINE, for "why not" */
};

struct policy_limits {
	uint32_t per_entity_per_hour; /* 1..60, default 3 */
	uint32_t per_host_per_hour;   /* 1..600, default 10 */
	uint32_t cooldown_s;          /* 0..86400, default 60: same action on the same entity */
	uint32_t approval_s;          /* 10..86400, default 900 */
};

struct policy {
	enum autonomy mode;
	struct policy_limits limits;
	uint32_t n_rules;
	struct policy_rule *rules; /* later files win: the last rule that matches decides */
};

/* Loads policy.d below root_fd, every file trusted (root-owned, not writable by others). No file at
 * all is -ENOENT: deny. Returns 0; -EINVAL, -EPERM with FILE:LINE:COLUMN and the reason. */
int policy_load(int root_fd, struct policy *ret, struct err *reterr) _warn_unused_;

/* Adds the text of one file to *p (the last file's mode, limits and rules win); start from {0}.
 * Returns 0; -EINVAL, -EBADMSG with FILE:LINE:COLUMN, and *p is still to be freed by policy_done. */
int policy_parse(const char *file_name, const char *text, size_t length, struct policy *p,
		 struct err *reterr) _warn_unused_;
void policy_done(struct policy *p);

/* Checks that the actions the rules name exist: a misspelt one would allow nothing and say nothing.
 * actions ends with .name == NULL. Returns 0; -EINVAL with FILE:LINE. */
int policy_lint(const struct policy *p, const struct action_info *actions,
		struct err *reterr) _warn_unused_;

/* Pure. What the policy says of this action on this unit for the given origin of the wish: fills
 * *ret with allow, ask, suggest or deny and the rule that said so. runbook_autonomy caps it (pass
 * AUTONOMY_APPROVE for a person's own request). policy may be NULL: deny. */
void policy_decide(const struct policy *policy, const struct services *services, const char *action,
		   const char *unit, enum autonomy runbook_autonomy, struct decision *ret);

/* True for units nobody may touch through us, whatever the policy says: init.scope, systemd-*,
 * dbus*, polkit*, ssh*, the network, our own units, -.mount and the like. In code, not configurable. */
bool policy_unit_is_protected(const char *unit);
