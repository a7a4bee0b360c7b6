/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/str.h"
#include "selftests/target/app/input.h"

static const struct field fields[] = {
	{ .name = "title", .type = FIELD_TYPE_TEXT, .min = 1, .max = 4 },
	{ .name = "count", .type = FIELD_TYPE_INTEGER, .min = 1, .max = 9, .fallback = "1" },
	{ .name = "done", .type = FIELD_TYPE_BOOLEAN, .fallback = "f" },
};

static int read_text(const char *text, bool is_change, struct input *in, struct err *err)
{
	_cleanup_json_ struct json_object *o = NULL;

	assert_int_equal(json_parse(text, strlen(text), &o, err), 0);
	return input_read(o, fields, ELEMENTSOF(fields), is_change, in, err);
}

static void takes(const char *text, bool is_change, const char *const values[])
{
	struct input in;
	struct err err = { 0 };

	if (read_text(text, is_change, &in, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
		assert_int_equal(in.values[i] == NULL, values[i] == NULL);
		if (values[i])
			assert_string_equal(in.values[i], values[i]);
	}
}

static void refuses(const char *text, bool is_change, const char *cause)
{
	struct input in;
	struct err err = { 0 };

	assert_int_equal(read_text(text, is_change, &in, &err), -EINVAL);
	if (!strstr(err.text, cause))
		fail_msg("%s: '%s' is not in '%s'", text, cause, err.text);
}

static void what_is_left_out_has_its_fallback(void **state)
{
	(void)state;
	takes("{\"title\":\"a\"}", false, (const char *[]){ "a", "1", "f" });
	takes("{\"title\":\"a\",\"count\":9,\"done\":true}", false,
	      (const char *[]){ "a", "9", "t" });
	refuses("{}", false, "'title' is missing");
}

static void a_change_has_only_what_is_there(void **state)
{
	(void)state;
	takes("{\"count\":2}", true, (const char *[]){ NULL, "2", NULL });
	refuses("{}", true, "nothing to change");
}

static void characters_are_counted_not_bytes(void **state)
{
	(void)state;
	takes("{\"title\":\"\u00e4\u00f6\u00fc\u20ac\"}", true,
	      (const char *[]){ "\u00e4\u00f6\u00fc\u20ac", NULL, NULL });
	refuses("{\"title\":\"abcde\"}", true, "'title' has 5 characters");
	refuses("{\"title\":\"\"}", true, "'title' has 0 characters");
}

static void bad_texts_are_refused(void **state)
{
	(void)state;
	refuses("{\"title\":\"a\\nb\"}", true, "'title' holds a control character");
	refuses("{\"title\":\" a\"}", true, "begins or ends with a space");
	refuses("{\"title\":\"a \"}", true, "begins or ends with a space");
}

static void other_types_are_refused(void **state)
{
	(void)state;
	refuses("{\"title\":1}", true, "'title' is not a text");
	refuses("{\"title\":null}", true, "'title' is not a text");
	refuses("{\"count\":\"1\"}", true, "'count' is not a whole number");
	refuses("{\"count\":1.0}", true, "'count' is not a whole number");
	refuses("{\"done\":0}", true, "'done' is not true or false");
}

static void numbers_have_bounds(void **state)
{
	(void)state;
	refuses("{\"count\":0}", true, "'count' is outside of 1 to 9");
	refuses("{\"count\":10}", true, "'count' is outside");
	refuses("{\"count\":-9223372036854775808}", true, "'count' is outside");
	refuses("{\"count\":99999999999999999999}", true, "'count' is outside");
}

static void unknown_fields_are_refused_by_a_name_that_is_safe(void **state)
{
	(void)state;
	refuses("{\"x\\u001b\":1}", true, "there is no field 'x\\x1b'");
}

static void no_body_is_refused(void **state)
{
	struct input in;

	(void)state;
	assert_int_equal(input_read(NULL, fields, ELEMENTSOF(fields), false, &in, NULL), -EINVAL);
}

static void pages_have_a_default_and_bounds(void **state)
{
	struct page p = { 0 };

	(void)state;
	assert_int_equal(page_parse(NULL, NULL, &p, NULL), 0);
	assert_int_equal(p.rows, PAGE_ROWS_DEFAULT);
	assert_int_equal(p.after, 0);
	assert_int_equal(page_parse("100", "9223372036854775807", &p, NULL), 0);
	assert_int_equal(p.rows, 100);
	assert_true(p.after == INT64_MAX);
	assert_int_equal(page_parse("101", NULL, &p, NULL), -EINVAL);
	assert_int_equal(page_parse("0", NULL, &p, NULL), -EINVAL);
	assert_int_equal(page_parse("-1", NULL, &p, NULL), -EINVAL);
	assert_int_equal(page_parse("", NULL, &p, NULL), -EINVAL);
	assert_int_equal(page_parse(NULL, "9223372036854775808", &p, NULL), -EINVAL);
	assert_int_equal(page_parse(NULL, "1 OR 1=1", &p, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_out_has_its_fallback),
		cmocka_unit_test(a_change_has_only_what_is_there),
		cmocka_unit_test(characters_are_counted_not_bytes),
		cmocka_unit_test(bad_texts_are_refused),
		cmocka_unit_test(other_types_are_refused),
		cmocka_unit_test(numbers_have_bounds),
		cmocka_unit_test(unknown_fields_are_refused_by_a_name_that_is_safe),
		cmocka_unit_test(no_body_is_refused),
		cmocka_unit_test(pages_have_a_default_and_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
