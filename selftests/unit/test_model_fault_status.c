/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/fault_status.h"

#define KEY "0123456789abcdef0123456789abcdef"

static struct fault_status some_status(void)
{
	struct fault_status s = {
		.key = KEY,
		.fault = "net.delay",
		.unit = "x.service",
		.params = "unit=x.service delay_ms=5",
		.requester = "root",
		.reverts = REVERTS_KERNEL,
		.error = -ENODATA,
		.text = "\"quoted\"",
		.duration_ns = 5 * NS_PER_S,
		.deadline_ns = 7,
	};

	fault_status_enter(&s, FAULT_STATE_PLANNED, 1000);
	fault_status_enter(&s, FAULT_STATE_STUCK, 3000);
	return s;
}

static int read_back(const char *text, struct fault_status *ret, struct err *err)
{
	return fault_status_from_text(text, strlen(text), ret, err);
}

static void comes_back_as_it_was_written(void **state)
{
	struct fault_status s = some_status(), back = { 0 };
	_cleanup_json_ struct json_object *o = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(fault_status_to_json(&s, &o), 0);
	assert_int_equal(read_back(json_object_to_json_string(o), &back, &err), 0);
	assert_memory_equal(&s, &back, sizeof(s));
	assert_false(fault_status_was_observed(&back));
}

static void keeps_the_first_time_of_a_state(void **state)
{
	struct fault_status s = some_status();

	(void)state;
	fault_status_enter(&s, FAULT_STATE_OBSERVED, 4000);
	fault_status_enter(&s, FAULT_STATE_REVERTING, 5000);
	fault_status_enter(&s, FAULT_STATE_OBSERVED, 6000);
	assert_int_equal(s.reached_us[FAULT_STATE_OBSERVED], 4000);
	assert_int_equal(s.state, FAULT_STATE_OBSERVED);
	assert_true(fault_status_was_observed(&s));
}

static void every_state_has_a_name_and_four_are_ends(void **state)
{
	unsigned ends = 0;

	(void)state;
	for (int i = 0; i < _FAULT_STATE_MAX; i++) {
		const char *name = fault_state_to_string((enum fault_state)i);

		assert_int_equal(fault_state_from_string(name), i);
		ends += fault_state_is_final((enum fault_state)i);
	}
	assert_int_equal(ends, 4);
	for (int i = 0; i < _REVERTS_MAX; i++)
		assert_int_equal(reverts_from_string(reverts_to_string((enum reverts)i)), i);
}

static void refuses_what_no_runner_writes(void **state)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{}",
		"{\"key\":\"" KEY "\"}",
		"{\"key\":1,\"fault\":\"\",\"unit\":\"\",\"params\":\"\",\"requester\":\"\","
		"\"text\":\"\",\"state\":\"armed\",\"reverts\":\"kernel\",\"error\":0,"
		"\"duration_ns\":0,\"deadline_boot_ns\":0}",
		"{\"key\":\"" KEY "\",\"fault\":\"\",\"unit\":\"\",\"params\":\"\","
		"\"requester\":\"\",\"text\":\"\",\"state\":\"perhaps\",\"reverts\":\"kernel\","
		"\"error\":0,\"duration_ns\":0,\"deadline_boot_ns\":0}",
		"{\"key\":\"" KEY "\",\"fault\":\"\",\"unit\":\"\",\"params\":\"\","
		"\"requester\":\"\",\"text\":\"\",\"state\":\"armed\",\"reverts\":\"kernel\","
		"\"error\":5,\"duration_ns\":0,\"deadline_boot_ns\":0}",
		"{\"key\":\"" KEY "\",\"fault\":\"\",\"unit\":\"\",\"params\":\"\","
		"\"requester\":\"\",\"text\":\"\",\"state\":\"armed\",\"reverts\":\"kernel\","
		"\"error\":0,\"duration_ns\":-1,\"deadline_boot_ns\":0}",
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		struct fault_status s = { 0 };
		struct err err = { 0 };

		if (read_back(texts[i], &s, &err) >= 0)
			fail_msg("took '%s'", texts[i]);
		assert_true(err.text[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_was_written),
		cmocka_unit_test(keeps_the_first_time_of_a_state),
		cmocka_unit_test(every_state_has_a_name_and_four_are_ends),
		cmocka_unit_test(refuses_what_no_runner_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
