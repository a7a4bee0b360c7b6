/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/fault.a gen/registry_fault.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fault/fault.h"

struct request {
	const char *fault;
	struct param_text texts[4];
};

static int parse(const struct request *q, struct params *ret, struct err *err)
{
	const struct fault_ops *f = fault_find(q->fault);
	size_t n = 0;

	assert_non_null(f);
	while (n < ELEMENTSOF(q->texts) && q->texts[n].name)
		n++;
	return params_parse(f->params, q->texts, n, ret, err);
}

static void has_the_five_faults_and_no_other_name(void **state)
{
	static const char *const names[] = { "cpu.stress", "mem.hog", "net.delay", "proc.freeze",
					     "unit.kill" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		assert_non_null(fault_find(names[i]));
	assert_null(fault_find("unit_kill"));
	assert_null(fault_find(""));
}

static void every_fault_says_what_people_and_validate_need(void **state)
{
	(void)state;
	for (const struct fault_ops *const *f = fault_registry; *f; f++) {
		assert_true(strlen((*f)->summary) > 10);
		assert_true(strlen((*f)->source) > 10);
		assert_non_null((*f)->expects.cause);
		assert_non_null((*f)->expects.effect);
		assert_non_null((*f)->expects.actions);
		assert_true((*f)->inject && (*f)->effect && (*f)->active);
		/* Who reverts nothing needs no clear(), everybody else does. */
		assert_int_equal((*f)->reverts == REVERTS_NOBODY, (*f)->clear == NULL);
		for (const struct param_spec *p = (*f)->params; p->name; p++)
			assert_non_null(p->help);
	}
}

static void only_the_unit_has_to_be_named(void **state)
{
	(void)state;
	for (const struct fault_ops *const *f = fault_registry; *f; f++)
		for (const struct param_spec *p = (*f)->params; p->name; p++)
			assert_int_equal(p->type == PARAM_TYPE_UNIT, p->default_text == NULL);
}

static void takes_parameters_within_their_limits(void **state)
{
	static const struct request good[] = {
		{ "unit.kill", { { "unit", "x.service" } } },
		{ "unit.kill", { { "unit", "x.service" }, { "signal", "SIGSEGV" } } },
		{ "proc.freeze", { { "unit", "x.service" } } },
		{ "cpu.stress", { { 0 } } },
		{ "cpu.stress", { { "workers", "64" }, { "weight", "1" } } },
		{ "mem.hog", { { "unit", "x.service" }, { "rate_mib_per_s", "1024" } } },
		{ "net.delay", { { "unit", "x.service" }, { "delay_ms", "60000" } } },
	};
	static const struct request bad[] = {
		{ "unit.kill", { { 0 } } },
		{ "unit.kill", { { "unit", "x" } } },
		{ "unit.kill", { { "unit", "x.service" }, { "signal", "SIGTERM" } } },
		{ "proc.freeze", { { "unit", "../x.service" } } },
		{ "cpu.stress", { { "workers", "65" } } },
		{ "cpu.stress", { { "workers", "0" } } },
		{ "cpu.stress", { { "weight", "10001" } } },
		{ "mem.hog", { { "unit", "x.service" }, { "rate_mib_per_s", "1025" } } },
		{ "net.delay", { { "unit", "x.service" }, { "delay_ms", "0" } } },
		{ "net.delay", { { "unit", "x.service" }, { "delay_ms", "60001" } } },
		{ "net.delay", { { "unit", "x.service" }, { "jitter_ms", "-1" } } },
		{ "net.delay", { { "unit", "x.service" }, { "speed", "1" } } },
	};
	struct params p = { 0 };
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(good); i++)
		if (parse(&good[i], &p, &err) < 0)
			fail_msg("good %zu: %s", i, err_text(&err));
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		if (parse(&bad[i], &p, &err) != -EINVAL)
			fail_msg("bad %zu was taken", i);
}

static void jitter_is_at_most_the_delay(void **state)
{
	static const struct request q = {
		"net.delay",
		{ { "unit", "x.service" }, { "delay_ms", "10" }, { "jitter_ms", "11" } }
	};
	struct params p = { 0 };
	const struct fault_context c = { .params = &p };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(parse(&q, &p, &err), 0);
	assert_int_equal(fault_find("net.delay")->check(&c, &err), -EINVAL);
}

/* clear() may run as root with whatever a file held: what is no state of its own it must not use. */
static void clear_refuses_state_that_is_not_its_own(void **state)
{
	static const unsigned char zeroes[FAULT_STATE_MAX];
	static unsigned char ones[FAULT_STATE_MAX];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	for (const struct fault_ops *const *f = fault_registry; *f; f++) {
		const struct fault_context c = { 0 };
		struct err err = { 0 };

		for (size_t size = 0; (*f)->clear && size <= FAULT_STATE_MAX; size += 8) {
			assert_true((*f)->clear(&c, ones, size, &err) < 0);
			/* No process, no unit, no link: empty is nothing to do at most. */
			assert_true((*f)->clear(&c, zeroes, size, &err) <= 0);
		}
	}
}

static void describes_itself_as_c(void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	assert_int_equal(fault_describe(out), 0);
	assert_int_equal(fclose(out), 0);
	assert_non_null(strstr(text, "const struct fault_info fault_table[] = {"));
	assert_non_null(strstr(text, ".cause = \"cpu-neighbour\""));
	assert_non_null(strstr(text, "\"SIGKILL\", \"SIGSEGV\", \"SIGABRT\", NULL };"));
	assert_non_null(strstr(text, "{ .name = NULL },\n};\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_the_five_faults_and_no_other_name),
		cmocka_unit_test(every_fault_says_what_people_and_validate_need),
		cmocka_unit_test(only_the_unit_has_to_be_named),
		cmocka_unit_test(takes_parameters_within_their_limits),
		cmocka_unit_test(jitter_is_at_most_the_delay),
		cmocka_unit_test(clear_refuses_state_that_is_not_its_own),
		cmocka_unit_test(describes_itself_as_c),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
