/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/approval.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/str.h"

static int exit_of(const char *phase, int error, bool ran)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();

	assert_int_equal(json_add_string(o, "phase", phase), 0);
	assert_int_equal(json_add_i64(o, "error", error), 0);
	assert_int_equal(json_add_bool(o, "ran", ran), 0);
	return approval_exit(o);
}

static void what_is_done_or_was_so_before_is_0(void **state)
{
	(void)state;
	assert_int_equal(exit_of("done", 0, true), CTL_OK);
	assert_int_equal(exit_of("done", 0, false), CTL_OK); /* "nothing to do" */
	assert_int_equal(exit_of("reverted", 0, true), CTL_OK);
}

static void what_ran_and_did_not_hold_is_7(void **state)
{
	(void)state;
	assert_int_equal(exit_of("failed", -EIO, true), CTL_UNVERIFIED);
	assert_int_equal(exit_of("failed", -EPERM, true), CTL_UNVERIFIED);
	assert_int_equal(exit_of("unknown", -EINTR, false), CTL_UNVERIFIED);
}

static void what_changed_nothing_is_not_7(void **state)
{
	(void)state;
	assert_int_equal(exit_of("failed", -ENOENT, false), CTL_FAILED);
	assert_int_equal(exit_of("failed", -ETIMEDOUT, false), CTL_FAILED);
	assert_int_equal(exit_of("failed", -EPERM, false), CTL_REFUSED);
	assert_int_equal(exit_of("denied", -EPERM, false), CTL_REFUSED);
	assert_int_equal(exit_of("waiting", 0, false), CTL_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_done_or_was_so_before_is_0),
		cmocka_unit_test(what_ran_and_did_not_hold_is_7),
		cmocka_unit_test(what_changed_nothing_is_not_7),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
