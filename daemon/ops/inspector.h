/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/clock.h"
#include "model/param.h"
#include "model/record.h"
#include "model/service.h"

/* An inspector: collects evidence on demand. Answers within 2 s; asynchronous where it must wait. */

#define INSPECTOR_DEADLINE_NS (2 * NS_PER_S)
#define INSPECTOR_ITEMS_MAX   8

struct inspector_request {
	uint64_t id;
	struct entity entity;
	uint64_t since_ns; /* CLOCK_BOOTTIME: how far back matters */
};

struct watch;

struct inspector_context {
	void *event; /* sd_event * */
	void *bus;   /* sd_bus *; may be NULL */
	const struct services *services;
	struct watch *watch; /* sys/watch.h: what the agent's probes know; NULL elsewhere */
	int root_fd;
	/* Hands over one item; may be called 0..INSPECTOR_ITEMS_MAX times per request, then done() exactly
	 * once, now or later. r: 0, or -errno with the reason ("I was blocked while looking" differs
	 * from "nothing found"). */
	void (*item)(void *userdata, const struct inspector_request *rq,
		     const struct evidence *evidence);
	void (*done)(void *userdata, const struct inspector_request *rq, int r,
		     const struct err *err);
	void *userdata;
};

struct inspector_ops {
	const char *name;
	const char *summary;
	const char *source_text;         /* where the facts come from */
	const struct signal_spec *facts; /* what it can state, for lint; ends with .name == NULL */
	enum entity_kind entity_kind;

	/* Starts the collection. Returns 0; -errno: then neither item() nor done() is called. */
	int (*collect)(const struct inspector_context *c, const struct inspector_request *rq,
		       struct err *reterr);
};

extern const struct inspector_ops *const inspector_registry[]; /* the agent's; generated */
extern const struct inspector_ops
	*const recorder_inspector_registry[]; /* the recorder's; generated */
