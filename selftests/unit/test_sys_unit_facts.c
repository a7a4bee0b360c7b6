/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sys/unitctl.h"

static const struct unit_facts healthy = { .id = "web.service",
					   .load_state = "loaded",
					   .active_state = "active",
					   .freezer_state = "running" };

static void expect(const struct unit_facts *f, int code, const char *text)
{
	struct err err = { 0 };

	assert_int_equal(unit_facts_check(f, "web.service", &err), code);
	assert_string_equal(err.text, text);
}

static void a_loaded_unit_passes(void **state)
{
	(void)state;
	expect(&healthy, 0, "");
}

static void a_masked_or_absent_one_does_not(void **state)
{
	struct unit_facts f = healthy;

	(void)state;
	(void)str_copy(f.load_state, sizeof(f.load_state), "masked");
	expect(&f, -EPERM, "check unit 'web.service': it is masked");
	(void)str_copy(f.load_state, sizeof(f.load_state), "not-found");
	expect(&f, -ENOENT, "check unit 'web.service': it is not-found");
}

/* "web.service" with Alias= of a protected unit would pass a check by name. */
static void another_name_of_a_unit_does_not(void **state)
{
	struct unit_facts f = healthy;

	(void)state;
	(void)str_copy(f.id, sizeof(f.id), "ssh.service");
	expect(&f, -EPERM, "check unit 'web.service': it is another name of 'ssh.service'");
}

static void one_that_systemd_or_a_person_holds_does_not(void **state)
{
	struct unit_facts f = healthy;

	(void)state;
	f.job_id = 7;
	expect(&f, -EBUSY, "check unit 'web.service': systemd is at work on it");
	f = healthy;
	(void)str_copy(f.freezer_state, sizeof(f.freezer_state), "frozen");
	expect(&f, -EBUSY, "check unit 'web.service': an administrator froze it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loaded_unit_passes),
		cmocka_unit_test(a_masked_or_absent_one_does_not),
		cmocka_unit_test(another_name_of_a_unit_does_not),
		cmocka_unit_test(one_that_systemd_or_a_person_holds_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
