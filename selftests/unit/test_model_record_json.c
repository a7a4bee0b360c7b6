/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "model/record.h"

static struct record make(enum record_kind kind)
{
	return (struct record){ .id = 33,
				.parent_id = 32,
				.kind = kind,
				.t_ns = 5,
				.wall_us = 1,
				.entity = entity_make(ENTITY_KIND_UNIT, "a.service") };
}

#define HEAD(kind)                                                                       \
	"{\"id\":\"00000000011\",\"kind\":\"" kind "\",\"parent_id\":\"00000000010\","   \
	"\"incident_id\":null,\"time_usec\":1,\"time\":\"1970-01-01T00:00:00.000001Z\"," \
	"\"boot_ns\":5,\"entity\":\"unit:a.service\",\"" kind "\":"

static void assert_json(const struct record *r, const char *expected)
{
	_cleanup_json_ struct json_object *o = NULL;

	assert_int_equal(record_to_json(r, &o), 0);
	assert_string_equal(json_object_to_json_string_ext(
				    o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
			    expected);
}

static void writes_an_event(void **state)
{
	struct record r = make(RECORD_KIND_EVENT);

	(void)state;
	(void)str_copy(r.event.alert, sizeof(r.event.alert), "endpoint-slow");
	(void)str_copy(r.event.signal, sizeof(r.event.signal), "endpoint.latency_ms");
	r.event.severity = SEVERITY_WARNING;
	r.event.value = 812.5;
	r.event.threshold = 250;
	r.event.source = SOURCE_HTTP;
	r.event.provenance = PROVENANCE_PROBE;
	assert_json(&r, HEAD("event") "{\"alert\":\"endpoint-slow\",\"signal\":\"endpoint."
				      "latency_ms\",\"severity\":\"warning\",\"cleared\":false,"
				      "\"value\":812.5,\"threshold\":250,\"source\":\"http\","
				      "\"provenance\":\"probe\",\"text\":\"\"}}");
}

static void writes_an_incident_with_times_it_has(void **state)
{
	struct record r = make(RECORD_KIND_INCIDENT);

	(void)state;
	r.incident.state = INCIDENT_STATE_ACTING;
	r.incident.severity = SEVERITY_CRITICAL;
	r.incident.opened_us = 2;
	r.incident.detected_ns = 7;
	r.incident.n_events = 3;
	assert_json(&r,
		    HEAD("incident") "{\"state\":\"acting\",\"severity\":\"critical\",\"service\":"
				     "\"\",\"cause\":\"\",\"title\":\"\",\"reason\":\"\","
				     "\"opened_usec\":2,\"opened\":\"1970-01-01T00:00:00.000002Z\","
				     "\"detected_boot_ns\":7,\"acted_boot_ns\":null,"
				     "\"healed_boot_ns\":null,\"n_events\":3,\"n_attempts\":0}}");
}

static void writes_facts_by_name(void **state)
{
	struct record r = make(RECORD_KIND_EVIDENCE);

	(void)state;
	(void)str_copy(r.evidence.inspector, sizeof(r.evidence.inspector), "unit_status");
	r.evidence.source = SOURCE_SYSTEMD;
	r.evidence.provenance = PROVENANCE_SYSTEM;
	assert_int_equal(evidence_add_text(&r.evidence, "unit.result", "signal"), 0);
	assert_int_equal(evidence_add_number(&r.evidence, "unit.exit_signal", 9), 0);
	assert_json(&r, HEAD("evidence") "{\"inspector\":\"unit_status\",\"source\":\"systemd\","
					 "\"provenance\":\"system\",\"text\":\"\",\"facts\":{"
					 "\"unit.result\":\"signal\",\"unit.exit_signal\":9}}}");
}

static void writes_hypotheses_and_their_evidence(void **state)
{
	struct record r = make(RECORD_KIND_DIAGNOSIS);

	(void)state;
	(void)str_copy(r.diagnosis.cause, sizeof(r.diagnosis.cause), "service-crashed");
	r.diagnosis.root = r.entity;
	r.diagnosis.n_sources = 2;
	r.diagnosis.n_hypotheses = 1;
	r.diagnosis.hypotheses[0] =
		(struct hypothesis){ .runbook = "service-crashed", .score = -3, .min_score = 5 };
	r.diagnosis.n_evidence = 1;
	r.diagnosis.evidence_ids[0] = 34;
	assert_json(&r, HEAD("diagnosis") "{\"cause\":\"service-crashed\",\"text\":\"\",\"root\":"
					  "\"unit:a.service\",\"n_sources\":2,\"hypotheses\":[{"
					  "\"runbook\":\"service-crashed\",\"score\":-3,"
					  "\"min_score\":5,\"n_supports\":0,\"n_contradicts\":0,"
					  "\"excluded\":false,\"reason\":\"\"}],"
					  "\"evidence_ids\":[\"00000000012\"]}}");
}

static struct params some_params(void)
{
	return (struct params){
		.n = 3,
		.v = { { .name = "unit", .type = PARAM_TYPE_UNIT, .text = "a.service" },
		       { .name = "quota_pct", .integer = 20, .text = "20" },
		       { .name = "delay",
			 .type = PARAM_TYPE_SPAN,
			 .integer = 250000000,
			 .text = "250ms" } }
	};
}

#define SOME_PARAMS "{\"unit\":\"a.service\",\"quota_pct\":20,\"delay\":\"250ms\"}"

static void writes_a_plan_with_its_step(void **state)
{
	struct record r = make(RECORD_KIND_PLAN);

	(void)state;
	r.plan.autonomy = AUTONOMY_AUTO;
	r.plan.risk = RISK_REVERSIBLE;
	(void)str_copy(r.plan.step.action, sizeof(r.plan.step.action), "unit.set_cpu_quota");
	r.plan.step.params = some_params();
	assert_json(&r,
		    HEAD("plan") "{\"runbook\":\"\",\"autonomy\":\"auto\",\"risk\":"
				 "\"reversible\",\"alternative\":0,\"verify_text\":\"\","
				 "\"undo_text\":\"\",\"step\":{\"action\":\"unit.set_cpu_quota\""
				 ",\"params\":" SOME_PARAMS "}}}");
}

static void writes_decision_attempt_verdict_and_narrative(void **state)
{
	struct record r = make(RECORD_KIND_DECISION);

	(void)state;
	r.decision.verdict = DECISION_ASK;
	assert_json(&r, HEAD("decision") "{\"verdict\":\"ask\",\"by\":\"\",\"text\":\"\"}}");
	r = make(RECORD_KIND_ATTEMPT);
	r.attempt.params = some_params();
	r.attempt.phase = ATTEMPT_PHASE_FAILED;
	r.attempt.error = -EPERM;
	r.attempt.revertible = true;
	assert_json(&r, HEAD("attempt") "{\"key\":\"\",\"action\":\"\",\"params\":" SOME_PARAMS
					",\"risk\":\"read\",\"phase\":\"failed\",\"dry_run\":false,"
					"\"revertible\":true,\"error\":-1,\"actor\":\"\","
					"\"text\":\"\"}}");
	r = make(RECORD_KIND_VERDICT);
	r.verdict.result = VERDICT_IMPROVED;
	r.verdict.after = 1;
	assert_json(&r, HEAD("verdict") "{\"result\":\"improved\",\"signal\":\"\",\"before\":0,"
					"\"after\":1,\"text\":\"\"}}");
	r = make(RECORD_KIND_NARRATIVE);
	r.narrative.priority = 5;
	assert_json(&r, HEAD("narrative") "{\"message_id\":\"\",\"priority\":5,\"text\":\"\"}}");
}

static void text_of_others_is_escaped(void **state)
{
	struct record r = make(RECORD_KIND_NARRATIVE);

	(void)state;
	(void)str_copy(r.narrative.text, sizeof(r.narrative.text), "\"a\"\n\x1b[2J\xff");
	assert_json(&r, HEAD("narrative") "{\"message_id\":\"\",\"priority\":0,\"text\":"
					  "\"\\\"a\\\"\\\\x0a\\\\x1b[2J\\\\xff\"}}");
}

static void what_it_writes_its_own_parser_reads(void **state)
{
	(void)state;
	for (unsigned k = 0; k < _RECORD_KIND_MAX; k++) {
		_cleanup_json_ struct json_object *o = NULL;
		_cleanup_json_ struct json_object *back = NULL;
		struct record r = make((enum record_kind)k);
		struct err err = { 0 };
		const char *text;

		assert_int_equal(record_to_json(&r, &o), 0);
		text = json_object_to_json_string(o);
		assert_int_equal(json_parse(text, strlen(text), &back, &err), 0);
		assert_true(json_object_object_get_ex(
			back, record_kind_to_string((enum record_kind)k), NULL));
	}
}

/* Larger than what a receiver lets pass, but still no reason to read out of bounds. */
static void a_count_out_of_range_is_held_to_the_array(void **state)
{
	struct record r = make(RECORD_KIND_EVIDENCE);
	_cleanup_json_ struct json_object *o = NULL;

	(void)state;
	r.evidence.n_facts = UINT32_MAX;
	assert_int_equal(record_to_json(&r, &o), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_an_event),
		cmocka_unit_test(writes_an_incident_with_times_it_has),
		cmocka_unit_test(writes_facts_by_name),
		cmocka_unit_test(writes_hypotheses_and_their_evidence),
		cmocka_unit_test(writes_a_plan_with_its_step),
		cmocka_unit_test(writes_decision_attempt_verdict_and_narrative),
		cmocka_unit_test(text_of_others_is_escaped),
		cmocka_unit_test(what_it_writes_its_own_parser_reads),
		cmocka_unit_test(a_count_out_of_range_is_held_to_the_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
