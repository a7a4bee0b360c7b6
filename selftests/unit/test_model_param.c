/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"
#include "model/param.h"

static const char *const signals[] = { "SIGTERM", "SIGKILL", NULL };

static const struct param_spec specs[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .help = "which unit" },
	{ .name = "quota_pct",
	  .type = PARAM_TYPE_INTEGER,
	  .unit = "pct",
	  .min = 1,
	  .max = 100,
	  .default_text = "20" },
	{ .name = "signal",
	  .type = PARAM_TYPE_ENUM,
	  .choices = signals,
	  .default_text = "SIGTERM" },
	{ .name = "delay",
	  .type = PARAM_TYPE_SPAN,
	  .min = NS_PER_MS,
	  .max = 60 * (int64_t)NS_PER_S,
	  .default_text = "250ms" },
	{ .name = NULL },
};

static int parse(const struct param_text *texts, size_t n, struct params *p, struct err *err)
{
	*err = (struct err){ 0 };
	return params_parse(specs, texts, n, p, err);
}

static void fills_defaults_in_the_order_of_the_specs(void **state)
{
	const struct param_text texts[] = { { "signal", "SIGKILL" }, { "unit", "a.service" } };
	struct params p = { 0 };
	struct err err = { 0 };
	char buf[256] = "";

	(void)state;
	assert_int_equal(parse(texts, 2, &p, &err), 0);
	assert_string_equal(params_format(&p, buf, sizeof(buf)),
			    "unit=a.service quota_pct=20 signal=SIGKILL delay=250ms");
	assert_int_equal(params_integer(&p, "quota_pct"), 20);
	assert_int_equal(params_integer(&p, "signal"), 1);
	assert_int_equal(params_integer(&p, "delay"), 250 * NS_PER_MS);
	assert_string_equal(params_text(&p, "unit"), "a.service");
}

static void texts_become_canonical(void **state)
{
	const struct param_text texts[] = { { "unit", "a.service" },
					    { "quota_pct", "007" },
					    { "delay", "1000ms" } };
	struct params p = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(parse(texts, 3, &p, &err), 0);
	assert_string_equal(params_text(&p, "quota_pct"), "7");
	assert_string_equal(params_text(&p, "delay"), "1s");
}

static void says_what_came_and_what_is_allowed(void **state)
{
	static const struct {
		struct param_text text;
		const char *expected;
	} cases[] = {
		{ { "quota_pct", "101" }, "parameter 'quota_pct' is '101': expected 1 to 100 pct" },
		{ { "quota_pct", "0" }, "parameter 'quota_pct' is '0': expected 1 to 100 pct" },
		{ { "quota_pct", "20 " }, "parameter 'quota_pct' is '20 ': expected 1 to 100 pct" },
		{ { "quota_pct", "" }, "parameter 'quota_pct' is '': expected 1 to 100 pct" },
		{ { "quota_pct", "0x10" },
		  "parameter 'quota_pct' is '0x10': expected 1 to 100 pct" },
		{ { "quota_pct", "99999999999999999999" },
		  "parameter 'quota_pct' is '99999999999999999999': expected 1 to 100 pct" },
		{ { "signal", "SIGHUP" },
		  "parameter 'signal' is 'SIGHUP': expected one of SIGTERM, SIGKILL" },
		{ { "delay", "61s" },
		  "parameter 'delay' is '61s': expected a time from 1 ms to 1 min 0 s, as in '60s'" },
		{ { "delay", "1d" },
		  "parameter 'delay' is '1d': expected a time from 1 ms to 1 min 0 s, as in '60s'" },
		{ { "delay", "18446744073709551615h" },
		  "parameter 'delay' is '18446744073709551615h': expected a time from 1 ms to 1 min "
		  "0 s, as in '60s'" },
		{ { "colour", "red" },
		  "parameter 'colour' is not known: expected unit, quota_pct, signal, delay" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		const struct param_text texts[] = { { "unit", "a.service" }, cases[i].text };
		struct params p = { .n = 77 };
		struct err err = { 0 };

		assert_int_equal(parse(texts, 2, &p, &err), -EINVAL);
		assert_string_equal(err_text(&err), cases[i].expected);
		assert_int_equal(p.n, 77);
	}
}

static void refuses_a_unit_that_is_none(void **state)
{
	static const char *const names[] = {
		"",      "nginx",    "../a.service",    "a/b.service", "a b.service", "a.service\n",
		"-.txt", ".service", "a;reboot.service"
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		const struct param_text texts[] = { { "unit", names[i] } };
		struct params p = { 0 };
		struct err err = { 0 };

		assert_int_equal(parse(texts, 1, &p, &err), -EINVAL);
		assert_non_null(strstr(err_text(&err), "expected a unit's full name"));
	}
}

static void refuses_missing_and_repeated_ones(void **state)
{
	const struct param_text twice[] = { { "unit", "a.service" }, { "unit", "b.service" } };
	struct params p = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(parse(NULL, 0, &p, &err), -EINVAL);
	assert_string_equal(err_text(&err), "parameter 'unit' is missing: which unit");
	assert_int_equal(parse(twice, 2, &p, &err), -EINVAL);
	assert_string_equal(err_text(&err), "parameter 'unit' is given twice");
}

static void what_came_is_safe_to_print(void **state)
{
	const struct param_text texts[] = { { "unit", "\x1b[2J\nroot: ok" } };
	struct params p = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(parse(texts, 1, &p, &err), -EINVAL);
	assert_true(str_is_clean_utf8(err.text, strlen(err.text)));
	assert_non_null(strstr(err.text, "'\\x1b[2J\\x0aroot: ok'"));
}

static const struct param_spec words[] = {
	{ .name = "container", .type = PARAM_TYPE_CONTAINER, .default_text = "web-1" },
	{ .name = "process", .type = PARAM_TYPE_PROCESS, .default_text = "2:0" },
	{ .name = "service", .type = PARAM_TYPE_SERVICE, .default_text = "api" },
	{ .name = "name", .type = PARAM_TYPE_NAME, .default_text = "newest" },
	{ .name = NULL },
};

static void takes_names_of_containers_processes_services_and_plain_words(void **state)
{
	static const struct param_text good[] = { { "container", "a_b.c-1" },
						  { "container", "0a" },
						  { "process", "4194304:18446744073709551615" },
						  { "process", "1234:567890" },
						  { "service", "api-2" },
						  { "name", "2026-11-23T02.00" } };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(good); i++) {
		struct params p = { 0 };
		struct err err = { 0 };

		if (params_parse(words, &good[i], 1, &p, &err) < 0)
			fail_msg("%s", err_text(&err));
		assert_string_equal(params_text(&p, good[i].name), good[i].value);
		assert_int_equal(params_check(words, &p, NULL), 0);
	}
}

