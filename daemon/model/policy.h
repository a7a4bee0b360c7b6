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
 *       on: managed             # "managed" (in services.d), "any" (unit or container that is not
 *                               # protected), "host", or a list of KIND:NAME with * and ? as in
 *                               # glob(7): [unit:web-*.service, container:web-*]
 *       autonomy: auto
 *   limits:
 *     per_entity_per_hour: 3
 *     per_host_per_hour: 10
 *     cooldown_s: 60
 *     approval_s: 900
 *     duration_s: 3600
 *   protected_containers: [registry, vault-*]
 */

#define POLICY_RULES_MAX      128
#define POLICY_ENTITIES_MAX   16
#define POLICY_CONTAINERS_MAX 32

enum policy_scope {
	POLICY_SCOPE_MANAGED,
	POLICY_SCOPE_ANY,
	POLICY_SCOPE_HOST,
	POLICY_SCOPE_LIST,
	_POLICY_SCOPE_MAX,
};
LOOKUP_DECLARE(policy_scope, enum policy_scope);

struct policy_rule {
	char action[RULE_NAME_MAX];
	enum policy_scope scope;
	enum autonomy autonomy;
	uint32_t n_entities;
	char entities[POLICY_ENTITIES_MAX]
		     [ENTITY_TEXT_MAX]; /* patterns of entity_format()'s text */
	char origin[160];               /* FILE:LINE, for "why not" */
};

struct policy_limits {
	uint32_t per_entity_per_hour; /* 1..60, default 3 */
	uint32_t per_host_per_hour;   /* 1..600, default 10 */
	uint32_t per_action_per_hour; /* 1..600; 0: as per_host_per_hour */
	uint32_t cooldown_s;          /* 0..86400, default 60: same action on the same entity */
	uint32_t approval_s;          /* 10..86400, default 900 */
	uint32_t duration_s;          /* 10..86400, default 86400: the longest change for a time */
};

struct policy {
	enum autonomy mode;
	struct policy_limits limits;
	uint32_t n_rules;
	struct policy_rule *rules; /* later files win: the last rule that matches decides */
	uint32_t n_containers;     /* of all files */
	char protected_containers[POLICY_CONTAINERS_MAX][ENTITY_NAME_MAX]; /* patterns */
};

/* Loads policy.d below root_fd, every file trusted (root-owned, not writable by others). No file at
 * all is -ENOENT: deny. Returns 0; -EINVAL, -EPERM with FILE:LINE:COLUMN and the reason. */
int policy_load(int root_fd, struct policy *ret, struct err *reterr) _warn_unused_;

/* Adds the text of one file to *p (the last file's mode, limits and rules win); start from {0}.
 * Returns 0; -EINVAL, -EBADMSG with FILE:LINE:COLUMN, and *p is still to be freed by policy_done. */
int policy_parse(const char *file_name, const char *text, size_t length, struct policy *p,
		 struct err *reterr) _warn_unused_;
void policy_done(struct policy *p);

/* Checks that the actions the rules name exist, and are done to what the rules say: a misspelt one would
 * allow nothing and say nothing. actions ends with .name == NULL. Returns 0; -EINVAL with FILE:LINE. */
int policy_lint(const struct policy *p, const struct action_info *actions,
		struct err *reterr) _warn_unused_;

/* Pure. What the policy says of this action on this entity for the given origin of the wish: fills
 * *ret with allow, ask, suggest or deny and the rule that said so. runbook_autonomy caps it (pass
 * AUTONOMY_APPROVE for a person's own request). policy may be NULL: deny. */
void policy_decide(const struct policy *policy, const struct services *services, const char *action,
		   const struct entity *on, enum autonomy runbook_autonomy, struct decision *ret);

/* True for what nobody may touch through us, whatever the rules say: units as below, containers that
 * the policy names, and every kind that no action has. policy may be NULL. */
bool policy_protects(const struct policy *policy, const struct entity *e);

/* True for units nobody may touch through us, whatever the policy says: init.scope, systemd-*,
 * dbus*, polkit*, ssh*, the network, our own units, -.mount and the like. In code, not configurable. */
bool policy_unit_is_protected(const char *unit);

/* Pure. May what these parameters ask for last as long as they say? Returns 0, also where it is not for
 * a time; -EPERM. */
int policy_check_duration(const struct policy *p, const struct params *params,
			  struct err *reterr) _warn_unused_;
