/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/lookup.h"
#include "model/param.h"
#include "model/record.h"
#include "model/service.h"

/* What a step may do beyond speaking to systemd, Docker and PostgreSQL over their sockets: each has a
 * unit of its own (aiops-step@, aiops-step-files@, ...), and a step refuses another's action. */
enum step_profile {
	STEP_PROFILE_BUS,   /* unix sockets only; no capability; writes below /run only */
	STEP_PROFILE_FILES, /* writes files of services, whoever owns them; connects as a client */
	STEP_PROFILE_NET,   /* the host's network, with CAP_NET_ADMIN */
	STEP_PROFILE_PROC,  /* signals and priorities of any process */
	STEP_PROFILE_DATABASE, /* runs PostgreSQL's programs; connects as a client */
	_STEP_PROFILE_MAX,
};
LOOKUP_DECLARE(step_profile, enum step_profile);

/* What the executor, the agent and aiopsctl may know of an action without linking it. C cannot list
 * that from the plugins' files, so the step prints it (aiops-step describe) at build time into
 * build/gen/action_table.c; the table ends with .name == NULL. */
struct action_info {
	const char *name, *summary;
	const struct param_spec *params; /* ends with .name == NULL */
	const char *target; /* the parameter that names what it is done to; NULL: the host */
	enum step_profile profile;
	enum risk risk;
	const char *undo; /* what undoing it does, for people; NULL: it cannot be undone */
	bool idempotent;
	uint32_t timeout_ms, settle_ms, cooldown_ms;
};

extern const struct action_info action_table[];

/* What an action with these parameters is done to, which one writer, budgets, policy and protection are
 * about. A unit or a container is itself; a service is the unit or container that services.d gives
 * it; target NULL is the host. Pure. Returns 0; -ENOENT: no such service; -EINVAL: the parameter
 * cannot be a target. */
int action_entity(const char *target, const struct params *params, const struct services *services,
		  struct entity *ret, struct err *reterr) _warn_unused_;
