/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "model/action_info.h"

/* Asks systemd over the system bus to start step units, never waiting for it: the executor's whole
 * power (a polkit rule allows the step units and nothing else). Connects again when the bus
 * went away; what was not sent by then is sent to the new one. A test links another one. */

#define STARTER_PENDING_MAX 32
#define STARTER_CALL_MAX_US 30000000 /* us; the broker gives up sooner on a bus that is frozen */
#define STARTER_PING_US     1000000  /* us; while an answer is awaited */

struct starter;

struct starter_handlers {
	/* systemd queued the job (r 0) or refused (r negative). Never from inside starter_start(). */
	void (*answered)(void *userdata, const char *key, int r, const struct err *err);
	/* The bus itself answered while KEY is awaited. */
	void (*alive)(void *userdata, const char *key);
	/* The job of KEY's unit is over: a hint. */
	void (*removed)(void *userdata, const char *key);
};

int starter_new(sd_event *event, const struct starter_handlers *handlers, void *userdata,
		struct starter **ret, struct err *reterr) _warn_unused_;
struct starter *starter_free(struct starter *s);

/* Returns 0: it will be asked; -EBUSY: too many are waiting for the bus. */
int starter_start(struct starter *s, const char *key, enum step_profile profile,
		  struct err *reterr) _warn_unused_;
/* Forgets what was not sent yet. */
void starter_cancel(struct starter *s, const char *key);
bool starter_is_connected(const struct starter *s);
