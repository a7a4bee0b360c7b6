/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/record.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const char *const record_kind_names[] = {
	[RECORD_KIND_EVENT] = "event",         [RECORD_KIND_INCIDENT] = "incident",
	[RECORD_KIND_EVIDENCE] = "evidence",   [RECORD_KIND_DIAGNOSIS] = "diagnosis",
	[RECORD_KIND_PLAN] = "plan",           [RECORD_KIND_DECISION] = "decision",
	[RECORD_KIND_ATTEMPT] = "attempt",     [RECORD_KIND_VERDICT] = "verdict",
	[RECORD_KIND_NARRATIVE] = "narrative",
};
LOOKUP_DEFINE(record_kind, enum record_kind, record_kind_names);

static const char *const severity_names[] = {
	[SEVERITY_INFO] = "info",
	[SEVERITY_WARNING] = "warning",
	[SEVERITY_CRITICAL] = "critical",
};
LOOKUP_DEFINE(severity, enum severity, severity_names);

static const char *const risk_names[] = {
	[RISK_READ] = "read",
	[RISK_REVERSIBLE] = "reversible",
	[RISK_DISRUPTIVE] = "disruptive",
	[RISK_DESTRUCTIVE] = "destructive",
};
LOOKUP_DEFINE(risk, enum risk, risk_names);

static const char *const autonomy_names[] = {
	[AUTONOMY_OBSERVE] = "observe",
	[AUTONOMY_SUGGEST] = "suggest",
	[AUTONOMY_APPROVE] = "approve",
	[AUTONOMY_AUTO] = "auto",
};
LOOKUP_DEFINE(autonomy, enum autonomy, autonomy_names);

static const char *const incident_state_names[] = {
	[INCIDENT_STATE_OPEN] = "open",           [INCIDENT_STATE_DIAGNOSED] = "diagnosed",
	[INCIDENT_STATE_WAITING] = "waiting",     [INCIDENT_STATE_ACTING] = "acting",
	[INCIDENT_STATE_VERIFYING] = "verifying", [INCIDENT_STATE_REVERTING] = "reverting",
	[INCIDENT_STATE_ESCALATED] = "escalated", [INCIDENT_STATE_RESOLVED] = "resolved",
	[INCIDENT_STATE_CLEARED] = "cleared",
};
LOOKUP_DEFINE(incident_state, enum incident_state, incident_state_names);

static const char *const decision_verdict_names[] = {
	[DECISION_ALLOW] = "allow",
	[DECISION_ASK] = "ask",
	[DECISION_SUGGEST] = "suggest",
	[DECISION_DENY] = "deny",
};
LOOKUP_DEFINE(decision_verdict, enum decision_verdict, decision_verdict_names);

static const char *const attempt_phase_names[] = {
	[ATTEMPT_PHASE_PROPOSED] = "proposed", [ATTEMPT_PHASE_WAITING] = "waiting",
	[ATTEMPT_PHASE_STARTING] = "starting", [ATTEMPT_PHASE_CLAIMED] = "claimed",
	[ATTEMPT_PHASE_CHECKED] = "checked",   [ATTEMPT_PHASE_SNAPSHOT] = "snapshot",
	[ATTEMPT_PHASE_APPLIED] = "applied",   [ATTEMPT_PHASE_DONE] = "done",
	[ATTEMPT_PHASE_FAILED] = "failed",     [ATTEMPT_PHASE_REVERTED] = "reverted",
	[ATTEMPT_PHASE_DENIED] = "denied",     [ATTEMPT_PHASE_UNKNOWN] = "unknown",
};
LOOKUP_DEFINE(attempt_phase, enum attempt_phase, attempt_phase_names);

static const char *const verdict_result_names[] = {
	[VERDICT_IMPROVED] = "improved",
	[VERDICT_UNCHANGED] = "unchanged",
	[VERDICT_WORSE] = "worse",
	[VERDICT_INCONCLUSIVE] = "inconclusive",
};
LOOKUP_DEFINE(verdict_result, enum verdict_result, verdict_result_names);

bool incident_state_is_open(enum incident_state s)
{
	return s != INCIDENT_STATE_RESOLVED && s != INCIDENT_STATE_CLEARED;
}

bool attempt_phase_is_final(enum attempt_phase p)
{
	return p >= ATTEMPT_PHASE_DONE;
}

/* Crockford's alphabet has no i, l, o and u: nothing that a person misreads or must not say.
 * Source: https://www.crockford.com/base32.html */
static const char base32_digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

#define ID_DIGITS_MIN 11 /* 55 bits: microseconds until the year 3111 */
#define ID_DIGITS_MAX 13 /* 65 bits */

const char *record_id_format(uint64_t id, char buf[static RECORD_ID_MAX])
{
	char digits[ID_DIGITS_MAX] = "";
	size_t n = 0;

	do {
		digits[n++] = base32_digits[id & 31];
		id >>= 5;
	} while (id > 0 || n < ID_DIGITS_MIN);
	for (size_t i = 0; i < n; i++)
		buf[i] = digits[n - 1 - i];
	buf[n] = '\0';
	return buf;
}

/* The value of one digit as a person may write it, or -EINVAL. */
static int base32_value(char c)
{
	const char *at;

	if (c >= 'A' && c <= 'Z')
		c = (char)(c - 'A' + 'a');
	if (c == 'o')
		c = '0';
	if (c == 'i' || c == 'l')
		c = '1';
	at = c ? strchr(base32_digits, c) : NULL;
	return at ? (int)(at - base32_digits) : -EINVAL;
}

int record_id_parse(const char *s, uint64_t *ret)
{
	size_t n = strnlen(s, ID_DIGITS_MAX + 1);
	uint64_t id = 0;

	if (n < ID_DIGITS_MIN || n > ID_DIGITS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		int v = base32_value(s[i]);

		/* One spelling per id: no zeros in front of a long one, no bits lost. */
		if (v < 0 || id >> 59 != 0 || (i == 0 && v == 0 && n > ID_DIGITS_MIN))
			return -EINVAL;
		id = id << 5 | (uint64_t)v;
	}
	if (id == 0)
		return -EINVAL; /* stands for "none" */
	*ret = id;
	return 0;
}

const struct fact *evidence_find_fact(const struct evidence *e, const char *name)
{
	for (uint32_t i = 0; i < e->n_facts; i++)
		if (str_equal(e->facts[i].name, name))
			return &e->facts[i];
	return NULL;
}

static int add_fact(struct evidence *e, const char *name, struct fact **ret)
{
	struct fact *f;

	if (e->n_facts >= FACTS_MAX)
		return -ENOSPC;
	f = &e->facts[e->n_facts];
	*f = (struct fact){ 0 };
	if (str_copy(f->name, sizeof(f->name), name) < 0)
		return -ENAMETOOLONG;
	e->n_facts++;
	*ret = f;
	return 0;
}

int evidence_add_number(struct evidence *e, const char *name, double number)
{
	struct fact *f = NULL;
	int r = isfinite(number) ? add_fact(e, name, &f) : -EINVAL;

	if (r < 0)
		return r;
	f->type = FACT_TYPE_NUMBER;
	f->number = number;
	return 0;
}

int evidence_add_text(struct evidence *e, const char *name, const char *text)
{
	struct fact *f = NULL;
	int r = add_fact(e, name, &f);

	if (r < 0)
		return r;
	f->type = FACT_TYPE_TEXT;
	str_escape(f->text, sizeof(f->text), text);
	return 0;
}
