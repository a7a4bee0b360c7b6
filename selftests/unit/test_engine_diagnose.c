/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: gen/registry_rule.o */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/state.h"

static const struct entity unit = { ENTITY_KIND_UNIT, "x.service" };
static const struct entity other = { ENTITY_KIND_UNIT, "y.service" };

static struct item item(const char *inspector, enum source source, enum provenance provenance,
			const struct entity *entity)
{
	struct item i = { .entity = *entity };

	(void)str_copy(i.evidence.inspector, RULE_NAME_MAX, inspector);
	i.evidence.source = source;
	i.evidence.provenance = provenance;
	return i;
}

static struct item text_item(const char *inspector, enum source source, const char *fact,
			     const char *text)
{
	struct item i = item(inspector, source, PROVENANCE_SYSTEM, &unit);

	assert_int_equal(evidence_add_text(&i.evidence, fact, text), 0);
	return i;
}

static struct item number_item(const char *inspector, enum source source, const char *fact,
			       double number)
{
	struct item i = item(inspector, source, PROVENANCE_KERNEL, &unit);

	assert_int_equal(evidence_add_number(&i.evidence, fact, number), 0);
	return i;
}

static struct clause in(const char *inspector, const char *fact, const char *value, int weight)
{
	struct clause c = { .test = CLAUSE_TEST_IN, .n_values = 1, .weight = weight };

	(void)str_copy(c.inspector, sizeof(c.inspector), inspector);
	(void)str_copy(c.fact, sizeof(c.fact), fact);
	(void)str_copy(c.values[0], sizeof(c.values[0]), value);
	return c;
}

static struct clause above(const char *inspector, const char *fact, double number, int weight)
{
	struct clause c = { .test = CLAUSE_TEST_ABOVE, .number = number, .weight = weight };

	(void)str_copy(c.inspector, sizeof(c.inspector), inspector);
	(void)str_copy(c.fact, sizeof(c.fact), fact);
	return c;
}

/* result in [signal] weight 3, exit.signal above 0 weight 2; min_score 4 */
static struct runbook crash(void)
{
	struct runbook r = { .id = "crash", .n_evidence = 2, .min_score = 4 };

	r.evidence[0] = in("unit_status", "unit.result", "signal", 3);
	r.evidence[1] = above("unit_exits", "exit.signal", 0, 2);
	return r;
}

static void adds_the_weights_of_what_holds(void **state)
{
	struct runbook r = crash();
	struct item items[] = { text_item("unit_status", SOURCE_SYSTEMD, "unit.result", "signal"),
				number_item("unit_exits", SOURCE_BPF, "exit.signal", 9) };
	struct tally t;

	(void)state;
	diagnose_score(&r, items, 2, &unit, &t);
	assert_int_equal(t.hypothesis.score, 5);
	assert_int_equal(t.n_sources, 2);
	assert_int_equal(t.supports, 3);
	assert_false(t.hypothesis.excluded);
}

static void never_matches_an_untrusted_fact(void **state)
{
	struct runbook r = crash();
	struct item items[] = { text_item("unit_status", SOURCE_SYSTEMD, "unit.result", "signal"),
				number_item("unit_exits", SOURCE_BPF, "exit.signal", 9) };
	struct tally t;

	(void)state;
	items[1].evidence.provenance = PROVENANCE_UNTRUSTED;
	diagnose_score(&r, items, 2, &unit, &t);
	assert_int_equal(t.hypothesis.score, 3);
	assert_int_equal(t.n_sources, 1);
}

static void never_trusts_the_journal_whatever_it_calls_itself(void **state)
{
	struct evidence e = { .source = SOURCE_JOURNAL, .provenance = PROVENANCE_KERNEL };

	(void)state;
	assert_false(evidence_is_trusted(&e));
}

static void counts_two_items_of_one_source_once(void **state)
{
	struct runbook r = crash();
	struct item items[] = { text_item("unit_status", SOURCE_SYSTEMD, "unit.result", "signal"),
				number_item("unit_exits", SOURCE_SYSTEMD, "exit.signal", 9) };
	struct tally t;

	(void)state;
	diagnose_score(&r, items, 2, &unit, &t);
	assert_int_equal(t.hypothesis.score, 5);
	assert_int_equal(t.n_sources, 1);
}

