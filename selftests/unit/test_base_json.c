/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static void refuse(const char *text, const char *cause)
{
	struct json_object *o = NULL;
	struct err err = { 0 };
	int r = json_parse(text, strlen(text), &o, &err);

	if (r != -EBADMSG || !strstr(err_text(&err), cause))
		fail_msg("%s: got %d, %s; expected '%s'", text, r, err_text(&err), cause);
	assert_null(o);
}

static struct json_object *parse(const char *text)
{
	struct json_object *o = NULL;
	struct err err = { 0 };

	if (json_parse(text, strlen(text), &o, &err) != 0)
		fail_msg("%s: %s", text, err_text(&err));
	return o;
}

static void round_trip(const char *text, const char *expected)
{
	_cleanup_json_ struct json_object *o = parse(text);

	assert_string_equal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), expected);
}

static void reads_every_kind_of_value(void **state)
{
	(void)state;
	round_trip(" {\"a\": [1, -2.5, true, null, \"x:y,'z'\"], \"b\": {}}\n",
		   "{\"a\":[1,-2.5,true,null,\"x:y,'z'\"],\"b\":{}}");
	round_trip("12", "12");
	round_trip("\"text\"", "\"text\"");
	round_trip("null", "null");
	round_trip("\"\\\\u0000\"", "\"\\\\u0000\"");
}

static void refuses_the_same_key_twice_at_any_depth(void **state)
{
	(void)state;
	refuse("{\"a\":1,\"a\":2}", "same key twice");
	refuse("[{\"x\":{\"a\":1,\"b\":{\"c\":1,\"c\":1}}}]", "same key twice");
	refuse("{\"a\":{\"p\":1,\"q\":2},\"a\":3}", "same key twice");
	round_trip("{\"a\":{\"k\":1},\"b\":{\"k\":1}}", "{\"a\":{\"k\":1},\"b\":{\"k\":1}}");
}

static void sees_through_escapes_in_keys(void **state)
{
	(void)state;
	refuse("{\"a\":1,\"\\u0061\":2}", "same key twice");
	refuse("{\"a:b\":1,\"a\\u003ab\":2}", "same key twice");
	round_trip("{\"a:\":1,\"\\\":\":2}", "{\"a:\":1,\"\\\":\":2}");
}

static void refuses_text_after_the_end(void **state)
{
	(void)state;
	refuse("{} {}", "byte 3: text after the end");
	refuse("12 x", "byte 3: text after the end");
	refuse("{}x", "text after the end");
}

static void refuses_what_json_c_lets_pass(void **state)
{
	(void)state;
	refuse("{'a':1}", "single quotes");
	refuse("{'\"':1,\"a\":2,\"a\":3}", "single quotes");
	refuse("[1.]", "a digit is missing");
	refuse("[\"a\nb\"]", "control character in a string");
	refuse("[\"a\tb\"]", "control character in a string");
	refuse("[NaN]", "not finite");
	refuse("[-Infinity]", "not finite");
	refuse("[1e999]", "not finite");
	refuse("[\"\\u0000\"]", "a NUL");
	refuse("{\"a\\u0000b\":1}", "a NUL");
}

static void refuses_what_is_no_json(void **state)
{
	static const char *const texts[] = {
		"",       " ",   "{",      "[1,]",      "{\"a\":1,}",    "{a:1}",    "[01]",
		"/*x*/1", "tru", "[TRUE]", "\"abc",     "[1 2]",         "{\"a\"1}", "[+1]",
		"[.5]",   "-",   "1e",     "[\"\\x\"]", "\xef\xbb\xbf{}"
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++)
		refuse(texts[i], "parse JSON: ");
}

static void refuses_bad_utf8_and_control_characters(void **state)
{
	(void)state;
	refuse("[\"\xc0\x80\"]", "not UTF-8");
	refuse("[\"\xed\xa0\x80\"]", "not UTF-8");
	refuse("[\"\xff\"]", "not UTF-8");
	refuse("[\"\x1b[2J\"]", "control character");
	refuse("[\"\x7f\"]", "control character");
}

static void stops_at_the_depth_limit(void **state)
{
	char text[2 * JSON_DEPTH_MAX + 8] = "";

	(void)state;
	memset(text, '[', JSON_DEPTH_MAX - 1);
	memset(text + JSON_DEPTH_MAX - 1, ']', JSON_DEPTH_MAX - 1);
	json_object_put(parse(text));
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	refuse(text, "nesting too deep");
}

