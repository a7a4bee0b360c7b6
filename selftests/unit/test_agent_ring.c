/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/agent/ring.o */
#include "agent/ring.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int setup(void **state)
{
	struct ring *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	assert_int_equal(ring_init(r, NULL), 0);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	ring_done(*state);
	free(*state);
	return 0;
}

static void add(struct ring *r, uint64_t first_id, uint64_t n)
{
	static struct record record;

	for (uint64_t i = 0; i < n; i++) {
		record.id = first_id + i;
		record.incident_id = 7;
		record.kind = i % 2 ? RECORD_KIND_INCIDENT : RECORD_KIND_EVENT;
		ring_add(r, &record);
	}
}

static void the_newest_comes_first_and_the_oldest_goes(void **state)
{
	struct ring *r = *state;

	assert_null(ring_recent(r, 0));
	add(r, 1, RING_RECORDS_MAX + 10);
	assert_int_equal(ring_recent(r, 0)->id, RING_RECORDS_MAX + 10);
	assert_int_equal(ring_recent(r, RING_RECORDS_MAX - 1)->id, 11);
	assert_null(ring_recent(r, RING_RECORDS_MAX));
}

static void what_the_recorder_missed_is_counted(void **state)
{
	struct ring *r = *state;

	add(r, 1, RING_RECORDS_MAX);
	assert_int_equal(r->n_lost, 0);
	add(r, 1000, 5);
	assert_int_equal(r->n_lost, 5);
	assert_int_equal(ring_next_unsent(r)->id, 6);
	for (unsigned i = 0; i < RING_RECORDS_MAX; i++) {
		assert_non_null(ring_next_unsent(r));
		ring_sent(r);
	}
	assert_null(ring_next_unsent(r));
	add(r, 2000, 1);
	assert_int_equal(ring_next_unsent(r)->id, 2000);
	assert_int_equal(r->n_lost, 5);
}

static void hands_over_again_what_may_have_been_lost(void **state)
{
	struct ring *r = *state;

	add(r, 1, 10);
	for (unsigned i = 0; i < 10; i++)
		ring_sent(r);
	ring_resend(r, 3);
	assert_int_equal(ring_next_unsent(r)->id, 8);
	ring_resend(r, 1000);
	assert_int_equal(ring_next_unsent(r)->id, 1);
	add(r, 11, RING_RECORDS_MAX);
	for (unsigned i = 0; i < RING_RECORDS_MAX; i++)
		ring_sent(r);
	ring_resend(r, 1000);
	assert_int_equal(ring_next_unsent(r)->id, 11); /* the oldest that is left */
}

static void finds_by_a_unique_ending(void **state)
{
	const struct record *record = NULL;
	struct ring *r = *state;

	add(r, 0x1000, 1);
	add(r, 0x2000, 1);
	add(r, 0x3001, 1);
	assert_int_equal(ring_find(r, 0x3001, UINT64_MAX, &record), 0);
	assert_int_equal(record->id, 0x3001);
	assert_int_equal(ring_find(r, 0x1, 0xfff, &record), 0);
	assert_int_equal(record->id, 0x3001);
	assert_int_equal(ring_find(r, 0x0, 0xfff, &record), -ENOTUNIQ);
	assert_int_equal(ring_find(r, 0x2, 0xfff, &record), -ENOENT);
}

static void finds_the_last_of_a_kind(void **state)
{
	struct ring *r = *state;

	add(r, 100, 6);
	assert_int_equal(ring_find_last(r, 7, RECORD_KIND_INCIDENT)->id, 105);
	assert_int_equal(ring_find_last(r, 7, RECORD_KIND_EVENT)->id, 104);
	assert_null(ring_find_last(r, 7, RECORD_KIND_PLAN));
	assert_null(ring_find_last(r, 8, RECORD_KIND_EVENT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_newest_comes_first_and_the_oldest_goes, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_the_recorder_missed_is_counted, setup,
						teardown),
		cmocka_unit_test_setup_teardown(hands_over_again_what_may_have_been_lost, setup,
						teardown),
		cmocka_unit_test_setup_teardown(finds_by_a_unique_ending, setup, teardown),
		cmocka_unit_test_setup_teardown(finds_the_last_of_a_kind, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
