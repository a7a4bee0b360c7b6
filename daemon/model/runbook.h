/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/action_info.h"
#include "model/alert.h"
#include "model/fault_info.h"
#include "model/record.h"

/* runbooks/NAME.md: Markdown for people, YAML front matter for the engine.
 *
 *   ---
 *   id: service-crashed
 *   title: A service was ended by a crash
 *   owner: aiops
 *   risk: reversible
 *   autonomy: auto
 *   match:
 *     alerts: [unit-failed, endpoint-down]
 *   when_not_to_use: ...                      # prose
 *   exclude:                                  # any that holds rules the runbook out
 *     - {inspector: unit_status, fact: unit.result, in: [success]}
 *   evidence:
 *     - {inspector: unit_status, fact: unit.result, in: [signal, core-dump, exit-code], weight: 3,
 *        required: true}
 *     - {inspector: proc_exit, fact: exit.signal, above: 0, weight: 2, against: 1}
 *   min_score: 4
 *   root: entity                              # or fact:NAME - a fact that names the unit at fault
 *   cause: "its main process was ended[ by signal {exit.signal}]"   # [] goes without its facts
 *   plan:                                     # alternatives, first that is allowed is tried first
 *     - {action: unit.start, params: {unit: "$root"}}
 *   verify: {signal: endpoint.up_bool, above: 0.5, settle_s: 2, sustain_s: 5, within_s: 30}
 *   invariants:
 *     - {signal: host.memory_available_ratio, above: 0.02}
 *   limits: {per_hour: 3, cooldown_s: 60}
 *   tests:
 *     - {fault: unit.kill, params: {signal: SIGKILL}}   # on a real machine: aiopsctl validate
 *     - name: a unit that ended well is left alone      # anywhere: aiopsctl runbooks test
 *       given:
 *         entity: unit:x.service
 *         facts: {unit.result: success, endpoint.up_bool: 0}
 *         root_facts: {}                              # for clauses with of_root
 *       expect: rejected                              # or matched
 *     - {name: as people say it, search: "..."}       # anywhere: finds this runbook first
 *   ---
 *
 * Without "match" it is for people alone: the engine never sees it, search finds it. Then there is no
 * exclude, evidence, min_score, root, cause, plan, verify, invariants or limits in the front matter, and
 * the text has the sections runbook_sections.
 */

#define RUNBOOKS_MAX           128
#define RUNBOOK_ALERTS_MAX     8
#define RUNBOOK_CLAUSES_MAX    16
#define RUNBOOK_VALUES_MAX     8
#define RUNBOOK_INVARIANTS_MAX 4
#define RUNBOOK_TESTS_MAX      8
#define RUNBOOK_BODY_MAX       (32 * 1024)

enum clause_test { CLAUSE_TEST_IN, CLAUSE_TEST_NOT_IN, CLAUSE_TEST_ABOVE, CLAUSE_TEST_BELOW };

struct clause {
	char inspector[RULE_NAME_MAX];
	char fact[SIGNAL_NAME_MAX];
	enum clause_test test;
	uint32_t n_values;
	char values[RUNBOOK_VALUES_MAX][64];
	double number;
	int32_t weight;    /* added when it holds, 0..10 */
	int32_t against;   /* taken away when the fact is there and it does not hold, 0..10 */
	uint32_t required; /* boolean: absent or false rules the runbook out */
	uint32_t of_root; /* boolean: collected about the root, after it is known, not the entity */
	unsigned line;
};

struct runbook_step {
	char action[RULE_NAME_MAX];
	uint32_t n_params;
	char names[PARAMS_MAX][PARAM_NAME_MAX];
	char values[PARAMS_MAX][PARAM_TEXT_MAX]; /* "$root", "$entity" or a literal */
	unsigned line;
};

struct expectation {
	char signal[SIGNAL_NAME_MAX];
	enum clause_test test; /* ABOVE or BELOW */
	enum alert_bound bound;
	double number;
};

struct runbook_verify {
	struct expectation
		expect; /* about the service's endpoint, unit or the host, by signal name */
	uint32_t settle_s, sustain_s, within_s;
};

enum runbook_expect {
	RUNBOOK_EXPECT_MATCHED,  /* the runbook reaches min_score and is not ruled out */
	RUNBOOK_EXPECT_REJECTED, /* it does not */
	_RUNBOOK_EXPECT_MAX,
};
LOOKUP_DECLARE(runbook_expect, enum runbook_expect);

