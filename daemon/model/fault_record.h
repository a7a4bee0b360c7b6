/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/sealed.h"
#include "base/str.h"
#include "model/fault_info.h"
#include "model/param.h"
#include "model/record.h"

/* The files of one fault below PATH_FAULTS_DIR, all written by rename, all root's:
 *   KEY         struct fault_record: what is asked for; the runner reads it once
 *   KEY.undo    struct fault_undo: what clear() needs; written before each change, gone when undone
 *   KEY.status  JSON: how far it is (fault_status.h)
 *   KEY.result  the last status, once nothing of the fault is left */

#define FAULT_DURATION_MIN_NS NS_PER_S
/* Longer and a person has gone home. Source: the chaos catalogue's hard cap. */
#define FAULT_DURATION_MAX_NS (600 * NS_PER_S)
#define FAULT_STATE_MAX       4096 /* bytes of undo state */
#define FAULT_REQUESTER_MAX   64
#define FAULT_FILE_MAX        (FAULT_STATE_MAX + 4096) /* bytes of any of these files */
#define FAULT_FILE_NAME_MAX   (STR_HEX128_MAX + 16)

#define FAULT_VERSION 1

enum fault_kind {
	FAULT_KIND_RECORD = 32, /* clear of step.h's */
	FAULT_KIND_UNDO,
};

struct fault_record {
	struct sealed_head head;
	char key[STR_HEX128_MAX];
	char fault[RULE_NAME_MAX];
	char requester[FAULT_REQUESTER_MAX]; /* for people */
	uint64_t duration_ns;                /* FAULT_DURATION_MIN_NS..FAULT_DURATION_MAX_NS */
	uint64_t requested_us;
	struct params params;
};

struct fault_undo {
	struct sealed_head head;
	char key[STR_HEX128_MAX];
	char fault[RULE_NAME_MAX];
	uint32_t state_size;
	unsigned char state[FAULT_STATE_MAX];
};

/* Check what a seal does not: terminated strings, the key, the duration, counts. That the parameters
 * fit the fault is params_check()'s. Return 0; -EBADMSG naming what is wrong. */
int fault_record_check(const struct fault_record *record, const char *key,
		       struct err *reterr) _warn_unused_;
int fault_undo_check(const struct fault_undo *undo, const char *key,
		     struct err *reterr) _warn_unused_;

/* "KEY.undo" for suffix ".undo". Returns buf. */
const char *fault_file_name(const char *key, const char *suffix,
			    char buf[static FAULT_FILE_NAME_MAX]);

/* The unit the fault is aimed at, from its parameter of that type; NULL: the host. */
const char *fault_params_unit(const struct params *params);
