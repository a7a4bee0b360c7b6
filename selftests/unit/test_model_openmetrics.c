/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/openmetrics.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_family(const char *signal, const char *name, const char *unit, double value,
			 double scaled)
{
	struct metric_family m = { 0 };

	assert_int_equal(openmetrics_family(signal, &m), 0);
	assert_string_equal(m.name, name);
	assert_string_equal(m.unit, unit);
	assert_true(fabs(value * m.scale - scaled) < 1e-12);
}

static void units_become_base_units(void **state)
{
	(void)state;
	check_family("endpoint.latency_ms", "aiops_endpoint_latency_seconds", "seconds", 12, 0.012);
	check_family("unit.runq_latency_p99_us", "aiops_unit_runq_latency_p99_seconds", "seconds",
		     5, 5e-6);
	check_family("unit.cpu_usage_pct", "aiops_unit_cpu_usage_ratio", "ratio", 50, 0.5);
	check_family("unit.memory_bytes", "aiops_unit_memory_bytes", "bytes", 7, 7);
	check_family("unit.pids_count", "aiops_unit_pids", "", 7, 7);
	check_family("unit.active_bool", "aiops_unit_active", "", 1, 1);
	check_family("unit.io_read_bytes_per_s", "aiops_unit_io_read_bytes_per_second", "", 7, 7);
}

static void the_same_number_has_node_exporters_name(void **state)
{
	(void)state;
	check_family("host.load1", "node_load1", "", 0.5, 0.5);
}

static void events_processes_and_sessions_are_not_exported(void **state)
{
	struct metric_family m;
	bool exported = true;

	(void)state;
	assert_int_equal(openmetrics_family("unit.exit_event", &m), -ENOENT);
	(void)openmetrics_label(ENTITY_KIND_PROCESS, &exported);
	assert_false(exported);
	(void)openmetrics_label(ENTITY_KIND_SESSION, &exported);
	assert_false(exported);
	assert_null(openmetrics_label(ENTITY_KIND_HOST, &exported));
	assert_true(exported);
	assert_string_equal(openmetrics_label(ENTITY_KIND_UNIT, &exported), "unit");
}

static char *text_of(bool modern)
{
	const struct metric_family gauge = { "a_seconds", METRIC_TYPE_GAUGE, "seconds", 0.001 };
	const struct metric_family counter = { "b", METRIC_TYPE_COUNTER, "", 1 };
	char *text = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&text, &length);

	assert_non_null(f);
	openmetrics_head(f, modern, &gauge, "what \"it\" is\nand\\is not");
	openmetrics_sample(f, &gauge, "unit", "a\"b\\c\n\xff.service", 1500);
	openmetrics_head(f, modern, &counter, "how many");
	openmetrics_sample(f, &counter, NULL, NULL, 3);
	openmetrics_end(f, modern);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void the_text_is_openmetrics(void **state)
{
	char *text = text_of(true);

	(void)state;
	assert_string_equal(text, "# HELP a_seconds what \\\"it\\\" is\\\\x0aand\\\\is not\n"
				  "# TYPE a_seconds gauge\n"
				  "# UNIT a_seconds seconds\n"
				  "a_seconds{unit=\"a\\\"b\\\\c\\\\x0a\\\\xff.service\"} 1.5\n"
				  "# HELP b how many\n"
				  "# TYPE b counter\n"
				  "b_total 3\n"
				  "# EOF\n");
	free(text);
}

static void the_older_text_names_the_total_and_has_no_end(void **state)
{
	char *text = text_of(false);

	(void)state;
	assert_non_null(strstr(text, "# TYPE b_total counter\nb_total 3\n"));
	assert_null(strstr(text, "UNIT"));
	assert_null(strstr(text, "EOF"));
	free(text);
}

static void the_scraper_says_which(void **state)
{
	(void)state;
	assert_true(openmetrics_is_asked_for("application/openmetrics-text;version=1.0.0;q=0.5"));
	assert_false(openmetrics_is_asked_for("text/plain"));
	assert_false(openmetrics_is_asked_for(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_become_base_units),
		cmocka_unit_test(the_same_number_has_node_exporters_name),
		cmocka_unit_test(events_processes_and_sessions_are_not_exported),
		cmocka_unit_test(the_text_is_openmetrics),
		cmocka_unit_test(the_older_text_names_the_total_and_has_no_end),
		cmocka_unit_test(the_scraper_says_which),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
