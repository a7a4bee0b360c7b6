/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/sealed.h"
#include "model/action_info.h"
#include "model/record.h"

/* How the executor and a step unit (aiops-step@KEY) speak: by files in PATH_STEPS_DIR, because
 * finished units vanish and files do not.
 *
 *   KEY         what to do: struct step_record, written once by the executor
 *   KEY.claim   whoever creates it (link(2), so exactly one) owns KEY for ever: the step, which then
 *               appends a line for each phase, or the executor that revokes what was never begun
 *   KEY.result  what became of it: struct step_result, written once by the step or its settle
 *   KEY.expired what became of its undoing when its time was over: struct step_result, by aiops-expire@KEY
 *
 * and root's alone: PATH_UNDO_DIR/KEY, struct undo_record, written before anything is changed, and
 * PATH_UNDO_DIR/ledger, what was done since boot. Who undoes by a record or removes it holds its lock
 * (flock(2)). An upgrade of the package must still read the records that are there: a timer that PID 1
 * holds may be waiting for one. */

#define STEP_VERSION   2
#define STEP_CLAIM_MAX 1024 /* bytes; a step writes fewer than 12 lines of fewer than 40 */

enum step_kind {
	STEP_KIND_RECORD = 1,
	STEP_KIND_RESULT,
	STEP_KIND_UNDO,
	STEP_KIND_ATTEMPT, /* the executor's own */
	STEP_KIND_BUDGET,
	STEP_KIND_STATE,
	STEP_KIND_AUDIT,
	STEP_KIND_IDEMPOTENCY,
	STEP_KIND_AUDIT_SEQ,
	STEP_KIND_LEDGER, /* root's own */
};

enum step_op {
	STEP_OP_APPLY,
	STEP_OP_DRY_RUN,
	STEP_OP_REVERT, /* of the attempt target_key */
	_STEP_OP_MAX,
};
LOOKUP_DECLARE(step_op, enum step_op);

/* Ordered as they are passed, but for the last: a claim's phase is its last line's. */
enum step_phase {
	STEP_PHASE_CLAIMED, /* nothing touched */
	STEP_PHASE_CHECKED, /* validated and possible; nothing touched */
	STEP_PHASE_SNAPSHOT, /* the undo record is there, and the timer that undoes it; nothing touched */
	STEP_PHASE_APPLYING,  /* may or may not have happened */
	STEP_PHASE_APPLIED,   /* happened, not verified */
	STEP_PHASE_REVERTING, /* may or may not be undone */
	STEP_PHASE_REVOKED,   /* by the executor: must not begin */
	_STEP_PHASE_MAX,
};
LOOKUP_DECLARE(step_phase, enum step_phase);

struct step_record {
	struct sealed_head head;
	char key[STR_HEX128_MAX], boot_id[STR_HEX128_MAX];
	char target_key[STR_HEX128_MAX]; /* REVERT only */
	enum step_op op;
	uint32_t by_person;    /* boolean */
	uint64_t not_after_ns; /* CLOCK_BOOTTIME: not to be begun later */
	char action[RULE_NAME_MAX];
	struct params params; /* empty for REVERT: the undo record has them */
	char actor[64];
};

struct step_result {
	struct sealed_head head;
	char key[STR_HEX128_MAX];
	enum attempt_phase phase; /* DONE, FAILED or UNKNOWN */
	uint32_t reverted;        /* boolean: FAILED, and what had changed was put back */
	uint32_t ran;             /* boolean: it got as far as APPLYING or REVERTING */
	uint32_t settled;         /* boolean: written after the step was killed */
	int32_t error;
	char text[RECORD_TEXT_MAX];
};

#define STEP_UNDO_MAX 4096 /* = ACTION_UNDO_MAX */

struct undo_record {
	struct sealed_head head;
	char key[STR_HEX128_MAX], boot_id[STR_HEX128_MAX];
	char action[RULE_NAME_MAX];
	struct params params;
	struct entity entity; /* what it was done to, whatever services.d says by now */
	uint32_t by_person;   /* boolean */
	uint32_t size;        /* of data */
	uint8_t data[STEP_UNDO_MAX];
};

/* What a claim says. */
struct step_claim {
	enum step_phase phase;
	bool by_root; /* made by root: by a step, not by the executor */
};

/* Checks what a seal does not: terminated strings, hexadecimal keys, enum ranges, counts. Each
 * returns 0; -EBADMSG naming the field. */
int step_record_check(const struct step_record *r, struct err *reterr) _warn_unused_;
int step_result_check(const struct step_result *r, struct err *reterr) _warn_unused_;
int undo_record_check(const struct undo_record *u, struct err *reterr) _warn_unused_;

/* The phase of a claim's text: that of the last whole line; CLAIMED for none. A torn last line
 * does not count: nothing begins before its line is written. */
enum step_phase step_claim_parse(const char *text);

/* Reads KEY.claim in the steps directory. Returns 1; 0 if there is none; -errno. */
int step_claim_read(int steps_fd, const char *key, struct step_claim *ret,
		    struct err *reterr) _warn_unused_;

/* Reads and checks KEY.result. Returns 1; 0 if there is none; -EBADMSG; other -errno. */
int step_result_read(int steps_fd, const char *key, struct step_result *ret,
		     struct err *reterr) _warn_unused_;

/* Reads and checks KEY.expired. Returns as above; 0: its time is not over, or it has none. */
int step_expired_read(int steps_fd, const char *key, struct step_result *ret,
		      struct err *reterr) _warn_unused_;

/* What people and records call a step's phase. */
enum attempt_phase step_phase_to_attempt(enum step_phase p);

#define STEP_UNIT_MAX 64

/* "aiops-expire@KEY.service", or that of the profile: undoes what such a step did for a time; returns buf. */
const char *step_expire_unit_name(enum step_profile profile, const char *key,
				  char buf[static STEP_UNIT_MAX]);

/* "aiops-step@KEY.service", "aiops-step-files@KEY.service"; returns buf. */
const char *step_unit_name(enum step_profile profile, const char *key,
			   char buf[static STEP_UNIT_MAX]);
/* The key of such a name. Returns 0; -EINVAL: it is no step's. */
int step_unit_parse(const char *unit, char ret_key[static STR_HEX128_MAX]) _warn_unused_;
/* "aiops-step-files" or "aiops-expire-files", as systemd has it for %p. Returns 0; -EINVAL. */
int step_profile_from_prefix(const char *prefix, enum step_profile *ret) _warn_unused_;

/* This boot's id as 32 hexadecimal digits, from /proc/sys/kernel/random/boot_id. Returns 0; -errno. */
int step_boot_id(char ret[static STR_HEX128_MAX], struct err *reterr) _warn_unused_;
