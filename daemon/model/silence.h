/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/confdir.h"
#include "model/record.h"

/* A file of silences.d (NAME.yaml): what is not told and not repaired for a time, by whom and why.
 *
 *   alerts: [disk-*, mount-full]     # "*" at the end stands for anything; absent: all
 *   of: unit:db.service              # absent: whatever it is about
 *   by: alice
 *   reason: the disk is being replaced
 *   from: 2026-11-24T00:30:00Z       # a silence: once
 *   until: 2026-11-24T02:30:00Z
 *   days: [sat, sun]                 # a maintenance window: each week, UTC; absent: each day
 *   at: "02:00"
 *   for: 2h
 */

#define SILENCES_MAX        64
#define SILENCE_ALERTS_MAX  8
#define SILENCE_SPAN_MAX_US (UINT64_C(30 * 86400) * 1000000) /* what is longer is to be masked */

struct silence {
	char name[RULE_NAME_MAX];
	char alerts[SILENCE_ALERTS_MAX][RULE_NAME_MAX];
	uint32_t n_alerts; /* 0: all */
	uint32_t has_entity;
	struct entity entity;
	char by[64], reason[256];
	uint64_t from_us, until_us; /* once; 0: each week */
	uint32_t days;              /* bit 0: Monday */
	uint32_t at_s, for_s;       /* seconds of the day, and how long */
};

struct silences {
	uint32_t n;
	struct silence *v;
};

extern const struct confdir_kind silence_files;

/* Parses one file. Returns 0; -EINVAL, -EBADMSG with FILE:LINE:COLUMN. */
int silence_parse(const char *file_name, const char *text, size_t length, struct silence *ret,
		  struct err *reterr) _warn_unused_;

/* Loads silences.d below root_fd. Returns 0; -EINVAL, -EBADMSG with FILE:LINE:COLUMN; -E2BIG. */
int silences_load(int root_fd, struct silences *ret, struct err *reterr) _warn_unused_;
void silences_done(struct silences *s);

/* Is it in force at this time? */
bool silence_is_on(const struct silence *s, uint64_t wall_us);

/* The silence that covers this alert about this entity, or its service's unit, at this time; or NULL. */
const struct silence *silences_find(const struct silences *all, const char *alert,
				    const struct entity *entity, const struct entity *primary,
				    uint64_t wall_us);
