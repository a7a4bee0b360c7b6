/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sys/pgsession.h"

static void expect(const struct pg_session *s, int code, const char *text)
{
	struct err err = { 0 };

	assert_int_equal(pg_session_check(s, "shop", &err), code);
	assert_string_equal(err.text, text);
}

static void a_client_of_the_database_may_be_ended(void **state)
{
	(void)state;
	expect(&(struct pg_session){ .is_client = true, .role = "app", .database = "shop" }, 0, "");
}

static void what_the_server_needs_itself_may_not(void **state)
{
	(void)state;
	/* Also the one that prevents the wraparound. */
	expect(&(struct pg_session){ .kind = "autovacuum worker", .database = "shop" }, -EPERM,
	       "it is the server's own: autovacuum worker");
	/* Without pg_monitor the server hides what it is. */
	expect(&(struct pg_session){ .kind = "hidden", .database = "shop" }, -EPERM,
	       "it is the server's own: hidden");
}

static void a_superuser_and_a_replica_may_not(void **state)
{
	(void)state;
	expect(&(struct pg_session){ .is_client = true,
				     .is_privileged = true,
				     .role = "a\x1b[2J",
				     .database = "shop" },
	       -EPERM, "its role 'a\\x1b[2J' is a superuser or replicates");
}

static void a_session_of_another_database_may_not(void **state)
{
	(void)state;
	expect(&(struct pg_session){ .is_client = true, .role = "app", .database = "other" },
	       -EPERM, "it is in database 'other', not in 'shop'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_of_the_database_may_be_ended),
		cmocka_unit_test(what_the_server_needs_itself_may_not),
		cmocka_unit_test(a_superuser_and_a_replica_may_not),
		cmocka_unit_test(a_session_of_another_database_may_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