static void stops_at_the_length_limit(void **state)
{
	_cleanup_free_ char *text = malloc(JSON_TEXT_MAX + 2);
	struct json_object *o = NULL;
	struct err err = { 0 };

	(void)state;
	assert_non_null(text);
	memset(text, ' ', JSON_TEXT_MAX + 2);
	text[0] = '1';
	assert_int_equal(json_parse(text, JSON_TEXT_MAX, &o, &err), 0);
	(void)json_object_put(o);
	o = NULL;
	assert_int_equal(json_parse(text, JSON_TEXT_MAX + 1, &o, &err), -E2BIG);
	assert_null(o);
}

static void does_not_read_past_the_given_length(void **state)
{
	_cleanup_free_ char *exact = malloc(3);
	struct json_object *o = NULL;

	(void)state;
	memcpy(exact, "123", 3); /* no NUL: ASan sees a byte too many */
	assert_int_equal(json_parse(exact, 3, &o, NULL), 0);
	assert_int_equal(json_object_get_int(o), 123);
	(void)json_object_put(o);
}

static void writes_doubles_as_people_do(void **state)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();

	(void)state;
	assert_int_equal(json_add_double(o, "a", 97.1), 0);
	assert_int_equal(json_add_double(o, "b", 1.0 / 3), 0);
	assert_int_equal(json_add_double(o, "c", (double)NAN), 0);
	assert_int_equal(json_add_double(o, "d", 5), 0);
	assert_string_equal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
			    "{\"a\":97.1,\"b\":0.33333333333333331,\"c\":null,\"d\":5}");
}

static void escapes_strings_that_are_not_clean(void **state)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	const char *s = NULL;

	(void)state;
	assert_int_equal(json_add_string(o, "a", "x\n\x1b[2J\xff"), 0);
	assert_int_equal(json_add_string(o, "none", NULL), 0);
	assert_int_equal(json_get_string(o, "a", &s, NULL), 0);
	assert_string_equal(s, "x\\x0a\\x1b[2J\\xff");
	assert_true(json_object_is_type(json_object_object_get(o, "none"), json_type_null));
}

static void writes_times_as_a_pair(void **state)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();

	(void)state;
	assert_int_equal(json_add_time(o, "opened", 1), 0);
	assert_string_equal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
			    "{\"opened_usec\":1,\"opened\":\"1970-01-01T00:00:00.000001Z\"}");
}

static void readers_tell_absent_from_wrong(void **state)
{
	_cleanup_json_ struct json_object *o =
		parse("{\"s\":\"x\",\"i\":-7,\"b\":true,\"big\":99999999999999999999}");
	struct err err = { 0 };
	const char *s = NULL;
	int64_t i = 0;
	bool b = false;

	(void)state;
	assert_int_equal(json_get_string(o, "s", &s, &err), 0);
	assert_string_equal(s, "x");
	assert_int_equal(json_get_i64(o, "i", &i, &err), 0);
	assert_int_equal(i, -7);
	assert_int_equal(json_get_bool(o, "b", &b, &err), 0);
	assert_true(b);
	assert_int_equal(json_get_bool(o, "none", &b, &err), -ENOENT);
	assert_int_equal(json_get_i64(o, "s", &i, &err), -EINVAL);
	assert_string_equal(err_text(&err), "field 's': expected int, not string");
	assert_int_equal(json_get_i64(o, "big", &i, &err), -EINVAL);
	assert_string_equal(err_text(&err), "field 'big': number out of range");
	assert_int_equal(json_get_string(NULL, "s", &s, &err), -ENOENT);
	assert_int_equal(i, -7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_kind_of_value),
		cmocka_unit_test(refuses_the_same_key_twice_at_any_depth),
		cmocka_unit_test(sees_through_escapes_in_keys),
		cmocka_unit_test(refuses_text_after_the_end),
		cmocka_unit_test(refuses_what_json_c_lets_pass),
		cmocka_unit_test(refuses_what_is_no_json),
		cmocka_unit_test(refuses_bad_utf8_and_control_characters),
		cmocka_unit_test(stops_at_the_depth_limit),
		cmocka_unit_test(stops_at_the_length_limit),
		cmocka_unit_test(does_not_read_past_the_given_length),
		cmocka_unit_test(writes_doubles_as_people_do),
		cmocka_unit_test(escapes_strings_that_are_not_clean),
		cmocka_unit_test(writes_times_as_a_pair),
		cmocka_unit_test(readers_tell_absent_from_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
