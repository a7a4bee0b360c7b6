/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "executor/budget.h"

#define T0_NS (1000 * NS_PER_S)

static const struct policy_limits limits = { .per_entity_per_hour = 3,
					     .per_host_per_hour = 10,
					     .cooldown_s = 60,
					     .approval_s = 900 };

static const struct entity a = { .kind = ENTITY_KIND_UNIT, .name = "a.service" };

static struct entity unit_of(const char *name)
{
	return entity_make(ENTITY_KIND_UNIT, name);
}

static const char *refusal(const struct budget *b, const char *action, const char *unit,
			   uint64_t now_ns)
{
	struct entity on = unit_of(unit);
	const struct budget_wish wish = { action, 1000, &on };
	struct budget_refusal refusal = { 0 };

	return budget_check(b, &limits, &wish, now_ns, &refusal, NULL) < 0 ? refusal.by : "";
}

static void lets_an_action_cool_down_on_its_own_unit_only(void **state)
{
	struct budget *b = calloc(1, sizeof(*b));
	const struct budget_wish start = { "unit.start", 1000, &a },
				 slow = { "unit.start", 120000, &a };
	struct err err = { 0 };
	struct budget_refusal by = { 0 };

	(void)state;
	assert_non_null(b);
	budget_spend(b, "unit.start", &a, T0_NS);
	assert_int_equal(budget_check(b, &limits, &start, T0_NS + 20 * NS_PER_S, &by, &err),
			 -EDQUOT);
	assert_int_equal(by.retry_ns, 40 * NS_PER_S);
	assert_string_equal(err.text,
			    "unit.start on 'unit:a.service' cools down for another 40.0 s");
	assert_string_equal(refusal(b, "unit.restart", "a.service", T0_NS), "");
	assert_string_equal(refusal(b, "unit.start", "b.service", T0_NS), "");
	assert_string_equal(refusal(b, "unit.start", "a.service", T0_NS + 60 * NS_PER_S - 1),
			    "cooldown");
	assert_string_equal(refusal(b, "unit.start", "a.service", T0_NS + 60 * NS_PER_S), "");
	/* The longer of the policy's and the action's own. */
	assert_int_equal(budget_check(b, &limits, &slow, T0_NS + 61 * NS_PER_S, &by, NULL),
			 -EDQUOT);
	free(b);
}

static void counts_an_hour_for_each_unit_and_for_the_host(void **state)
{
	struct budget *b = calloc(1, sizeof(*b));
	uint64_t now_ns = T0_NS;

	(void)state;
	assert_non_null(b);
	for (unsigned i = 0; i < 3; i++, now_ns += 100 * NS_PER_S) {
		assert_string_equal(refusal(b, "unit.start", "a.service", now_ns), "");
		budget_spend(b, "unit.start", &a, now_ns);
	}
	assert_string_equal(refusal(b, "unit.restart", "a.service", now_ns), "budget-entity");
	for (struct entity on = unit_of("b.service"); on.name[0] <= 'h'; on.name[0]++)
		budget_spend(b, "unit.start", &on, now_ns);
	assert_int_equal(budget_count_hour(b, now_ns), 10);
	assert_string_equal(refusal(b, "unit.start", "z.service", now_ns), "budget-host");
	/* The first one is an hour old then. */
	assert_string_equal(refusal(b, "unit.start", "z.service", T0_NS + BUDGET_HOUR_NS - 1),
			    "budget-host");
	assert_string_equal(refusal(b, "unit.start", "z.service", T0_NS + BUDGET_HOUR_NS), "");
	assert_string_equal(refusal(b, "unit.start", "a.service", now_ns + BUDGET_HOUR_NS), "");
	free(b);
}

/* One each 21 minutes never uses up an hour's three; the day's window ends it. */
static void stops_in_a_day_what_each_hour_lets_pass(void **state)
{
	struct budget *b = calloc(1, sizeof(*b));
	uint64_t now_ns = T0_NS;
	unsigned n = 0;

	(void)state;
	assert_non_null(b);
	for (; !refusal(b, "unit.start", "a.service", now_ns)[0]; n++, now_ns += 1260 * NS_PER_S)
		budget_spend(b, "unit.start", &a, now_ns);
	assert_int_equal(n, 3 * BUDGET_DAY_FACTOR);
	assert_string_equal(refusal(b, "unit.start", "a.service", now_ns), "budget-entity");
	assert_string_equal(refusal(b, "unit.start", "b.service", now_ns), "");
	free(b);
}

