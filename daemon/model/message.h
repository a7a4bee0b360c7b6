/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "model/record.h"

/* What our processes say to each other; ipc/frame.h puts these on the wire. */

#define FRAME_ROLLUPS_MAX 64

struct hello {
	char process[32]; /* "agent", "executor", "recorder", "gateway" */
	uint64_t boot_ns; /* when it started, CLOCK_BOOTTIME */
};

/* 10 s aggregate of one signal. */
struct rollup {
	char signal[SIGNAL_NAME_MAX];
	struct entity entity;
	uint64_t wall_us; /* start of the 10 s */
	uint32_t n;
	double min, max, sum, last;
};
struct rollups {
	uint32_t n;
	struct rollup v[FRAME_ROLLUPS_MAX];
};

struct inspect {
	uint64_t id;
	char inspector[RULE_NAME_MAX];
	struct entity entity;
	uint64_t since_ns;
};
struct inspect_item {
	uint64_t id;
	struct evidence evidence;
};
struct inspect_done {
	uint64_t id;
	int32_t r; /* 0 or negative errno */
	char text[ERR_TEXT_MAX];
};

struct proposal {
	char key[STR_HEX128_MAX]; /* idempotency: the same key again returns the old attempt */
	uint64_t incident_id, plan_id;
	struct plan plan;
	uint64_t deadline_ns; /* CLOCK_BOOTTIME: not to be started later than this */
	uint32_t n_sources;   /* independent sources of evidence about the target */
	uint32_t n_trusted;   /* of them kernel, system or probe */
	struct entity root;
};
/* Takes back a finished attempt; one that still waits for approval is withdrawn (DENIED). */
struct revert_request {
	char key[STR_HEX128_MAX];
	char reason[160];
};
struct attempt_query {
	char key[STR_HEX128_MAX];
};
struct attempt_update {
	uint64_t incident_id, plan_id;
	struct attempt attempt;
	struct decision decision; /* of the policy, when the phase is WAITING or DENIED */
};

struct audit_entry {
	uint64_t seq; /* of the executor's boot; with boot_id names the entry for ever */
	char boot_id[STR_HEX128_MAX];
	uint64_t wall_us, boot_ns;
	char actor[64];
	char what[32]; /* "propose", "approve", "start", "finish", "revert", "deny", "mode" */
	char action_hash[65]; /* SHA-256 of the canonical action */
	struct attempt attempt;
};
struct audit_ack {
	uint64_t seq;
};
