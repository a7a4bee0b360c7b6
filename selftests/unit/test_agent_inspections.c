/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/agent/inspections.o */
#include "agent/inspections.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void ends_once(void **state)
{
	struct inspections all = { 0 };

	(void)state;
	assert_int_equal(inspections_begin(&all, 5, true, 0), 0);
	assert_true(inspections_take_item(&all, 5));
	assert_true(inspections_end(&all, 5));
	assert_false(inspections_end(&all, 5));
	assert_false(inspections_take_item(&all, 5)); /* too late */
	assert_false(inspections_take_item(&all, 6)); /* never asked */
	assert_false(inspections_take_item(&all, 0));
	assert_false(inspections_end(&all, 0));
}

static void knows_whom_it_asked_while_it_waits(void **state)
{
	struct inspections all = { 0 };

	(void)state;
	assert_int_equal(inspections_begin(&all, 5, true, 0), 0);
	assert_int_equal(inspections_begin(&all, 6, false, 0), 0);
	assert_true(inspections_is_own(&all, 5));
	assert_false(inspections_is_own(&all, 6));
	assert_false(inspections_is_own(&all, 7));
	assert_false(inspections_is_own(&all, 0)); /* of a free place */
	assert_true(inspections_end(&all, 5));
	assert_false(inspections_is_own(&all, 5));
}

static void takes_a_bounded_number_of_items(void **state)
{
	struct inspections all = { 0 };

	(void)state;
	assert_int_equal(inspections_begin(&all, 5, true, 0), 0);
	for (unsigned i = 0; i < INSPECTOR_ITEMS_MAX; i++)
		assert_true(inspections_take_item(&all, 5));
	assert_false(inspections_take_item(&all, 5));
}

static void refuses_more_than_it_can_hold(void **state)
{
	struct inspections all = { 0 };

	(void)state;
	for (uint64_t id = 1; id <= INSPECTIONS_MAX; id++)
		assert_int_equal(inspections_begin(&all, id, true, 0), 0);
	assert_int_equal(inspections_begin(&all, 1000, true, 0), -EBUSY);
	assert_true(inspections_end(&all, 17));
	assert_int_equal(inspections_begin(&all, 1000, true, 0), 0);
}

static void ends_by_its_deadline(void **state)
{
	struct inspections all = { 0 };

	(void)state;
	assert_true(inspections_next_ns(&all) == CLOCK_NEVER_NS);
	assert_int_equal(inspections_begin(&all, 5, true, 100), 0);
	assert_int_equal(inspections_begin(&all, 6, true, 200), 0);
	assert_int_equal(inspections_next_ns(&all), 100 + INSPECTION_DEADLINE_NS);
	assert_int_equal(inspections_expire(&all, 99 + INSPECTION_DEADLINE_NS), 0);
	assert_int_equal(inspections_expire(&all, 100 + INSPECTION_DEADLINE_NS), 5);
	assert_int_equal(inspections_expire(&all, 100 + INSPECTION_DEADLINE_NS), 0);
	assert_int_equal(inspections_expire(&all, 200 + INSPECTION_DEADLINE_NS), 6);
	assert_true(inspections_next_ns(&all) == CLOCK_NEVER_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_once),
		cmocka_unit_test(knows_whom_it_asked_while_it_waits),
		cmocka_unit_test(takes_a_bounded_number_of_items),
		cmocka_unit_test(refuses_more_than_it_can_hold),
		cmocka_unit_test(ends_by_its_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
