/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: gen/registry_rule.o */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/state.h"

static struct item items[4];
static struct slot slot;

static int setup(void **state)
{
	(void)state;
	memset(items, 0, sizeof(items));
	memset(&slot, 0, sizeof(slot));
	slot.entity = entity_make(ENTITY_KIND_UNIT, "x.service");
	slot.root = entity_make(ENTITY_KIND_UNIT, "y.service");
	slot.items = items;
	slot.n_items = 1;
	items[0].entity = slot.entity;
	items[0].evidence.source = SOURCE_SYSTEMD;
	items[0].evidence.provenance = PROVENANCE_SYSTEM;
	(void)evidence_add_text(&items[0].evidence, "unit.result", "signal");
	(void)evidence_add_number(&items[0].evidence, "unit.exit_signal", 9);
	(void)evidence_add_number(&items[0].evidence, "unit.exit_code", 0);
	(void)evidence_add_number(&items[0].evidence, "pressure.cpu_some_pct", 88.25);
	return 0;
}

static const char *fill(const char *format)
{
	static char buf[RECORD_TEXT_MAX];

	narrate_template(buf, sizeof(buf), format, &slot);
	return buf;
}

static void fills_in_facts_and_names(void **state)
{
	(void)state;
	assert_string_equal(fill("{entity} by {root}: {unit.result} {unit.exit_signal} "
				 "{pressure.cpu_some_pct} %"),
			    "x.service by y.service: signal 9 88.2 %");
}

static void drops_an_optional_part_without_its_fact(void **state)
{
	(void)state;
	assert_string_equal(fill("ended[ by signal {unit.exit_signal}][ with code {unit.exit_code}]"
				 "[ at {no.such}]."),
			    "ended by signal 9.");
}

static void says_so_when_a_fact_is_missing(void **state)
{
	(void)state;
	assert_string_equal(fill("by {no.such}"), "by ?");
}

static void takes_no_fact_from_untrusted_text(void **state)
{
	(void)state;
	items[0].evidence.provenance = PROVENANCE_UNTRUSTED;
	assert_string_equal(fill("{unit.result}"), "?");
}

static void survives_broken_templates(void **state)
{
	char long_one[2048];

	(void)state;
	assert_string_equal(fill("a {unit.result b"), "a {unit.result b");
	assert_string_equal(fill("a ] b [ c"), "a  b  c");
	assert_string_equal(fill("{}"), "?");
	memset(long_one, 'a', sizeof(long_one));
	long_one[0] = '{';
	long_one[sizeof(long_one) - 2] = '}';
	long_one[sizeof(long_one) - 1] = '\0';
	(void)fill(long_one);
	long_one[0] = '[';
	(void)fill(long_one);
}

static void escapes_what_a_fact_says(void **state)
{
	(void)state;
	(void)evidence_add_text(&items[0].evidence, "exit.comm", "a\n\x1b[2Jb");
	assert_string_equal(fill("{exit.comm}"), "a\\x0a\\x1b[2Jb");
}

static void quotes_untrusted_text_and_names_it_so(void **state)
{
	char buf[160];

	(void)state;
	narrate_untrusted(buf, sizeof(buf), &slot);
	assert_string_equal(buf, "");
	items[0].evidence.source = SOURCE_JOURNAL;
	(void)str_copy(items[0].evidence.text, RECORD_TEXT_MAX, "say \"restart\"\n");
	narrate_untrusted(buf, sizeof(buf), &slot);
	assert_string_equal(buf, " Its log says (untrusted): \"say 'restart'\\x0a\"");
}

static void lists_facts_with_their_sources(void **state)
{
	char buf[RECORD_TEXT_MAX];

	(void)state;
	items[1] = items[0];
	items[1].entity = slot.root;
	items[1].evidence.source = SOURCE_BPF;
	items[1].evidence.n_facts = 1;
	slot.n_items = 2;
	narrate_evidence(buf, sizeof(buf), &slot, NULL);
	assert_string_equal(buf, "systemd unit.result=signal unit.exit_signal=9 unit.exit_code=0; "
				 "bpf unit.result=signal (of y.service)");
}

static void leaves_out_whole_items_where_room_ends(void **state)
{
	char buf[80];

	(void)state;
	items[1] = items[0];
	items[1].evidence.source = SOURCE_BPF;
	slot.n_items = 2;
	narrate_evidence(buf, sizeof(buf), &slot, NULL);
	assert_string_equal(buf,
			    "systemd unit.result=signal unit.exit_signal=9 unit.exit_code=0; ...");
}

static void says_when_nothing_was_measured(void **state)
{
	char buf[RECORD_TEXT_MAX];

	(void)state;
	slot.n_items = 0;
	narrate_evidence(buf, sizeof(buf), &slot, NULL);
	assert_string_equal(buf, "nothing could be measured");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(fills_in_facts_and_names, setup),
		cmocka_unit_test_setup(drops_an_optional_part_without_its_fact, setup),
		cmocka_unit_test_setup(says_so_when_a_fact_is_missing, setup),
		cmocka_unit_test_setup(takes_no_fact_from_untrusted_text, setup),
		cmocka_unit_test_setup(survives_broken_templates, setup),
		cmocka_unit_test_setup(escapes_what_a_fact_says, setup),
		cmocka_unit_test_setup(quotes_untrusted_text_and_names_it_so, setup),
		cmocka_unit_test_setup(lists_facts_with_their_sources, setup),
		cmocka_unit_test_setup(leaves_out_whole_items_where_room_ends, setup),
		cmocka_unit_test_setup(says_when_nothing_was_measured, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
