/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "model/record.h"

static void ids_go_there_and_back(void **state)
{
	static const uint64_t ids[] = {
		1, 31, 32, UINT64_C(1795449600123456), (1ULL << 55) - 1, 1ULL << 55, UINT64_MAX
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
		char text[RECORD_ID_MAX] = "";
		uint64_t id = 0;

		assert_int_equal(record_id_parse(record_id_format(ids[i], text), &id), 0);
		assert_true(id == ids[i]);
	}
}

static void ids_of_today_have_eleven_characters_and_sort(void **state)
{
	char first[RECORD_ID_MAX] = "", second[RECORD_ID_MAX] = "";

	(void)state;
	assert_int_equal(strlen(record_id_format(UINT64_C(1795449600123456), first)), 11);
	(void)record_id_format(UINT64_C(1795449600123457), second);
	assert_true(strcmp(first, second) < 0);
	assert_string_equal(record_id_format(1, first), "00000000001");
}

static void ids_forgive_what_people_misread(void **state)
{
	uint64_t id = 0;

	(void)state;
	assert_int_equal(record_id_parse("OOOOOOOOOlI", &id), 0);
	assert_int_equal(id, 33);
	assert_int_equal(record_id_parse("0000000000A", &id), 0);
	assert_int_equal(id, 10);
}

static void refuses_what_is_no_id(void **state)
{
	static const char *const texts[] = { "",
					     "1",
					     "0000000000",   /* ten characters */
					     "00000000000",  /* zero: none */
					     "000000000001", /* not the one spelling */
					     "0000000000u",  /* not in the alphabet */
					     "0000000000-",
					     "0000000000\xff",
					     "zzzzzzzzzzzzz",    /* over 64 bits */
					     "10000000000000" }; /* fourteen */
	uint64_t id = 7;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++)
		assert_int_equal(record_id_parse(texts[i], &id), -EINVAL);
	assert_int_equal(id, 7);
}

static void open_and_final_states_are_told_apart(void **state)
{
	(void)state;
	assert_true(incident_state_is_open(INCIDENT_STATE_OPEN));
	assert_true(incident_state_is_open(INCIDENT_STATE_ESCALATED));
	assert_false(incident_state_is_open(INCIDENT_STATE_RESOLVED));
	assert_false(incident_state_is_open(INCIDENT_STATE_CLEARED));
	assert_false(attempt_phase_is_final(ATTEMPT_PHASE_APPLIED));
	assert_true(attempt_phase_is_final(ATTEMPT_PHASE_DONE));
	assert_true(attempt_phase_is_final(ATTEMPT_PHASE_UNKNOWN));
}

