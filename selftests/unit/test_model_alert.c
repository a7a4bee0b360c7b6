/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "model/alert.h"
#include "selftests/unit/tree.h"

#define HEAD                                                                              \
	"id: slow\nsummary: it is slow\nseverity: warning\nsignal: endpoint.latency_ms\n" \
	"rule: threshold\nreason: why\nsource: where\n"

static struct alert parse(const char *text)
{
	struct alert a = { 0 };
	struct err err = { 0 };

	if (alert_parse("a.yaml", text, strlen(text), &a, &err) < 0)
		fail_msg("%s: %s", text, err_text(&err));
	return a;
}

static void refuse(const char *text, const char *expected)
{
	struct alert a = { .m = 77 };
	struct err err = { 0 };
	int r = alert_parse("a.yaml", text, strlen(text), &a, &err);

	if (r >= 0 || strncmp(err_text(&err), expected, strlen(expected)) != 0)
		fail_msg("%s: got %d, %s; expected %s", text, r, err_text(&err), expected);
	assert_int_equal(a.m, 77);
}

static void reads_every_field(void **state)
{
	struct alert a = parse(HEAD "above: 40.5\nclear_below_ratio: 0.8\nfor: 3\nof: 5\n"
				    "clear_for: 4\nmanaged_only: false\n");

	(void)state;
	assert_string_equal(a.id, "slow");
	assert_string_equal(a.summary, "it is slow");
	assert_int_equal(a.severity, SEVERITY_WARNING);
	assert_string_equal(a.signal, "endpoint.latency_ms");
	assert_string_equal(a.rule, "threshold");
	assert_int_equal(a.bound, ALERT_BOUND_NUMBER);
	assert_int_equal(a.below, 0);
	assert_true(a.threshold == 40.5);
	assert_true(a.clear_ratio == 0.8);
	assert_int_equal(a.m, 3);
	assert_int_equal(a.n, 5);
	assert_int_equal(a.clear_n, 4);
	assert_int_equal(a.managed_only, 0);
	assert_string_equal(a.reason, "why");
}

static void fills_defaults(void **state)
{
	struct alert a = parse(HEAD "below: 0.5\n");

	(void)state;
	assert_int_equal(a.below, 1);
	assert_true(a.clear_ratio == 1);
	assert_int_equal(a.m, 1);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.clear_n, 1);
	assert_int_equal(a.managed_only, 1);
	a = parse(HEAD "below: 0.5\nfor: 3\n");
	assert_int_equal(a.n, 3);
	assert_int_equal(a.clear_n, 3);
}

static void the_bound_may_be_the_services_own(void **state)
{
	struct alert a = parse(HEAD "above: service.slow_ms\n");

	(void)state;
	assert_int_equal(a.bound, ALERT_BOUND_SERVICE_SLOW_MS);
}

static void says_what_is_wrong_and_where(void **state)
{
	(void)state;
	refuse(HEAD, "a.yaml:1:1: 'above' or 'below' is missing");
	refuse(HEAD "above: 1\nbelow: 2\n", "a.yaml:9:8: 'above' and 'below' exclude each other");
	refuse(HEAD "above: much\n", "a.yaml:8:8: 'above' is 'much': expected a number");
	refuse(HEAD "above: '1'\n", "a.yaml:8:8: 'above' is '1': expected a number");
	refuse(HEAD "above: nan\n", "a.yaml:8:8: ");
	refuse(HEAD "above: 1e400\n", "a.yaml:8:8: ");
	refuse(HEAD "above: [1]\n", "a.yaml:8:8: ");
	refuse(HEAD "above: 1\nfor: 4\nof: 3\n", "a.yaml:9:6: 'for' is 4 of 3 samples");
	refuse(HEAD "above: 1\nof: 65\n", "a.yaml:9:5: 'of' is '65'");
	refuse(HEAD "above: 1\nclear_below_ratio: 1.5\n", "a.yaml:9:20: ");
	refuse(HEAD "above: 1\nclear_above_ratio: 1.5\n",
	       "a.yaml:9:20: 'clear_above_ratio' does not go with 'above'");
	refuse(HEAD "below: 1\nclear_below_ratio: 0.5\n",
	       "a.yaml:9:20: 'clear_below_ratio' does not go with 'below'");
	refuse(HEAD "above: 1\ntreshold: 1\n", "a.yaml:9:11: unknown key 'treshold'");
	refuse("id: Slow\n", "a.yaml:1:1: 'summary' is missing");
}