static void stays_within_its_table_and_never_forgets_what_counts(void **state)
{
	static const struct policy_limits wide = { .per_entity_per_hour = 60,
						   .per_host_per_hour = 600 };
	struct budget *b = calloc(1, sizeof(*b));
	struct entity late = unit_of("late.service"), next = unit_of("next.service");
	struct budget_refusal by = { 0 };
	unsigned n = 0;

	(void)state;
	assert_non_null(b);
	for (uint64_t now_ns = T0_NS; n < 5000; n++, now_ns += 10 * NS_PER_S) {
		struct entity on = { .kind = ENTITY_KIND_UNIT };

		const struct budget_wish wish = { "unit.start", 0, &on };

		str_append(on.name, sizeof(on.name), "u%u.service", n);
		if (budget_check(b, &wide, &wish, now_ns, &by, NULL) < 0)
			break;
		budget_spend(b, "unit.start", &on, now_ns);
	}
	assert_int_equal(n, BUDGET_EVENTS_MAX);
	assert_string_equal(by.by, "budget-host");
	/* Spent in spite of that, it does not grow. */
	budget_spend(b, "unit.start", &late, T0_NS + 20000 * NS_PER_S);
	assert_int_equal(b->n, BUDGET_EVENTS_MAX);
	budget_spend(b, "unit.start", &next, T0_NS + 30000 * NS_PER_S + BUDGET_DAY_NS);
	assert_int_equal(b->n, 1);
	free(b);
}

/* As a crash loop would: 3 in this hour, each boot knowing those of the boots before. */
static void counts_over_reboots_by_the_wall_clock(void **state)
{
	static const char boot_id[] = "fedcba9876543210fedcba9876543210";
	struct budget *b = calloc(1, sizeof(*b));
	uint64_t wall_us = 1000000 * US_PER_S;

	(void)state;
	assert_non_null(b);
	for (unsigned i = 0; i < 3; i++) {
		/* Up for 80 s, done at 70 s; down for 40 s. */
		budget_carry_over(b, boot_id, 10 * NS_PER_S, wall_us + 10 * US_PER_S);
		assert_string_equal(refusal(b, "unit.start", "a.service", 70 * NS_PER_S), "");
		budget_spend(b, "unit.start", &a, 70 * NS_PER_S);
		b->saved_boot_ns = 70 * NS_PER_S;
		b->saved_wall_us = wall_us + 70 * US_PER_S;
		wall_us += 120 * US_PER_S;
	}
	budget_carry_over(b, boot_id, 10 * NS_PER_S, wall_us + 10 * US_PER_S);
	assert_string_equal(b->boot_id, boot_id);
	assert_string_equal(refusal(b, "unit.start", "a.service", 70 * NS_PER_S), "budget-entity");
	/* The first was done 410 s before this boot. */
	assert_string_equal(refusal(b, "unit.start", "a.service", 3310 * NS_PER_S - 1),
			    "budget-entity");
	assert_string_equal(refusal(b, "unit.start", "a.service", 3310 * NS_PER_S), "");
	free(b);
}

static void takes_no_time_for_passed_when_the_wall_clock_went_back(void **state)
{
	struct budget *b = calloc(1, sizeof(*b));

	(void)state;
	assert_non_null(b);
	budget_spend(b, "unit.start", &a, 5000 * NS_PER_S);
	b->saved_boot_ns = 5030 * NS_PER_S;
	b->saved_wall_us = 1000000 * US_PER_S;
	budget_carry_over(b, "0123456789abcdef0123456789abcdef", NS_PER_S, 7);
	assert_string_equal(refusal(b, "unit.start", "a.service", 30 * NS_PER_S), "cooldown");
	assert_string_equal(refusal(b, "unit.start", "a.service", 31 * NS_PER_S), "");
	free(b);
}

static void counts_one_action_on_whatever_it_is_done_to(void **state)
{
	static const struct policy_limits few = { .per_entity_per_hour = 60,
						  .per_host_per_hour = 600,
						  .per_action_per_hour = 2 };
	struct budget *b = calloc(1, sizeof(*b));
	struct entity first = unit_of("a.service"), second = unit_of("b.service"),
		      third = unit_of("c.service");
	const struct budget_wish start = { "unit.start", 0, &third },
				 stop = { "unit.stop", 0, &third };
	struct budget_refusal refusal = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_non_null(b);
	budget_spend(b, "unit.start", &first, T0_NS);
	budget_spend(b, "unit.start", &second, T0_NS + NS_PER_S);
	assert_int_equal(budget_check(b, &few, &start, T0_NS + 2 * NS_PER_S, &refusal, &err),
			 -EDQUOT);
	assert_string_equal(refusal.by, "budget-action");
	assert_int_equal(refusal.retry_ns, BUDGET_HOUR_NS - 2 * NS_PER_S);
	assert_string_equal(
		err.text, "2 of 2 actions on anything by unit.start within 1 h 0 min are used up");
	assert_int_equal(budget_check(b, &few, &stop, T0_NS + 2 * NS_PER_S, &refusal, NULL), 0);
	assert_int_equal(budget_check(b, &few, &start, T0_NS + BUDGET_HOUR_NS, &refusal, NULL), 0);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_one_action_on_whatever_it_is_done_to),
		cmocka_unit_test(lets_an_action_cool_down_on_its_own_unit_only),
		cmocka_unit_test(counts_an_hour_for_each_unit_and_for_the_host),
		cmocka_unit_test(stops_in_a_day_what_each_hour_lets_pass),
		cmocka_unit_test(counts_over_reboots_by_the_wall_clock),
		cmocka_unit_test(takes_no_time_for_passed_when_the_wall_clock_went_back),
		cmocka_unit_test(stays_within_its_table_and_never_forgets_what_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
