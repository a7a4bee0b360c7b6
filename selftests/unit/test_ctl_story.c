/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/capture.o */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/str.h"
#include "ctl/approval.h"
#include "ctl/story.h"
#include "selftests/unit/capture.h"

static const struct ctl text_mode = { .legend = true };

static struct json_object *parse(const char *text)
{
	struct json_object *o = NULL;
	struct err err = { 0 };

	assert_int_equal(json_parse(text, strlen(text), &o, &err), 0);
	return o;
}

static void each_kind_of_record_is_one_sentence(void **state)
{
	static const struct {
		const char *json, *line;
	} cases[] = {
		{ "{\"kind\":\"event\",\"event\":{\"alert\":\"unit-failed\",\"cleared\":false,"
		  "\"text\":\"it failed\"}}",
		  "event      unit-failed fired: it failed\n" },
		{ "{\"kind\":\"event\",\"event\":{\"alert\":\"unit-failed\",\"cleared\":true,"
		  "\"text\":\"it is back\"}}",
		  "event      unit-failed cleared: it is back\n" },
		{ "{\"kind\":\"incident\",\"incident\":{\"state\":\"acting\",\"reason\":\"go\"}}",
		  "incident   acting: go\n" },
		{ "{\"kind\":\"plan\",\"plan\":{\"step\":{\"action\":\"unit.start\","
		  "\"params\":{\"unit\":\"x.service\"}},\"risk\":\"reversible\",\"autonomy\":\"auto\","
		  "\"verify_text\":\"it answers\",\"undo_text\":\"stop it\"}}",
		  "plan       unit.start unit=x.service (reversible, auto; verified by: it answers; "
		  "undo: stop it)\n" },
		{ "{\"kind\":\"decision\",\"decision\":{\"verdict\":\"deny\",\"by\":\"cooldown\","
		  "\"text\":\"too soon\"}}",
		  "decision   deny by cooldown: too soon\n" },
		{ "{\"kind\":\"attempt\",\"attempt\":{\"action\":\"unit.set_cpu_quota\",\"params\":"
		  "{\"unit\":\"x.service\",\"quota_pct\":20},\"phase\":\"done\",\"text\":\"\","
		  "\"actor\":\"alice (uid 1000)\"}}",
		  "attempt    unit.set_cpu_quota unit=x.service quota_pct=20: done "
		  "[by alice (uid 1000)]\n" },
		{ "{\"kind\":\"verdict\",\"verdict\":{\"result\":\"improved\",\"signal\":"
		  "\"endpoint.up_bool\",\"before\":0,\"after\":1,\"text\":\"for 5 s\"}}",
		  "verdict    improved, by endpoint.up_bool 0 -> 1: for 5 s\n" },
		{ "{\"kind\":\"verdict\",\"verdict\":{\"result\":\"improved\",\"signal\":"
		  "\"endpoint.up_bool\",\"before\":0,\"after\":1,\"text\":"
		  "\"endpoint.up_bool was 0, is 1\"}}",
		  "verdict    improved: endpoint.up_bool was 0, is 1\n" },
		{ "{\"kind\":\"narrative\",\"narrative\":{\"text\":\"It is well.\"}}",
		  "narrative  It is well.\n" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		_cleanup_json_ struct json_object *o = parse(cases[i].json);
		struct capture c;

		capture_begin(&c);
		story_print_record(&text_mode, o, "");
		capture_end(&c);
		assert_string_equal(c.out, cases[i].line);
	}
}

static void evidence_is_its_facts_and_what_they_do_not_say(void **state)
{
	_cleanup_json_ struct json_object *repeats = parse(
		"{\"kind\":\"evidence\",\"evidence\":{\"inspector\":\"endpoint\",\"source\":\"http\","
		"\"provenance\":\"probe\",\"facts\":{\"endpoint.latency_ms\":0.26064},"
		"\"text\":\"api endpoint.latency_ms=0.26064\"}}");
	_cleanup_json_ struct json_object *adds = parse(
		"{\"kind\":\"evidence\",\"evidence\":{\"inspector\":\"journal_tail\",\"source\":"
		"\"journal\",\"provenance\":\"untrusted\",\"facts\":{\"log.lines_count\":3},"
		"\"text\":\"\\u001b[2J it says\"}}");
	struct capture c;

	(void)state;
	capture_begin(&c);
	story_print_record(&text_mode, repeats, "  ");
	story_print_record(&text_mode, adds, "");
	capture_end(&c);
	assert_string_equal(c.out,
			    "  evidence   endpoint (http, probe): endpoint.latency_ms=0.261\n"
			    "evidence   journal_tail (journal, untrusted): log.lines_count=3; "
			    "\\x1b[2J it says\n");
}

static void a_diagnosis_has_what_was_ruled_out_below_it(void **state)
{
	_cleanup_json_ struct json_object *o = parse(
		"{\"kind\":\"diagnosis\",\"diagnosis\":{\"cause\":\"cpu-neighbour\",\"root\":"
		"\"unit:burner.service\",\"text\":\"it burns\",\"hypotheses\":["
		"{\"runbook\":\"cpu-neighbour\",\"score\":9,\"min_score\":6,\"excluded\":false,"
		"\"reason\":\"best\"},{\"runbook\":\"service-hangs\",\"score\":1,\"min_score\":7,"
		"\"excluded\":true,\"reason\":\"no task is stopped\"}]}}");
	_cleanup_json_ struct json_object *unknown = parse(
		"{\"kind\":\"diagnosis\",\"diagnosis\":{\"cause\":\"unknown\",\"root\":\"host\","
		"\"text\":\"nothing fits\",\"hypotheses\":[]}}");
	struct capture c;

	(void)state;
	capture_begin(&c);
	story_print_record(&text_mode, o, "");
	story_print_record(&text_mode, unknown, "");
	capture_end(&c);
	assert_string_equal(
		c.out, "diagnosis  cpu-neighbour (at fault: unit:burner.service): it burns\n"
		       "           cpu-neighbour: score 9 of 6, best\n"
		       "           service-hangs: score 1 of 7, ruled out: no task is stopped\n"
		       "diagnosis  unknown: nothing fits\n");
}

static void an_incident_has_a_head_and_a_timeline(void **state)
{
	_cleanup_json_ struct json_object *o = parse(
		"{\"incident\":{\"incident_id\":\"1k0yk8xv25z\",\"kind\":\"incident\",\"incident\":"
		"{\"title\":\"api is down\",\"state\":\"resolved\",\"cause\":\"service-crashed\","
		"\"opened_usec\":1769860830000000,\"detected_boot_ns\":5000000000,"
		"\"acted_boot_ns\":5250000000,\"healed_boot_ns\":12000000000}},\"records\":["
		"{\"kind\":\"narrative\",\"time_usec\":1769860831500000,\"narrative\":{\"text\":\"x\"}},"
		"{\"kind\":\"narrative\",\"time_usec\":1769860829000000,\"narrative\":{\"text\":\"y\"}}]}");
	struct capture c;

	(void)state;
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	tzset();
	capture_begin(&c);
	story_print_incident(&text_mode, o);
	capture_end(&c);
	assert_non_null(strstr(c.out, "api is down\n    Incident: 1k0yk8xv25z\n"
				      "       State: resolved\n       Cause: service-crashed\n"
				      "      Opened: Sat 2026-01-31 12:00:30 UTC ("));
	assert_non_null(strstr(c.out, "       Acted: 250 ms after it was detected\n"
				      "      Healed: 7.0 s after it was detected\n\n"
				      "   +1.50 s narrative  x\n   -1.00 s narrative  y\n"));
}

static void what_waits_is_told_with_its_parameters(void **state)
{
	_cleanup_json_ struct json_object *o = parse(
		"{\"action\":\"unit.kill\",\"params\":{\"unit\":\"x.service\",\"signal\":\"SIGTERM\"}}");
	char buf[128] = "";

	(void)state;
	assert_string_equal(approval_describe(o, buf, sizeof(buf)),
			    "unit.kill unit=x.service signal=SIGTERM");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_record_is_one_sentence),
		cmocka_unit_test(evidence_is_its_facts_and_what_they_do_not_say),
		cmocka_unit_test(a_diagnosis_has_what_was_ruled_out_below_it),
		cmocka_unit_test(an_incident_has_a_head_and_a_timeline),
		cmocka_unit_test(what_waits_is_told_with_its_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