static void does_not_count_what_is_about_another_unit(void **state)
{
	struct runbook r = crash();
	struct item items[] = { text_item("unit_status", SOURCE_SYSTEMD, "unit.result", "signal"),
				number_item("unit_exits", SOURCE_BPF, "exit.signal", 9) };
	struct tally t;

	(void)state;
	items[1].entity = other;
	diagnose_score(&r, items, 2, &unit, &t);
	assert_int_equal(t.hypothesis.score, 3);
	assert_int_equal(t.n_sources, 1);
}

static void does_not_take_a_fact_from_another_inspector(void **state)
{
	struct runbook r = crash();
	struct item items[] = { number_item("unit_status", SOURCE_BPF, "exit.signal", 9) };
	struct tally t;

	(void)state;
	diagnose_score(&r, items, 1, &unit, &t);
	assert_int_equal(t.hypothesis.score, 0);
}

static void subtracts_against_only_where_the_fact_is_there(void **state)
{
	struct runbook r = crash();
	struct item items[] = { text_item("unit_status", SOURCE_SYSTEMD, "unit.result", "signal"),
				number_item("unit_exits", SOURCE_BPF, "exit.signal", 0) };
	struct tally t;

	(void)state;
	r.evidence[1].against = 2;
	diagnose_score(&r, items, 1, &unit, &t);
	assert_int_equal(t.hypothesis.score, 3);
	diagnose_score(&r, items, 2, &unit, &t);
	assert_int_equal(t.hypothesis.score, 1);
	assert_int_equal(t.hypothesis.n_contradicts, 1);
}

static void rules_out_when_a_required_fact_is_missing_or_other(void **state)
{
	struct runbook r = crash();
	struct item items[] = { number_item("unit_exits", SOURCE_BPF, "exit.signal", 9),
				text_item("unit_status", SOURCE_SYSTEMD, "unit.result",
					  "success") };
	struct tally t;

	(void)state;
	r.evidence[0].required = true;
	diagnose_score(&r, items, 1, &unit, &t);
	assert_true(t.hypothesis.excluded);
	assert_false(t.dead); /* it may still come */
	diagnose_score(&r, items, 2, &unit, &t);
	assert_true(t.hypothesis.excluded);
	assert_true(t.dead);
	assert_string_equal(t.hypothesis.reason, "it needs another unit_status unit.result");
}

static void rules_out_when_an_exclusion_holds(void **state)
{
	struct runbook r = crash();
	struct item items[] = { text_item("unit_status", SOURCE_SYSTEMD, "unit.result", "signal"),
				number_item("unit_exits", SOURCE_BPF, "exit.signal", 9) };
	struct tally t;

	(void)state;
	r.n_exclude = 1;
	r.exclude[0] = in("unit_status", "unit.result", "signal", 0);
	diagnose_score(&r, items, 2, &unit, &t);
	assert_true(t.hypothesis.excluded);
	assert_true(t.dead);
}

static struct runbook neighbour(void)
{
	struct runbook r = {
		.id = "neighbour", .n_evidence = 2, .min_score = 3, .root_fact = "top.unit"
	};

	r.evidence[0] = above("top_cpu", "top.cpu_share_pct", 40, 2);
	r.evidence[1] = in("unit_status", "unit.active_state", "active", 1);
	r.evidence[1].of_root = true;
	return r;
}

static struct item top_item(const char *name)
{
	struct item i = number_item("top_cpu", SOURCE_CGROUP, "top.cpu_share_pct", 90);

	assert_int_equal(evidence_add_text(&i.evidence, "top.unit", name), 0);
	return i;
}

static void looks_at_the_root_that_a_fact_names(void **state)
{
	struct runbook r = neighbour();
	struct item items[] = { top_item("y.service"), text_item("unit_status", SOURCE_SYSTEMD,
								 "unit.active_state", "active") };
	struct tally t;

	(void)state;
	diagnose_score(&r, items, 2, &unit, &t);
	assert_int_equal(t.hypothesis.score, 2); /* the status is of the entity, not of the root */
	items[1].entity = other;
	diagnose_score(&r, items, 2, &unit, &t);
	assert_int_equal(t.hypothesis.score, 3);
	assert_int_equal(t.n_sources, 2);
	assert_string_equal(t.root.name, "y.service");
}