static void refuses_what_only_looks_like_one(void **state)
{
	static const struct param_text bad[] = {
		{ "container", "a" },
		{ "container", "-ab" },
		{ "container", "a/b" },
		{ "container", "a b" },
		{ "container", "" },
		{ "process", "1:5" },
		{ "process", "0:5" },
		{ "process", "1234" },
		{ "process", "1234:" },
		{ "process", ":5" },
		{ "process", "01234:5" },
		{ "process", "-2:5" },
		{ "process", "4194305:5" },
		{ "process", "2:5:6" },
		{ "process", "2: 5" },
		{ "process", "12345678901234567890:1" },
		{ "process", "2:18446744073709551616" },
		{ "service", "../x" },
		{ "service", ".x" },
		{ "service", "" },
		{ "name", "a/b" },
		{ "name", ".." },
		{ "name", "-a" },
		{ "name", "a\nb" },
		{ "name", "0123456789012345678901234567890123456789012345678901234567890123x" }
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		struct params p = { 0 };

		if (params_parse(words, &bad[i], 1, &p, NULL) != -EINVAL)
			fail_msg("%s: '%s'", bad[i].name, bad[i].value);
	}
}

static struct params valid(void)
{
	const struct param_text texts[] = { { "unit", "a.service" } };
	struct params p = { 0 };
	struct err err = { 0 };

	assert_int_equal(parse(texts, 1, &p, &err), 0);
	return p;
}

static void a_frame_with_valid_parameters_passes(void **state)
{
	const struct params p = valid();

	(void)state;
	assert_int_equal(params_check(specs, &p, NULL), 0);
}

static void a_frame_with_anything_else_does_not(void **state)
{
	struct params p = valid();

	(void)state;
	p.n = PARAMS_MAX + 1;
	assert_int_equal(params_check(specs, &p, NULL), -EINVAL);
	p = valid();
	p.n = 3; /* the last, a default, is missing: not canonical */
	assert_int_equal(params_check(specs, &p, NULL), -EINVAL);
	p = valid();
	memset(p.v[0].text, 'x', sizeof(p.v[0].text));
	assert_int_equal(params_check(specs, &p, NULL), -EINVAL);
	p = valid();
	memset(p.v[0].name, 'x', sizeof(p.v[0].name));
	assert_int_equal(params_check(specs, &p, NULL), -EINVAL);
	p = valid();
	p.v[1].integer = 99; /* text says 20 */
	assert_int_equal(params_check(specs, &p, NULL), -EINVAL);
	p = valid();
	p.v[1].type = PARAM_TYPE_SPAN;
	assert_int_equal(params_check(specs, &p, NULL), -EINVAL);
	p = valid();
	assert_int_equal(str_copy(p.v[0].text, sizeof(p.v[0].text), "sshd"), 0);
	assert_int_equal(params_check(specs, &p, NULL), -EINVAL);
	p = valid();
	p.v[0] = p.v[1];
	assert_int_equal(params_check(specs, &p, NULL), -EINVAL);
}

static void format_is_cut_without_harm(void **state)
{
	const struct params p = valid();
	char buf[8] = "";

	(void)state;
	assert_string_equal(params_format(&p, buf, sizeof(buf)), "unit=a.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_names_of_containers_processes_services_and_plain_words),
		cmocka_unit_test(refuses_what_only_looks_like_one),
		cmocka_unit_test(fills_defaults_in_the_order_of_the_specs),
		cmocka_unit_test(texts_become_canonical),
		cmocka_unit_test(says_what_came_and_what_is_allowed),
		cmocka_unit_test(refuses_a_unit_that_is_none),
		cmocka_unit_test(refuses_missing_and_repeated_ones),
		cmocka_unit_test(what_came_is_safe_to_print),
		cmocka_unit_test(a_frame_with_valid_parameters_passes),
		cmocka_unit_test(a_frame_with_anything_else_does_not),
		cmocka_unit_test(format_is_cut_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
