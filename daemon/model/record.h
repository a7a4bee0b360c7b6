/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/lookup.h"
#include "base/str.h"
#include "model/entity.h"
#include "model/param.h"
#include "model/sample.h"

/* Everything that is said about an incident is a record: immutable, with the id of its parent. To
 * explain one is to walk the parents; there is no other explanation machinery. */

#define RECORD_ID_MAX     14 /* text form with the NUL */
#define RULE_NAME_MAX     64 /* of an alert, runbook, inspector, action */
#define RECORD_TEXT_MAX   512
#define FACTS_MAX         16
#define HYPOTHESES_MAX    8
#define EVIDENCE_REFS_MAX 16
#define PLAN_STEPS_MAX    4
#define ALTERNATIVES_MAX  3

enum record_kind {
	RECORD_KIND_EVENT,    /* a rule fired or cleared */
	RECORD_KIND_INCIDENT, /* a state change of an incident */
	RECORD_KIND_EVIDENCE,
	RECORD_KIND_DIAGNOSIS,
	RECORD_KIND_PLAN,
	RECORD_KIND_DECISION, /* of the guard or the executor's policy */
	RECORD_KIND_ATTEMPT,  /* a phase of an action */
	RECORD_KIND_VERDICT,
	RECORD_KIND_NARRATIVE,
	_RECORD_KIND_MAX,
};
LOOKUP_DECLARE(record_kind, enum record_kind);

enum severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_CRITICAL, _SEVERITY_MAX };
LOOKUP_DECLARE(severity, enum severity);

enum risk { RISK_READ, RISK_REVERSIBLE, RISK_DISRUPTIVE, RISK_DESTRUCTIVE, _RISK_MAX };
LOOKUP_DECLARE(risk, enum risk);

/* How much may be done without a person; ordered. observe: record only. suggest: say what would
 * help. approve: ask and wait. auto: do it. */
enum autonomy {
	AUTONOMY_OBSERVE,
	AUTONOMY_SUGGEST,
	AUTONOMY_APPROVE,
	AUTONOMY_AUTO,
	_AUTONOMY_MAX
};
LOOKUP_DECLARE(autonomy, enum autonomy);

struct event {
	char alert[RULE_NAME_MAX];
	char signal[SIGNAL_NAME_MAX];
	enum severity severity;
	uint32_t cleared; /* boolean */
	double value, threshold;
	enum source source;
	enum provenance provenance;
	char text[RECORD_TEXT_MAX];
};

enum incident_state {
	INCIDENT_STATE_OPEN, /* collecting evidence */
	INCIDENT_STATE_DIAGNOSED,
	INCIDENT_STATE_WAITING, /* for a person's approval */
	INCIDENT_STATE_ACTING,
	INCIDENT_STATE_VERIFYING,
	INCIDENT_STATE_REVERTING,
	INCIDENT_STATE_ESCALATED, /* a person must look; still open */
	INCIDENT_STATE_RESOLVED,  /* by our action, verified */
	INCIDENT_STATE_CLEARED,   /* went away without us */
	_INCIDENT_STATE_MAX,
};
LOOKUP_DECLARE(incident_state, enum incident_state);
bool incident_state_is_open(enum incident_state s);

struct incident {
	enum incident_state state;
	enum severity severity;
	char service[RULE_NAME_MAX];  /* name in services.d, or "" */
	char cause[RULE_NAME_MAX];    /* runbook id, "unknown", or "" while not diagnosed */
	char title[160];              /* one line for people */
	char reason[RECORD_TEXT_MAX]; /* why this state */
	uint64_t opened_us;
	uint64_t detected_ns, acted_ns, healed_ns; /* CLOCK_BOOTTIME; 0: not yet */
	uint32_t n_events, n_attempts;
};

enum fact_type { FACT_TYPE_NUMBER, FACT_TYPE_TEXT, _FACT_TYPE_MAX };

/* One checkable statement: "unit.result" = "oom-kill", "unit.cpu_share_pct" = 97.1. */
struct fact {
	char name[SIGNAL_NAME_MAX];
	enum fact_type type;
	double number;
	char text[96];
};

struct evidence {
	char inspector[RULE_NAME_MAX];
	enum source source;
	enum provenance provenance;
	uint32_t n_facts;
	struct fact facts[FACTS_MAX];
	char text[RECORD_TEXT_MAX]; /* for people; never matched when untrusted */
};

struct hypothesis {
	char runbook[RULE_NAME_MAX];
	int32_t score, min_score;
	uint32_t n_supports, n_contradicts;
	uint32_t excluded; /* boolean: a required item is missing or an exclusion matched */
	char reason[128];
};

struct diagnosis {
	char cause[RULE_NAME_MAX];  /* runbook id or "unknown" */
	char text[RECORD_TEXT_MAX]; /* the cause in words, from facts */
	struct entity root;         /* what is at fault, may differ from the record's entity */
	uint32_t n_hypotheses, n_evidence, n_sources; /* n_sources: independent, about root */
	struct hypothesis hypotheses[HYPOTHESES_MAX];
	uint64_t evidence_ids[EVIDENCE_REFS_MAX];
};

struct plan_step {
	char action[RULE_NAME_MAX];
	struct params params;
};

