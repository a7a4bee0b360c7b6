/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/engine.h"

/* What the engine is configured with in its tests: the shipped runbooks and alerts, and three services:
 * "api" (api.service, endpoint api-health), "db" (db.service, no endpoint), "bus" (dbus.service, which
 * is protected). */
struct brain {
	struct services services;
	struct alerts alerts;
	struct runbooks runbooks;
	struct engine_config config;
};

/* cmocka group setup and teardown; *state is the struct brain. */
int brain_setup(void **state);
int brain_teardown(void **state);

extern const struct action_info brain_actions[];
