/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/record_fields.h"

#define AT(s, m) .offset = offsetof(struct s, m), .size = sizeof(((struct s *)0)->m)

#define TEXT(s, m)                            \
	{                                     \
#m, FIELD_TYPE_TEXT, AT(s, m) \
	}
#define HEX128(s, m)                            \
	{                                       \
#m, FIELD_TYPE_HEX128, AT(s, m) \
	}
#define BOOL(s, m)                            \
	{                                     \
#m, FIELD_TYPE_BOOL, AT(s, m) \
	}
#define I32(s, m)                            \
	{                                    \
#m, FIELD_TYPE_I32, AT(s, m) \
	}
#define U32(s, m)                            \
	{                                    \
#m, FIELD_TYPE_U32, AT(s, m) \
	}
#define DOUBLE(s, m)                            \
	{                                       \
#m, FIELD_TYPE_DOUBLE, AT(s, m) \
	}
#define ENTITY(s, m)                            \
	{                                       \
#m, FIELD_TYPE_ENTITY, AT(s, m) \
	}
#define PARAMS(s, m)                            \
	{                                       \
#m, FIELD_TYPE_PARAMS, AT(s, m) \
	}
#define BOOT_NS(key, s, m)                        \
	{                                         \
		key, FIELD_TYPE_BOOT_NS, AT(s, m) \
	}
#define WALL_US(key, s, m)                        \
	{                                         \
		key, FIELD_TYPE_WALL_US, AT(s, m) \
	}
#define ENUM(s, m, names, n)                                                         \
	{                                                                            \
#m, FIELD_TYPE_ENUM, AT(s, m), .max = (n), .to_string = names##_name \
	}
#define ARRAY(t, s, m, count, n)                                                       \
	{                                                                              \
#m, t, AT(s, m), .count_offset = offsetof(struct s, count), .max = (n) \
	}
#define END                  \
	{                    \
		.name = NULL \
	}

/* The lookups take their own enum; the tables need one type. */
#define NAMER(names, type)                              \
	static const char *names##_name(unsigned v)     \
	{                                               \
		return names##_to_string((enum type)v); \
	}                                               \
	struct namer_needs_semicolon

NAMER(severity, severity);
NAMER(risk, risk);
NAMER(autonomy, autonomy);
NAMER(incident_state, incident_state);
NAMER(decision_verdict, decision_verdict);
NAMER(attempt_phase, attempt_phase);
NAMER(verdict_result, verdict_result);
NAMER(source, source);
NAMER(provenance, provenance);

static const struct field event_fields[] = {
	TEXT(event, alert),
	TEXT(event, signal),
	ENUM(event, severity, severity, _SEVERITY_MAX),
	BOOL(event, cleared),
	DOUBLE(event, value),
	DOUBLE(event, threshold),
	ENUM(event, source, source, _SOURCE_MAX),
	ENUM(event, provenance, provenance, _PROVENANCE_MAX),
	TEXT(event, text),
	END,
};

static const struct field incident_fields[] = {
	ENUM(incident, state, incident_state, _INCIDENT_STATE_MAX),
	ENUM(incident, severity, severity, _SEVERITY_MAX),
	TEXT(incident, service),
	TEXT(incident, cause),
	TEXT(incident, title),
	TEXT(incident, reason),
	WALL_US("opened", incident, opened_us),
	BOOT_NS("detected_boot_ns", incident, detected_ns),
	BOOT_NS("acted_boot_ns", incident, acted_ns),
	BOOT_NS("healed_boot_ns", incident, healed_ns),
	U32(incident, n_events),
	U32(incident, n_attempts),
	END,
};

static const struct field evidence_fields[] = {
	TEXT(evidence, inspector),
	ENUM(evidence, source, source, _SOURCE_MAX),
	ENUM(evidence, provenance, provenance, _PROVENANCE_MAX),
	ARRAY(FIELD_TYPE_FACTS, evidence, facts, n_facts, FACTS_MAX),
	TEXT(evidence, text),
	END,
};

static const struct field diagnosis_fields[] = {
	TEXT(diagnosis, cause),
	TEXT(diagnosis, text),
	ENTITY(diagnosis, root),
	U32(diagnosis, n_sources),
	ARRAY(FIELD_TYPE_HYPOTHESES, diagnosis, hypotheses, n_hypotheses, HYPOTHESES_MAX),
	ARRAY(FIELD_TYPE_IDS, diagnosis, evidence_ids, n_evidence, EVIDENCE_REFS_MAX),
	END,
};

static const struct field plan_fields[] = {
	TEXT(plan, runbook),
	ENUM(plan, autonomy, autonomy, _AUTONOMY_MAX),
	ENUM(plan, risk, risk, _RISK_MAX),
	U32(plan, alternative),
	{ "step", FIELD_TYPE_STEP, AT(plan, step) },
	TEXT(plan, verify_text),
	TEXT(plan, undo_text),
	END,
};

static const struct field decision_fields[] = {
	ENUM(decision, verdict, decision_verdict, _DECISION_MAX),
	TEXT(decision, by),
	TEXT(decision, text),
	END,
};

static const struct field attempt_fields[] = {
	HEX128(attempt, key),
	TEXT(attempt, action),
	PARAMS(attempt, params),
	ENUM(attempt, risk, risk, _RISK_MAX),
	ENUM(attempt, phase, attempt_phase, _ATTEMPT_PHASE_MAX),
	BOOL(attempt, dry_run),
	BOOL(attempt, revertible),
	I32(attempt, error),
	TEXT(attempt, actor),
	TEXT(attempt, text),
	END,
};

static const struct field verdict_fields[] = {
	ENUM(verdict, result, verdict_result, _VERDICT_MAX),
	TEXT(verdict, signal),
	DOUBLE(verdict, before),
	DOUBLE(verdict, after),
	TEXT(verdict, text),
	END,
};

static const struct field narrative_fields[] = {
	HEX128(narrative, message_id),
	I32(narrative, priority),
	TEXT(narrative, text),
	END,
};

const struct field hypothesis_fields[] = {
	TEXT(hypothesis, runbook),      I32(hypothesis, score),
	I32(hypothesis, min_score),     U32(hypothesis, n_supports),
	U32(hypothesis, n_contradicts), BOOL(hypothesis, excluded),
	TEXT(hypothesis, reason),       END,
};

const struct field plan_step_fields[] = {
	TEXT(plan_step, action),
	PARAMS(plan_step, params),
	END,
};

const struct field *record_fields(enum record_kind kind)
{
	static const struct field *const tables[] = {
		[RECORD_KIND_EVENT] = event_fields,
		[RECORD_KIND_INCIDENT] = incident_fields,
		[RECORD_KIND_EVIDENCE] = evidence_fields,
		[RECORD_KIND_DIAGNOSIS] = diagnosis_fields,
		[RECORD_KIND_PLAN] = plan_fields,
		[RECORD_KIND_DECISION] = decision_fields,
		[RECORD_KIND_ATTEMPT] = attempt_fields,
		[RECORD_KIND_VERDICT] = verdict_fields,
		[RECORD_KIND_NARRATIVE] = narrative_fields,
	};
	_Static_assert(ELEMENTSOF(tables) == _RECORD_KIND_MAX, "each kind has a table");

	return (unsigned)kind < _RECORD_KIND_MAX ? tables[kind] : NULL;
}
