/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "model/action_info.h"

/* A file of aliases.d (NAME.yaml), root-owned: short names for actions on what this host has, as paths of the
 * API (POST /action/NAME) give them. A later file's alias of the same name replaces an earlier one.
 *
 *   aliases:
 *     - name: restart-api
 *       action: service.restart
 *       params: {service: api}     # fixed; the caller gives the others
 */

#define ALIASES_MAX 64

struct action_alias {
	char name[RULE_NAME_MAX];
	char action[RULE_NAME_MAX];
	uint32_t n_params;
	struct {
		char name[PARAM_NAME_MAX], value[PARAM_TEXT_MAX];
	} params[PARAMS_MAX];
	char origin[160]; /* FILE:LINE */
};

struct action_aliases {
	uint32_t n;
	struct action_alias v[ALIASES_MAX];
};

/* Adds the text of one file. Returns 0; -EINVAL, -EBADMSG, -E2BIG with FILE:LINE:COLUMN. */
int aliases_parse(const char *file_name, const char *text, size_t length, struct action_aliases *a,
		  struct err *reterr) _warn_unused_;

/* Loads aliases.d below root_fd, every file trusted as the policy's are. No file: none. Returns 0;
 * -EPERM, -EINVAL; *ret is empty then. */
int aliases_load(int root_fd, struct action_aliases *ret, struct err *reterr) _warn_unused_;

/* Checks that it names an action, and parameters that it has. Returns 0; -EINVAL with FILE:LINE. */
int alias_lint(const struct action_alias *a, const struct action_info *actions,
	       struct err *reterr) _warn_unused_;

const struct action_alias *aliases_find(const struct action_aliases *a, const char *name);