#define ASSERT_NAMED(name, type, max)        \
	for (unsigned v = 0; v < (max); v++) \
	assert_int_equal(name##_from_string(name##_to_string((enum type)v)), v)

static void every_value_of_every_enum_has_a_name(void **state)
{
	(void)state;
	ASSERT_NAMED(record_kind, record_kind, _RECORD_KIND_MAX);
	ASSERT_NAMED(severity, severity, _SEVERITY_MAX);
	ASSERT_NAMED(risk, risk, _RISK_MAX);
	ASSERT_NAMED(autonomy, autonomy, _AUTONOMY_MAX);
	ASSERT_NAMED(incident_state, incident_state, _INCIDENT_STATE_MAX);
	ASSERT_NAMED(decision_verdict, decision_verdict, _DECISION_MAX);
	ASSERT_NAMED(attempt_phase, attempt_phase, _ATTEMPT_PHASE_MAX);
	ASSERT_NAMED(verdict_result, verdict_result, _VERDICT_MAX);
	ASSERT_NAMED(provenance, provenance, _PROVENANCE_MAX);
	ASSERT_NAMED(source, source, _SOURCE_MAX);
	assert_string_equal(severity_to_string((enum severity)99), "invalid");
}

static void facts_are_found_by_name(void **state)
{
	struct evidence e = { 0 };

	(void)state;
	assert_int_equal(evidence_add_number(&e, "unit.cpu_usage_pct", 97.1), 0);
	assert_int_equal(evidence_add_text(&e, "unit.result", "oom-kill"), 0);
	assert_true(evidence_find_fact(&e, "unit.cpu_usage_pct")->number == 97.1);
	assert_string_equal(evidence_find_fact(&e, "unit.result")->text, "oom-kill");
	assert_null(evidence_find_fact(&e, "unit.resul"));
}

static void a_full_table_of_facts_takes_no_more(void **state)
{
	struct evidence e = { 0 };

	(void)state;
	for (unsigned i = 0; i < FACTS_MAX; i++)
		assert_int_equal(evidence_add_number(&e, "x", i), 0);
	assert_int_equal(evidence_add_number(&e, "y", 1), -ENOSPC);
	assert_int_equal(evidence_add_text(&e, "y", "z"), -ENOSPC);
	assert_int_equal(e.n_facts, FACTS_MAX);
}

static void a_number_that_is_none_is_no_fact(void **state)
{
	struct evidence e = { 0 };

	(void)state;
	assert_int_equal(evidence_add_number(&e, "x", (double)NAN), -EINVAL);
	assert_int_equal(evidence_add_number(&e, "x", -(double)INFINITY), -EINVAL);
	assert_int_equal(e.n_facts, 0);
}

static void texts_of_facts_are_escaped_and_cut(void **state)
{
	struct evidence e = { 0 };
	char longer[300] = "";

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	assert_int_equal(evidence_add_text(&e, "a", "x\x1b[2J\n"), 0);
	assert_string_equal(e.facts[0].text, "x\\x1b[2J\\x0a");
	assert_int_equal(evidence_add_text(&e, "b", longer), 0);
	assert_int_equal(strlen(e.facts[1].text), sizeof(e.facts[1].text) - 1);
	assert_int_equal(evidence_add_text(&e, longer, "x"), -ENAMETOOLONG);
	assert_int_equal(e.n_facts, 2);
}

/* A valid record of each kind, to break one field at a time. */
static struct record make(enum record_kind kind)
{
	return (struct record){ .id = 1,
				.kind = kind,
				.entity = entity_make(ENTITY_KIND_UNIT, "a.service") };
}

static void a_zeroed_body_of_every_kind_is_valid(void **state)
{
	(void)state;
	for (unsigned k = 0; k < _RECORD_KIND_MAX; k++) {
		struct record r = make((enum record_kind)k);

		assert_int_equal(record_check(&r, NULL), 0);
	}
}

static void refuse(const struct record *r, const char *field)
{
	char expected[64] = "";
	struct err err = { 0 };

	str_append(expected, sizeof(expected), "record field '%s'", field);
	assert_int_equal(record_check(r, &err), -EBADMSG);
	assert_non_null(strstr(err_text(&err), expected));
}

static void checks_the_head(void **state)
{
	struct record r = make(RECORD_KIND_EVENT);

	(void)state;
	r.id = 0;
	refuse(&r, "id");
	r = make((enum record_kind)_RECORD_KIND_MAX);
	refuse(&r, "kind");
	r = make(RECORD_KIND_EVENT);
	r.entity.name[0] = '\0';
	refuse(&r, "entity");
}

static void checks_enums_booleans_and_numbers(void **state)
{
	struct record r = make(RECORD_KIND_EVENT);

	(void)state;
	r.event.severity = (enum severity)_SEVERITY_MAX;
	refuse(&r, "severity");
	r = make(RECORD_KIND_EVENT);
	r.event.cleared = 2;
	refuse(&r, "cleared");
	r = make(RECORD_KIND_EVENT);
	r.event.value = (double)NAN;
	refuse(&r, "value");
	r.event.value = (double)INFINITY;
	refuse(&r, "value");
	r = make(RECORD_KIND_EVENT);
	r.event.source = (enum source)99;
	refuse(&r, "source");
}

static void checks_that_texts_end(void **state)
{
	struct record r = make(RECORD_KIND_NARRATIVE);

	(void)state;
	memset(r.narrative.text, 'x', sizeof(r.narrative.text));
	refuse(&r, "text");
	r = make(RECORD_KIND_NARRATIVE);
	memset(r.narrative.message_id, 'g', sizeof(r.narrative.message_id) - 1);
	refuse(&r, "message_id");
	r = make(RECORD_KIND_ATTEMPT);
	memset(r.attempt.key, 'a', sizeof(r.attempt.key));
	refuse(&r, "key");
}

static void checks_facts(void **state)
{
	struct record r = make(RECORD_KIND_EVIDENCE);

	(void)state;
	r.evidence.n_facts = FACTS_MAX + 1;
	refuse(&r, "facts");
	r.evidence.n_facts = 1;
	r.evidence.facts[0].type = (enum fact_type)7;
	refuse(&r, "facts");
	r.evidence.facts[0] = (struct fact){ .number = (double)NAN };
	refuse(&r, "facts");
	r.evidence.facts[0] = (struct fact){ 0 };
	memset(r.evidence.facts[0].text, 'x', sizeof(r.evidence.facts[0].text));
	refuse(&r, "facts");
	r.evidence.n_facts = 0; /* what is not counted is not looked at */
	assert_int_equal(record_check(&r, NULL), 0);
}

static void checks_hypotheses_and_references(void **state)
{
	struct record r = make(RECORD_KIND_DIAGNOSIS);

	(void)state;
	r.diagnosis.n_hypotheses = HYPOTHESES_MAX + 1;
	refuse(&r, "hypotheses");
	r.diagnosis.n_hypotheses = 1;
	r.diagnosis.hypotheses[0].excluded = 3;
	refuse(&r, "excluded");
	r = make(RECORD_KIND_DIAGNOSIS);
	r.diagnosis.n_evidence = UINT32_MAX;
	refuse(&r, "evidence_ids");
	r = make(RECORD_KIND_DIAGNOSIS);
	r.diagnosis.root.kind = (enum entity_kind)99;
	refuse(&r, "root");
}

static void checks_parameters_also_inside_a_plan(void **state)
{
	struct record r = make(RECORD_KIND_PLAN);

	(void)state;
	r.plan.step.params.n = PARAMS_MAX + 1;
	refuse(&r, "params");
	r = make(RECORD_KIND_PLAN);
	r.plan.step.params.n = 1;
	r.plan.step.params.v[0].type = (enum param_type)9;
	refuse(&r, "params");
	r = make(RECORD_KIND_ATTEMPT);
	r.attempt.params.n = 1;
	memset(r.attempt.params.v[0].text, 'x', sizeof(r.attempt.params.v[0].text));
	refuse(&r, "params");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_go_there_and_back),
		cmocka_unit_test(ids_of_today_have_eleven_characters_and_sort),
		cmocka_unit_test(ids_forgive_what_people_misread),
		cmocka_unit_test(refuses_what_is_no_id),
		cmocka_unit_test(open_and_final_states_are_told_apart),
		cmocka_unit_test(every_value_of_every_enum_has_a_name),
		cmocka_unit_test(facts_are_found_by_name),
		cmocka_unit_test(a_full_table_of_facts_takes_no_more),
		cmocka_unit_test(a_number_that_is_none_is_no_fact),
		cmocka_unit_test(texts_of_facts_are_escaped_and_cut),
		cmocka_unit_test(a_zeroed_body_of_every_kind_is_valid),
		cmocka_unit_test(checks_the_head),
		cmocka_unit_test(checks_enums_booleans_and_numbers),
		cmocka_unit_test(checks_that_texts_end),
		cmocka_unit_test(checks_facts),
		cmocka_unit_test(checks_hypotheses_and_references),
		cmocka_unit_test(checks_parameters_also_inside_a_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