struct plan {
	char runbook[RULE_NAME_MAX];
	enum autonomy autonomy; /* the runbook's */
	enum risk risk;
	uint32_t alternative; /* 0 = first choice */
	struct plan_step step;
	char verify_text[160];
	char undo_text[160];
};

enum decision_verdict {
	DECISION_ALLOW,
	DECISION_ASK,
	DECISION_SUGGEST,
	DECISION_DENY,
	_DECISION_MAX
};
LOOKUP_DECLARE(decision_verdict, enum decision_verdict);

struct decision {
	enum decision_verdict verdict;
	char by[RULE_NAME_MAX]; /* the rule that decided: "cooldown", "protected", "admin-stopped", ... */
	char text[RECORD_TEXT_MAX];
};

enum attempt_phase {
	ATTEMPT_PHASE_PROPOSED,
	ATTEMPT_PHASE_WAITING,  /* for approval */
	ATTEMPT_PHASE_STARTING, /* the step unit is asked for */
	ATTEMPT_PHASE_CLAIMED,  /* the step has the record */
	ATTEMPT_PHASE_CHECKED,
	ATTEMPT_PHASE_SNAPSHOT, /* undo is on record */
	ATTEMPT_PHASE_APPLIED,
	ATTEMPT_PHASE_DONE,     /* applied and verified by the action's own check */
	ATTEMPT_PHASE_FAILED,   /* nothing changed, or all of it reverted */
	ATTEMPT_PHASE_REVERTED, /* by a later revert */
	ATTEMPT_PHASE_DENIED,   /* policy, a person, or the approval's time ran out */
	ATTEMPT_PHASE_UNKNOWN,  /* killed at a point that cannot be settled */
	_ATTEMPT_PHASE_MAX,
};
LOOKUP_DECLARE(attempt_phase, enum attempt_phase);
bool attempt_phase_is_final(enum attempt_phase p);

struct attempt {
	char key[STR_HEX128_MAX]; /* idempotency key; names the step unit */
	char action[RULE_NAME_MAX];
	struct params params;
	enum risk risk;
	enum attempt_phase phase;
	uint32_t dry_run, revertible; /* booleans */
	int32_t error;                /* negative errno when failed */
	char actor[64];               /* "agent", or the person's user name and uid */
	char text[RECORD_TEXT_MAX];   /* what happened, or why not */
};

enum verdict_result {
	VERDICT_IMPROVED,
	VERDICT_UNCHANGED,
	VERDICT_WORSE,
	VERDICT_INCONCLUSIVE,
	_VERDICT_MAX
};
LOOKUP_DECLARE(verdict_result, enum verdict_result);

struct verdict {
	enum verdict_result result;
	char signal[SIGNAL_NAME_MAX]; /* differs from the trigger's */
	double before, after;
	char text[RECORD_TEXT_MAX];
};

struct narrative {
	char message_id[STR_HEX128_MAX];
	int32_t priority; /* syslog(3) level */
	char text[1024];  /* one paragraph, one line */
};

struct record {
	uint64_t id; /* microseconds since the epoch, made unique: sortable and never repeated */
	uint64_t parent_id;   /* 0: none */
	uint64_t incident_id; /* 0: none; an incident's id is that of its first record */
	enum record_kind kind;
	uint64_t t_ns; /* CLOCK_BOOTTIME */
	uint64_t wall_us;
	struct entity entity;
	union {
		struct event event;
		struct incident incident;
		struct evidence evidence;
		struct diagnosis diagnosis;
		struct plan plan;
		struct decision decision;
		struct attempt attempt;
		struct verdict verdict;
		struct narrative narrative;
	};
};

/* Base32 (Crockford, lower case) of an id, 11 characters; people may give any unique ending of at
 * least 4. Returns buf. */
const char *record_id_format(uint64_t id, char buf[static RECORD_ID_MAX]);
/* Returns 0; -EINVAL. */
int record_id_parse(const char *s, uint64_t *ret) _warn_unused_;
#define RECORD_ID_SHORT 6 /* characters of the ending that tables show */

/* One JSON object, the caller owns *ret: id, kind, parent_id and incident_id (null for none),
 * time_usec and time, boot_ns, entity ("unit:x.service"), and under the kind's name an object with
 * every field of it ({"kind": "verdict", ..., "verdict": {"result": "improved", ...}}).
 * Returns 0; -ENOMEM. */
int record_to_json(const struct record *record, struct json_object **ret) _warn_unused_;

/* Checks everything a receiver must not trust: enum ranges, terminated strings, counts, finite
 * numbers. Returns 0; -EBADMSG naming the field. */
int record_check(const struct record *record, struct err *reterr) _warn_unused_;

/* The fact with this name, or NULL. */
const struct fact *evidence_find_fact(const struct evidence *e, const char *name);
/* Adds a fact. Returns 0; -ENOSPC for a full table, which is counted nowhere; -ENAMETOOLONG; -EINVAL
 * for a number that is not finite: nobody could say it. Texts are escaped, and cut to fit. */
int evidence_add_number(struct evidence *e, const char *name, double number);
int evidence_add_text(struct evidence *e, const char *name, const char *text);
