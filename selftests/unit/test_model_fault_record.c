/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/fault_record.h"

#define KEY   "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210"

static struct fault_record good_record(void)
{
	struct fault_record r = {
		.key = KEY,
		.fault = "net.delay",
		.requester = "root",
		.duration_ns = FAULT_DURATION_MIN_NS,
		.params = { .n = 1,
			    .v = { { .name = "unit",
				     .type = PARAM_TYPE_UNIT,
				     .text = "x.service" } } },
	};

	return r;
}

static void refuse(const struct fault_record *r, const char *text)
{
	struct err err = { 0 };

	assert_int_equal(fault_record_check(r, KEY, &err), -EBADMSG);
	if (!strstr(err_text(&err), text))
		fail_msg("expected '%s', got '%s'", text, err_text(&err));
}

static void takes_a_good_record_and_finds_its_unit(void **state)
{
	struct fault_record r = good_record();
	struct err err = { 0 };

	(void)state;
	assert_int_equal(fault_record_check(&r, KEY, &err), 0);
	assert_string_equal(fault_params_unit(&r.params), "x.service");
	r.duration_ns = FAULT_DURATION_MAX_NS;
	assert_int_equal(fault_record_check(&r, KEY, &err), 0);
	r.params.n = 0;
	assert_null(fault_params_unit(&r.params));
}

static void refuses_the_record_of_another_key(void **state)
{
	struct fault_record r = good_record();

	(void)state;
	memcpy(r.key, OTHER, sizeof(r.key));
	refuse(&r, "key");
	memset(r.key, 'g', sizeof(r.key));
	refuse(&r, "key");
}

static void refuses_durations_out_of_range(void **state)
{
	struct fault_record r = good_record();

	(void)state;
	r.duration_ns = FAULT_DURATION_MIN_NS - 1;
	refuse(&r, "duration");
	r.duration_ns = FAULT_DURATION_MAX_NS + 1;
	refuse(&r, "duration");
	r.duration_ns = UINT64_MAX;
	refuse(&r, "duration");
}

static void refuses_strings_without_an_end(void **state)
{
	struct fault_record r = good_record();

	(void)state;
	memset(r.fault, 'a', sizeof(r.fault));
	refuse(&r, "name");
	r = good_record();
	memset(r.requester, 'a', sizeof(r.requester));
	refuse(&r, "requester");
	r = good_record();
	r.requester[0] = '\x1b';
	refuse(&r, "requester");
	r = good_record();
	memset(r.params.v[0].text, 'a', sizeof(r.params.v[0].text));
	refuse(&r, "parameter 0");
	r = good_record();
	memset(r.params.v[0].name, 'a', sizeof(r.params.v[0].name));
	refuse(&r, "parameter 0");
}

static void refuses_counts_and_types_out_of_range(void **state)
{
	struct fault_record r = good_record();

	(void)state;
	r.params.n = PARAMS_MAX + 1;
	refuse(&r, "parameters");
	r = good_record();
	r.params.v[0].type = _PARAM_TYPE_MAX;
	refuse(&r, "parameter 0");
}

static void refuses_undo_state_that_is_too_long(void **state)
{
	static struct fault_undo u = { .key = KEY, .fault = "net.delay" };
	struct err err = { 0 };

	(void)state;
	u.state_size = FAULT_STATE_MAX;
	assert_int_equal(fault_undo_check(&u, KEY, &err), 0);
	u.state_size++;
	assert_int_equal(fault_undo_check(&u, KEY, &err), -EBADMSG);
	u.state_size = 0;
	assert_int_equal(fault_undo_check(&u, OTHER, &err), -EBADMSG);
	u.fault[0] = '\0';
	assert_int_equal(fault_undo_check(&u, KEY, &err), -EBADMSG);
}

static void names_files_after_the_key(void **state)
{
	char name[FAULT_FILE_NAME_MAX] = "";

	(void)state;
	assert_string_equal(fault_file_name(KEY, ".status", name), KEY ".status");
	assert_string_equal(fault_file_name(KEY, "", name), KEY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_good_record_and_finds_its_unit),
		cmocka_unit_test(refuses_the_record_of_another_key),
		cmocka_unit_test(refuses_durations_out_of_range),
		cmocka_unit_test(refuses_strings_without_an_end),
		cmocka_unit_test(refuses_counts_and_types_out_of_range),
		cmocka_unit_test(refuses_undo_state_that_is_too_long),
		cmocka_unit_test(names_files_after_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