/* Facts of a fixture. An unquoted number is a number, all else is text; provenance and source are
 * those of the clause that asks. */
struct runbook_given {
	struct entity entity;
	uint32_t n_facts, n_root_facts;
	struct fact facts[FACTS_MAX], root_facts[FACTS_MAX];
};

/* A fault to inject (fault is set), words that must find this runbook first (search is set), or a
 * fixture (neither). */
struct runbook_test {
	char name[160];
	char fault[RULE_NAME_MAX];
	char search[512];
	uint32_t n_params;
	char names[PARAMS_MAX][PARAM_NAME_MAX];
	char values[PARAMS_MAX][PARAM_TEXT_MAX];
	struct runbook_given given;
	enum runbook_expect expect;
	unsigned line;
};

struct runbook {
	char id[RULE_NAME_MAX], title[160], owner[64], when_not_to_use[RECORD_TEXT_MAX];
	enum risk risk;
	enum autonomy autonomy;
	uint32_t n_alerts, n_exclude, n_evidence, n_plan, n_invariants, n_tests;
	char alerts[RUNBOOK_ALERTS_MAX][RULE_NAME_MAX];
	struct clause exclude[RUNBOOK_CLAUSES_MAX], evidence[RUNBOOK_CLAUSES_MAX];
	int32_t min_score;
	char root_fact[SIGNAL_NAME_MAX]; /* "" : the entity itself */
	char cause[RECORD_TEXT_MAX];
	struct runbook_step plan[ALTERNATIVES_MAX];
	struct runbook_verify verify;
	struct expectation invariants[RUNBOOK_INVARIANTS_MAX];
	uint32_t per_hour, cooldown_s;
	struct runbook_test *tests; /* n_tests, at most RUNBOOK_TESTS_MAX */
	char path[512];
	char *body; /* the Markdown after the front matter */
};

/* The sections of a runbook for people, in this order; ends with NULL. */
extern const char *const runbook_sections[];

/* Whether it is for people alone. */
static inline bool runbook_is_guide(const struct runbook *r)
{
	return r->n_alerts == 0;
}

struct runbooks {
	uint32_t n;
	struct runbook *v;
};

/* Parses one file. Returns 0; -EINVAL with FILE:LINE:COLUMN and the reason. */
int runbook_parse(const char *file_name, const char *text, size_t length, struct runbook *ret,
		  struct err *reterr) _warn_unused_;
void runbook_done(struct runbook *r);

/* Loads every NAME.md of runbooks.d below root_fd. */
int runbooks_load(int root_fd, struct runbooks *ret, struct err *reterr) _warn_unused_;
void runbooks_done(struct runbooks *r);
/* Forgets those for people alone: what diagnoses has no use for their texts. */
void runbooks_drop_guides(struct runbooks *r);
const struct runbook *runbooks_find(const struct runbooks *r, const char *id);

/* The inspectors a runbook needs of the entity (of_root false) or of its root (true). */
bool runbook_needs_inspector(const struct runbook *r, const char *inspector, bool of_root);

/* An inspector as lint needs to know it; tables end with .name == NULL. */
struct inspector_info {
	const char *name;
	const struct signal_spec *facts; /* ends with .name == NULL */
};

/* What runbooks may name. A NULL table is not checked against. */
#define RUNBOOK_INSPECTOR_TABLES 2 /* the agent's and the recorder's */

struct runbook_names {
	const struct alerts *alerts;
	const struct action_info *actions;
	const struct fault_info *faults;
	const struct inspector_info *inspectors[RUNBOOK_INSPECTOR_TABLES];
	const struct signal_spec *signals; /* of the probes */
};

/* Checks that everything a parsed runbook names exists and fits: alerts, inspectors and their facts
 * (also those in the cause, the root and the fixtures), signals, actions and faults with their
 * parameters by their own specs; that its risk is not under its actions'; that the proof is not the
 * only trigger once more. "endpoint" and "signal" are the engine's own inspectors: their facts are
 * the probes' signals.
 * Returns 0; -EINVAL with FILE:LINE and the reason. */
int runbook_lint(const struct runbook *r, const struct runbook_names *names,
		 struct err *reterr) _warn_unused_;
