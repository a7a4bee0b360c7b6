/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/entity.h"

static void text_form_goes_there_and_back(void **state)
{
	static const char *const texts[] = {
		"host",           "unit:nginx.service", "endpoint:api-health",
		"process:42:991", "mount:/var/lib",     "unit:a\\x2db.mount"
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		struct entity e = { 0 };
		char buf[ENTITY_TEXT_MAX] = "";

		assert_int_equal(entity_parse(texts[i], &e, NULL), 0);
		assert_string_equal(entity_format(&e, buf), texts[i]);
	}
}

static void refuses_what_names_nothing(void **state)
{
	static const char *const texts[] = { "",
					     "nginx.service",
					     "unit:",
					     "unit:nginx",
					     "unit:../x.service",
					     "host:",
					     "host:x",
					     "endpoint:",
					     "endpoint:a\nb",
					     "endpoint:\x1b[2J",
					     "planet:mars",
					     "averyveryverylongkindofentity:x",
					     "UNIT:a.service" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		struct entity e = entity_make(ENTITY_KIND_CLOCK, "as before");
		struct err err = { 0 };

		assert_int_equal(entity_parse(texts[i], &e, &err), -EINVAL);
		assert_non_null(strstr(err_text(&err), "parse entity '"));
		assert_string_equal(e.name, "as before");
	}
}

static void refuses_a_name_that_does_not_fit(void **state)
{
	char text[ENTITY_NAME_MAX + 32] = "endpoint:";
	struct entity e = { 0 };

	(void)state;
	memset(text + 9, 'x', ENTITY_NAME_MAX - 1);
	assert_int_equal(entity_parse(text, &e, NULL), 0);
	text[9 + ENTITY_NAME_MAX - 1] = 'x';
	assert_int_equal(entity_parse(text, &e, NULL), -EINVAL);
}

static void a_receiver_checks_kind_and_end(void **state)
{
	struct entity e = entity_make(ENTITY_KIND_UNIT, "a.service");

	(void)state;
	assert_true(entity_is_valid(&e));
	e.kind = (enum entity_kind)_ENTITY_KIND_MAX;
	assert_false(entity_is_valid(&e));
	e.kind = (enum entity_kind) - 1;
	assert_false(entity_is_valid(&e));
	e = entity_make(ENTITY_KIND_HOST, "x");
	assert_false(entity_is_valid(&e));
	e = entity_make(ENTITY_KIND_ENDPOINT, "x");
	assert_true(entity_is_valid(&e));
	memset(e.name, 'x', sizeof(e.name));
	assert_false(entity_is_valid(&e));
}

static void format_of_garbage_stays_in_the_buffer(void **state)
{
	struct entity e = { .kind = (enum entity_kind)99 };
	char buf[ENTITY_TEXT_MAX] = "";

	(void)state;
	memset(e.name, 'x', sizeof(e.name));
	assert_int_equal(strlen(entity_format(&e, buf)), strlen("invalid:") + ENTITY_NAME_MAX - 1);
}

static void equal_needs_kind_and_name(void **state)
{
	const struct entity a = entity_make(ENTITY_KIND_ENDPOINT, "a");
	const struct entity b = entity_make(ENTITY_KIND_DATABASE, "a");
	const struct entity c = entity_make(ENTITY_KIND_ENDPOINT, "b");

	(void)state;
	assert_true(entity_equal(&a, &a));
	assert_false(entity_equal(&a, &b));
	assert_false(entity_equal(&a, &c));
}

static void every_kind_has_a_name(void **state)
{
	(void)state;
	for (unsigned k = 0; k < _ENTITY_KIND_MAX; k++)
		assert_int_equal(
			entity_kind_from_string(entity_kind_to_string((enum entity_kind)k)), k);
	assert_int_equal(entity_kind_from_string(NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_form_goes_there_and_back),
		cmocka_unit_test(refuses_what_names_nothing),
		cmocka_unit_test(refuses_a_name_that_does_not_fit),
		cmocka_unit_test(a_receiver_checks_kind_and_end),
		cmocka_unit_test(format_of_garbage_stays_in_the_buffer),
		cmocka_unit_test(equal_needs_kind_and_name),
		cmocka_unit_test(every_kind_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