static void counts_no_source_about_the_entity_for_another_root(void **state)
{
	struct runbook r = neighbour();
	struct item items[] = { top_item("y.service"), text_item("unit_status", SOURCE_SYSTEMD,
								 "unit.active_state", "active") };
	struct tally t;

	(void)state;
	r.evidence[1].of_root = false;
	diagnose_score(&r, items, 2, &unit, &t);
	assert_int_equal(t.hypothesis.score, 3);
	assert_int_equal(t.n_sources, 1);
}

static void blames_nobody_for_being_its_own_neighbour(void **state)
{
	struct runbook r = neighbour();
	struct item items[] = { top_item("x.service") };
	struct tally t;

	(void)state;
	diagnose_score(&r, items, 1, &unit, &t);
	assert_true(t.hypothesis.excluded);
	assert_string_equal(t.hypothesis.reason, "no other unit is to blame");
}

static void blames_no_name_that_is_no_unit_or_is_untrusted(void **state)
{
	static const char *const bad[] = { "", "../etc/passwd", "y.service; reboot", "y",
					   "-.mount/" };
	struct runbook r = neighbour();
	struct entity root;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		struct item items[] = { top_item(bad[i]) };

		assert_false(diagnose_root(&r, items, 1, &unit, &root));
	}
	struct item items[] = { top_item("y.service") };
	assert_true(diagnose_root(&r, items, 1, &unit, &root));
	items[0].evidence.provenance = PROVENANCE_UNTRUSTED;
	assert_false(diagnose_root(&r, items, 1, &unit, &root));
}

static void compares_numbers_as_text_too(void **state)
{
	struct clause c = in("i", "f", "203", 1);
	struct fact f = { .type = FACT_TYPE_NUMBER, .number = 203 };

	(void)state;
	assert_true(diagnose_clause_holds(&c, &f));
	c.test = CLAUSE_TEST_NOT_IN;
	assert_false(diagnose_clause_holds(&c, &f));
}

static void holds_no_bound_on_text(void **state)
{
	struct clause c = above("i", "f", 0, 1);
	struct fact f = { .type = FACT_TYPE_TEXT, .text = "9" };

	(void)state;
	assert_false(diagnose_clause_holds(&c, &f));
	c.test = CLAUSE_TEST_BELOW;
	assert_false(diagnose_clause_holds(&c, &f));
}

static void survives_a_source_from_outside_the_enum(void **state)
{
	struct runbook r = crash();
	struct item items[] = { number_item("unit_exits", (enum source)77, "exit.signal", 9) };
	struct tally t;

	(void)state;
	diagnose_score(&r, items, 1, &unit, &t);
	assert_int_equal(t.n_sources, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_the_weights_of_what_holds),
		cmocka_unit_test(never_matches_an_untrusted_fact),
		cmocka_unit_test(never_trusts_the_journal_whatever_it_calls_itself),
		cmocka_unit_test(counts_two_items_of_one_source_once),
		cmocka_unit_test(does_not_count_what_is_about_another_unit),
		cmocka_unit_test(does_not_take_a_fact_from_another_inspector),
		cmocka_unit_test(subtracts_against_only_where_the_fact_is_there),
		cmocka_unit_test(rules_out_when_a_required_fact_is_missing_or_other),
		cmocka_unit_test(rules_out_when_an_exclusion_holds),
		cmocka_unit_test(looks_at_the_root_that_a_fact_names),
		cmocka_unit_test(counts_no_source_about_the_entity_for_another_root),
		cmocka_unit_test(blames_nobody_for_being_its_own_neighbour),
		cmocka_unit_test(blames_no_name_that_is_no_unit_or_is_untrusted),
		cmocka_unit_test(compares_numbers_as_text_too),
		cmocka_unit_test(holds_no_bound_on_text),
		cmocka_unit_test(survives_a_source_from_outside_the_enum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
