/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "selftests/target/app/env.h"

static void refuses(const char *text, const char *cause)
{
	struct env env;
	struct err err = { 0 };

	assert_int_equal(env_parse(".env", text, &env, &err), -EBADMSG);
	if (!strstr(err.text, cause))
		fail_msg("'%s' is not in '%s'", cause, err.text);
}

static void an_empty_file_has_no_database(void **state)
{
	struct env env;

	(void)state;
	assert_int_equal(env_parse(".env", "", &env, NULL), 0);
	assert_string_equal(env.db_host, "");
	assert_int_equal(env.port, 8080);
}

static void values_are_read_with_and_without_quotes(void **state)
{
	struct env env;

	(void)state;
	assert_int_equal(env_parse(".env",
				   "# a comment\n\nPORT=9\r\nDB_PASSWORD=\"a b=c#d\"\nDB_USER=u\n"
				   "DB_HOST=h\nDB_NAME=n\nMIGRATIONS_DIR=/m",
				   &env, NULL),
			 0);
	assert_int_equal(env.port, 9);
	assert_string_equal(env.db_password, "a b=c#d");
	assert_string_equal(env.db_user, "u");
	assert_string_equal(env.migrations_dir, "/m");
}

static void bad_lines_are_named_without_their_text(void **state)
{
	static const char *const texts[] = { "DB_PASSWORD",
					     "secret",
					     "=secret",
					     "DB_PASSWORDX=secret",
					     "DB_PASSWORD=\"secret",
					     "DB_PASSWORD=sec\"ret",
					     "DB_PASSWORD=",
					     "DB_PASSWORD=\x01secret",
					     " DB_PASSWORD=secret",
					     "PORT=secret" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		char text[64] = "PORT=1\n# fine\n";
		struct env env;
		struct err err = { 0 };

		(void)snprintf(text, sizeof(text), "BIND=::\n# fine\n%s\n", texts[i]);
		assert_int_equal(env_parse(".env", text, &env, &err), -EBADMSG);
		assert_ptr_equal(strstr(err.text, ".env:3: "), err.text);
		assert_null(strstr(err.text, "secret"));
	}
}

static void numbers_have_bounds(void **state)
{
	(void)state;
	refuses("PORT=65536", "'PORT' cannot have this value");
	refuses("DB_PORT=0", "'DB_PORT' cannot have this value");
	refuses("DB_POOL_MAX=33", "'DB_POOL_MAX' cannot have this value");
}

static void what_belongs_together_is_asked_for(void **state)
{
	(void)state;
	refuses("DB_HOST=h\n", "DB_HOST needs");
	refuses("RATES_URL=http://x\n", "RATES_URL needs CACHE_DIR");
	refuses("PORT=1\nPORT=1\n", "'PORT' stands there twice");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_has_no_database),
		cmocka_unit_test(values_are_read_with_and_without_quotes),
		cmocka_unit_test(bad_lines_are_named_without_their_text),
		cmocka_unit_test(numbers_have_bounds),
		cmocka_unit_test(what_belongs_together_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
