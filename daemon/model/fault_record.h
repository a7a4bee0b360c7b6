/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
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
#define FAULT_FILE_NAME_MAX   (STR_HEX128_MAX + 8)
#define FAULT_LAYOUT_VERSION  1

/* A file of another program, version or a torn one is refused, not guessed at. */
struct fault_head {
	uint32_t magic, version, size_bytes, checksum; /* FNV-1a of all that follows the head */
};

struct fault_record {
	struct fault_head head;
	char key[STR_HEX128_MAX];
	char fault[RULE_NAME_MAX];
	char requester[FAULT_REQUESTER_MAX]; /* for people */
	uint64_t duration_ns;                /* FAULT_DURATION_MIN_NS..FAULT_DURATION_MAX_NS */
	uint64_t requested_us;
	struct params params;
};

struct fault_undo {
	struct fault_head head;
	char key[STR_HEX128_MAX];
	char fault[RULE_NAME_MAX];
	uint32_t state_size;
	unsigned char state[FAULT_STATE_MAX];
};

/* Fill the head; call last. */
void fault_record_seal(struct fault_record *record);
void fault_undo_seal(struct fault_undo *undo);

/* Check everything that the bytes of a file can say wrong, key included; *ret is then safe to use.
 * That the parameters fit the fault is params_check()'s. Return 0; -EBADMSG naming what is wrong. */
int fault_record_read(const void *data, size_t size, const char *key, struct fault_record *ret,
		      struct err *reterr) _warn_unused_;
int fault_undo_read(const void *data, size_t size, const char *key, struct fault_undo *ret,
		    struct err *reterr) _warn_unused_;

/* "KEY.undo" for suffix ".undo". Returns buf. */
const char *fault_file_name(const char *key, const char *suffix,
			    char buf[static FAULT_FILE_NAME_MAX]);

/* The unit the fault is aimed at, from its parameter of that type; NULL: the host. */
const char *fault_params_unit(const struct params *params);
