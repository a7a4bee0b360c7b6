/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/handover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const theirs[] = { "/action/", "/v1/actions", "/v1/mode", NULL };

static enum handover_owner owner_of(const char *line)
{
	return handover_owner_of(theirs, line, strlen(line));
}

static void the_path_says_whose_a_request_is(void **state)
{
	(void)state;
	assert_int_equal(owner_of("POST /action/restart-api HTTP/1.1\r\n"), HANDOVER_OWNER_OTHER);
	assert_int_equal(owner_of("GET /v1/actions HTTP/1.1\r\n"), HANDOVER_OWNER_OTHER);
	assert_int_equal(owner_of("GET /v1/actions?x=1 HTTP/1.1\r\n"), HANDOVER_OWNER_OTHER);
	assert_int_equal(owner_of("GET /v1/signals HTTP/1.1\r\n"), HANDOVER_OWNER_US);
	assert_int_equal(owner_of("GET /v1/acti HTTP/1.1\r\n"), HANDOVER_OWNER_US);
	assert_int_equal(owner_of("GET /x/action/restart-api HTTP/1.1\r\n"), HANDOVER_OWNER_US);
	assert_int_equal(owner_of("GET  /action/restart-api HTTP/1.1\r\n"), HANDOVER_OWNER_US);
}

static void a_path_that_may_become_either_is_waited_for(void **state)
{
	static const char request[] = "DELETE /v1/actions/x HTTP/1.1";
	size_t known = strlen("DELETE /v1/actions");

	(void)state;
	for (size_t n = 0; n < strlen(request); n++)
		assert_int_equal(handover_owner_of(theirs, request, n),
				 n < known ? HANDOVER_OWNER_UNKNOWN : HANDOVER_OWNER_OTHER);
}

static void what_is_never_a_request_is_not_waited_for(void **state)
{
	char line[HANDOVER_LINE_MAX];

	(void)state;
	memset(line, 'A', sizeof(line));
	assert_int_equal(handover_owner_of(theirs, line, sizeof(line) - 1), HANDOVER_OWNER_UNKNOWN);
	assert_int_equal(handover_owner_of(theirs, line, sizeof(line)), HANDOVER_OWNER_US);
	/* The path begins with the last byte that is looked at. */
	line[sizeof(line) - 2] = ' ';
	line[sizeof(line) - 1] = '/';
	assert_int_equal(handover_owner_of(theirs, line, sizeof(line)), HANDOVER_OWNER_US);
}

static void a_nul_in_the_path_is_no_end_of_it(void **state)
{
	(void)state;
	assert_int_equal(handover_owner_of(theirs, "GET /v1\0/actions ", 17), HANDOVER_OWNER_US);
	assert_int_equal(handover_owner_of(theirs, "GET \0", 5), HANDOVER_OWNER_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_path_says_whose_a_request_is),
		cmocka_unit_test(a_path_that_may_become_either_is_waited_for),
		cmocka_unit_test(what_is_never_a_request_is_not_waited_for),
		cmocka_unit_test(a_nul_in_the_path_is_no_end_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