#define RULE(r) \
	"id: slow\nsummary: x\nseverity: info\nsignal: s\nreason: x\nsource: y\nrule: " r "\n"

static void each_rule_has_its_own_keys(void **state)
{
	struct alert a =
		parse(RULE("burn_rate") "below: 0.5\nover: 1h\nobjective: 0.999\nburn: 14.4\n");

	(void)state;
	assert_true(a.over_ns == UINT64_C(3600000000000));
	assert_true(a.objective == 0.999 && a.burn == 14.4);
	a = parse(RULE("forecast") "above: 1\nover: 6h\nwithin: 24h\nfrom: 0.6\n");
	assert_true(a.within_ns == 24 * UINT64_C(3600000000000) && a.from == 0.6);
	a = parse(RULE("anomaly") "above: 10\n");
	assert_true(a.z == 6 && a.m == 3 && a.n == 3);
	a = parse(RULE("absence") "over: 60s\n");
	assert_true(a.over_ns == UINT64_C(60000000000));
	refuse(RULE("rate") "above: 1\n", "a.yaml:7:7: rule 'rate' needs 'over'");
	refuse(RULE("rate") "above: 1\nover: 1h\nwithin: 2h\n",
	       "a.yaml:10:9: 'within' does not go with rule 'rate'");
	refuse(RULE("event") "above: 1\nover: 1h\n",
	       "a.yaml:9:7: 'over' does not go with rule 'event'");
	refuse(RULE("absence") "above: 1\nover: 60s\n",
	       "a.yaml:8:8: 'above' does not go with rule 'absence'");
	refuse(RULE("rate") "above: 1\nover: 0s\n", "a.yaml:9:7: 'over': expected a time");
	refuse(RULE("rate") "above: 1\nover: 169h\n", "a.yaml:9:7: 'over': expected a time");
	refuse(RULE("burst") "below: 1\nover: 1h\nfactor: 10\n",
	       "a.yaml:7:7: rule 'burst' needs 'above'");
	refuse(RULE("burn_rate") "below: 0.5\nover: 1h\nobjective: 1\nburn: 1\n", "a.yaml:10:12: ");
}

static void ids_are_lower_case_words(void **state)
{
	(void)state;
	refuse("id: Slow\nsummary: x\nseverity: info\nsignal: s\nrule: r\nabove: 1\nreason: x\n"
	       "source: y\n",
	       "a.yaml:1:5: 'Slow': expected lower-case letters");
	refuse("id: -x\nsummary: x\nseverity: info\nsignal: s\nrule: r\nabove: 1\nreason: x\n"
	       "source: y\n",
	       "a.yaml:1:5: ");
}

static void loads_and_finds_by_id(void **state)
{
	_cleanup_(alerts_done) struct alerts all = { 0 };
	const struct tree *t = *state;
	struct err err = { 0 };

	tree_write(t, "usr/lib/aiops/alerts.d/slow.yaml", HEAD "above: 1\n");
	assert_int_equal(alerts_load(t->fd, &all, &err), 0);
	assert_int_equal(all.n, 1);
	assert_non_null(alerts_find(&all, "slow"));
	assert_null(alerts_find(&all, "fast"));
}

static void the_id_is_the_files_name(void **state)
{
	const struct tree *t = *state;
	struct alerts all = { 0 };
	struct err err = { 0 };

	tree_write(t, "usr/lib/aiops/alerts.d/fast.yaml", HEAD "above: 1\n");
	assert_int_equal(alerts_load(t->fd, &all, &err), -EINVAL);
	assert_string_equal(err_text(&err), "/usr/lib/aiops/alerts.d/fast.yaml:1:1: id 'slow' is "
					    "not the file's name");
}

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_field),
		cmocka_unit_test(fills_defaults),
		cmocka_unit_test(the_bound_may_be_the_services_own),
		cmocka_unit_test(says_what_is_wrong_and_where),
		cmocka_unit_test(each_rule_has_its_own_keys),
		cmocka_unit_test(ids_are_lower_case_words),
		TREE_TEST(loads_and_finds_by_id),
		TREE_TEST(the_id_is_the_files_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
