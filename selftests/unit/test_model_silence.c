/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "model/silence.h"
#include "selftests/unit/tree.h"

#define WHY       "by: alice\nreason: why\n"
#define ONCE      WHY "from: 2026-01-05T00:00:00Z\nuntil: 2026-01-05T02:00:00Z\n"
#define MONDAY_US UINT64_C(1767571200000000) /* 2026-01-05T00:00:00Z */
#define HOUR_US   UINT64_C(3600000000)

static struct silence parse(const char *text)
{
	struct silence s = { 0 };
	struct err err = { 0 };

	if (silence_parse("s.yaml", text, strlen(text), &s, &err) < 0)
		fail_msg("%s", err_text(&err));
	return s;
}

static void refuse(const char *text, const char *expected)
{
	struct silence s;
	struct err err = { 0 };

	assert_true(silence_parse("s.yaml", text, strlen(text), &s, &err) < 0);
	if (strncmp(err_text(&err), expected, strlen(expected)) != 0)
		fail_msg("got %s, expected %s", err_text(&err), expected);
}

static void a_silence_begins_and_ends(void **state)
{
	struct silence s = parse(ONCE);

	(void)state;
	assert_string_equal(s.by, "alice");
	assert_false(silence_is_on(&s, MONDAY_US - 1));
	assert_true(silence_is_on(&s, MONDAY_US));
	assert_true(silence_is_on(&s, MONDAY_US + 2 * HOUR_US - 1));
	assert_false(silence_is_on(&s, MONDAY_US + 2 * HOUR_US));
}

static void a_window_comes_each_week_and_goes_past_midnight(void **state)
{
	struct silence s = parse(WHY "days: [sun]\nat: \"23:00\"\nfor: 2h\n");
	uint64_t sunday_us = MONDAY_US + 6 * 24 * HOUR_US;

	(void)state;
	for (uint64_t week = 0; week < 3; week++) {
		uint64_t at_us = sunday_us + 23 * HOUR_US + week * 7 * 24 * HOUR_US;

		assert_false(silence_is_on(&s, at_us - 1));
		assert_true(silence_is_on(&s, at_us));
		assert_true(silence_is_on(&s, at_us + 2 * HOUR_US - 1));
		assert_false(silence_is_on(&s, at_us + 2 * HOUR_US));
		assert_false(silence_is_on(&s, at_us - 24 * HOUR_US));
	}
	s = parse(WHY "at: \"03:30\"\nfor: 30min\n");
	assert_true(silence_is_on(&s, MONDAY_US + 3 * HOUR_US + HOUR_US / 2));
	assert_true(silence_is_on(&s, sunday_us + 3 * HOUR_US + HOUR_US / 2));
}

static bool covers(const char *text, const char *alert, const char *unit)
{
	struct silence s = parse(text);
	const struct silences all = { 1, &s };
	const struct entity endpoint = entity_make(ENTITY_KIND_ENDPOINT, "web");
	const struct entity primary = entity_make(ENTITY_KIND_UNIT, unit);

	return silences_find(&all, alert, &endpoint, &primary, MONDAY_US) != NULL;
}

static void it_covers_what_it_names(void **state)
{
	(void)state;
	assert_true(covers(ONCE, "disk-full", "db.service"));
	assert_true(covers("alerts: [disk-*]\n" ONCE, "disk-full", "db.service"));
	assert_false(covers("alerts: [disk-*]\n" ONCE, "endpoint-down", "db.service"));
	assert_false(covers("alerts: [disk]\n" ONCE, "disk-full", "db.service"));
	assert_true(covers("of: unit:db.service\n" ONCE, "endpoint-down", "db.service"));
	assert_true(covers("of: endpoint:web\n" ONCE, "endpoint-down", "db.service"));
	assert_false(covers("of: unit:api.service\n" ONCE, "endpoint-down", "db.service"));
	assert_null(silences_find(NULL, "x", NULL, NULL, 0));
}

static void says_what_is_wrong_and_where(void **state)
{
	(void)state;
	refuse("reason: x\n", "s.yaml:1:1: 'by' is missing");
	refuse(WHY, "s.yaml:1:1: 'from' and 'until', or 'at' and 'for', are missing");
	refuse(WHY "from: now\nuntil: later\n", "s.yaml:3:7: 'from': expected a time");
	refuse(WHY "from: 2026-01-05T00:00:00Z\nuntil: 2026-02-05T00:00:00Z\n",
	       "s.yaml:4:8: 'until' is not within 30 days");
	refuse(WHY "from: 2026-01-05T00:00:00Z\nuntil: 2026-01-05T00:00:00Z\n", "s.yaml:4:8: ");
	refuse(ONCE "at: \"00:00\"\nfor: 1h\n", "s.yaml:1:1: either");
	refuse(WHY "at: \"25:00\"\nfor: 1h\n", "s.yaml:3:5: 'at': expected HH:MM");
	refuse(WHY "at: \"02:00\"\nfor: 25h\n", "s.yaml:4:6: 'for': expected a time up to 24h");
	refuse(WHY "at: \"02:00\"\nfor: 1h\ndays: [soon]\n", "s.yaml:5:8: expected mon");
	refuse("of: nothing\n" ONCE, "s.yaml:1:5: 'of': ");
	refuse("alerts: []\n" ONCE, "s.yaml:1:9: 'alerts' names none");
}

static void loads_what_is_there(void **state)
{
	_cleanup_(silences_done) struct silences all = { 0 };
	const struct tree *t = *state;
	struct err err = { 0 };

	tree_write(t, "etc/aiops/silences.d/new-disk.yaml", ONCE);
	assert_int_equal(silences_load(t->fd, &all, &err), 0);
	assert_int_equal(all.n, 1);
	assert_string_equal(all.v[0].name, "new-disk");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_silence_begins_and_ends),
		cmocka_unit_test(a_window_comes_each_week_and_goes_past_midnight),
		cmocka_unit_test(it_covers_what_it_names),
		cmocka_unit_test(says_what_is_wrong_and_where),
		cmocka_unit_test_setup_teardown(loads_what_is_there, tree_setup, tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
