/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "model/action_info.h"

static struct service both[] = { { .name = "api", .unit = "api.service" },
				 { .name = "web", .container = "web-1" } };
static const struct services services = { .n = 2, .v = both };

static struct params params_of(enum param_type type, const char *text)
{
	struct params p = { .n = 1, .v = { { .name = "what", .type = type } } };

	(void)str_copy(p.v[0].text, sizeof(p.v[0].text), text);
	return p;
}

static void expect(enum param_type type, const char *text, const char *expected)
{
	const struct params p = params_of(type, text);
	char found[ENTITY_TEXT_MAX];
	struct entity e = { 0 };
	struct err err = { 0 };

	if (action_entity("what", &p, &services, &e, &err) < 0)
		fail_msg("%s: %s", text, err_text(&err));
	assert_string_equal(entity_format(&e, found), expected);
}

static void a_service_is_its_unit_or_its_container(void **state)
{
	(void)state;
	expect(PARAM_TYPE_UNIT, "api.service", "unit:api.service");
	expect(PARAM_TYPE_SERVICE, "api", "unit:api.service");
	expect(PARAM_TYPE_CONTAINER, "web-1", "container:web-1");
	expect(PARAM_TYPE_SERVICE, "web", "container:web-1");
}

static void without_a_target_it_is_the_host(void **state)
{
	const struct params p = { 0 };
	struct entity e = { .kind = ENTITY_KIND_UNIT };

	(void)state;
	assert_int_equal(action_entity(NULL, &p, NULL, &e, NULL), 0);
	assert_int_equal(e.kind, ENTITY_KIND_HOST);
}

static void an_unknown_service_is_nothing(void **state)
{
	const struct params p = params_of(PARAM_TYPE_SERVICE, "db");
	struct entity e = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(action_entity("what", &p, &services, &e, &err), -ENOENT);
	assert_string_equal(err_text(&err), "find service 'db': services.d has none");
	assert_int_equal(action_entity("what", &p, NULL, &e, NULL), -ENOENT);
}

static void what_is_no_thing_on_the_host_cannot_be_a_target(void **state)
{
	static const enum param_type types[] = { PARAM_TYPE_INTEGER, PARAM_TYPE_ENUM,
						 PARAM_TYPE_SPAN, PARAM_TYPE_PROCESS,
						 PARAM_TYPE_NAME };
	struct entity e = { 0 };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(types); i++) {
		const struct params p = params_of(types[i], "api");

		assert_int_equal(action_entity("what", &p, &services, &e, NULL), -EINVAL);
		assert_int_equal(action_entity("other", &p, &services, &e, NULL), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_is_its_unit_or_its_container),
		cmocka_unit_test(without_a_target_it_is_the_host),
		cmocka_unit_test(an_unknown_service_is_nothing),
		cmocka_unit_test(what_is_no_thing_on_the_host_cannot_be_a_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
