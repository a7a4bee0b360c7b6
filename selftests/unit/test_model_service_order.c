/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "model/service.h"

static struct service list[4];
static const struct services all = { ELEMENTSOF(list), list };

static void put(size_t i, const char *name, const char *first, const char *second)
{
	const char *const depends[] = { first, second };
	struct service *s = &list[i];

	memset(s, 0, sizeof(*s));
	(void)str_copy(s->name, sizeof(s->name), name);
	for (size_t j = 0; j < ELEMENTSOF(depends) && depends[j]; j++)
		(void)str_copy(s->depends_on[s->n_depends++], SERVICE_NAME_MAX, depends[j]);
}

/* The names in order, with a blank behind each. */
static void expect(const char *name, const char *wanted)
{
	const struct service *v[ELEMENTSOF(list)];
	char found[128] = "";
	int n = services_find_dependents(&all, services_find(&all, name), v, ELEMENTSOF(v), NULL);

	for (int i = 0; i < n; i++)
		str_append(found, sizeof(found), "%s ", v[i]->name);
	assert_string_equal(found, wanted);
}

static void each_comes_after_all_that_it_depends_on(void **state)
{
	(void)state;
	put(0, "web", "api", "db");
	put(1, "api", "db", NULL);
	put(2, "other", NULL, NULL);
	put(3, "db", NULL, NULL);
	expect("db", "api web ");
	expect("api", "web ");
	expect("web", "");
	expect("other", "");
}

static void through_two_ways_it_comes_once(void **state)
{
	(void)state;
	put(0, "top", "left", "right");
	put(1, "left", "base", NULL);
	put(2, "right", "base", NULL);
	put(3, "base", NULL, NULL);
	expect("base", "left right top ");
}

static void more_than_there_is_room_for_is_refused(void **state)
{
	const struct service *v[1];
	struct err err = { 0 };

	(void)state;
	assert_int_equal(services_find_dependents(&all, &list[3], v, ELEMENTSOF(v), &err), -E2BIG);
	assert_string_equal(err.text, "more than 1 services depend on 'base'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_comes_after_all_that_it_depends_on),
		cmocka_unit_test(through_two_ways_it_comes_once),
		cmocka_unit_test(more_than_there_is_room_for_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
