/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/lookup.h"
#include "base/str.h"
#include "base/yaml.h"

static struct yaml_doc *parse(const char *text)
{
	struct yaml_doc *doc = NULL;
	struct err err = { 0 };

	if (yaml_parse("f.yaml", text, strlen(text), &doc, &err) != 0)
		fail_msg("%s: %s", text, err_text(&err));
	return doc;
}

static void refuse(const char *text, int code, const char *expected)
{
	struct yaml_doc *doc = NULL;
	struct err err = { 0 };
	int r = yaml_parse("f.yaml", text, strlen(text), &doc, &err);

	if (r != code || strncmp(err_text(&err), expected, strlen(expected)) != 0)
		fail_msg("%.80s: got %d, %s; expected %s", text, r, err_text(&err), expected);
	assert_null(doc);
}

static void keeps_structure_order_and_places(void **state)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc =
		parse("# comment\na: 1\nlist:\n  - x\n  - {k: v}\nc: 'q'\n");
	const struct yaml_node *root = yaml_root(doc), *list = yaml_find(root, "list");

	(void)state;
	assert_int_equal(root->kind, YAML_KIND_MAPPING);
	assert_string_equal(root->child->key, "a");
	assert_string_equal(root->child->value, "1");
	assert_false(root->child->quoted);
	assert_int_equal(root->child->line, 2);
	assert_int_equal(root->child->column, 4);
	assert_int_equal(list->kind, YAML_KIND_SEQUENCE);
	assert_string_equal(list->child->value, "x");
	assert_string_equal(yaml_find(list->child->next, "k")->value, "v");
	assert_int_equal(list->child->next->line, 5);
	assert_true(yaml_find(root, "c")->quoted);
	assert_null(yaml_find(root, "d"));
	assert_string_equal(yaml_file_name(doc), "f.yaml");
}

static void an_empty_text_is_an_empty_mapping(void **state)
{
	static const char *const texts[] = { "", "\n\n", "# only a comment\n", "---\n", "--- ~\n" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		_cleanup_(yaml_doc_freep) struct yaml_doc *doc = parse(texts[i]);

		assert_int_equal(yaml_root(doc)->kind, YAML_KIND_MAPPING);
		assert_null(yaml_root(doc)->child);
	}
}

static void refuses_a_duplicate_key_at_its_place(void **state)
{
	(void)state;
	refuse("a: 1\nb: 2\na: 3\n", -EBADMSG, "f.yaml:3:1: the same key a second time");
	refuse("x: {k: 1, k: 2}\n", -EBADMSG, "f.yaml:1:11: the same key");
	refuse("a: 1\n\"a\": 2\n", -EBADMSG, "f.yaml:2:1: the same key");
}

static void refuses_anchors_aliases_and_tags(void **state)
{
	(void)state;
	refuse("a: &x 1\n", -EBADMSG, "f.yaml:1:4: anchors are not allowed");
	refuse("a: &x [1]\n", -EBADMSG, "f.yaml:1:4: anchors");
	refuse("a: &x {b: 1}\n", -EBADMSG, "f.yaml:1:4: anchors");
	refuse("a: *x\n", -EBADMSG, "f.yaml:1:4: aliases are not allowed");
	refuse("*x : 1\n", -EBADMSG, "f.yaml:1:1: aliases");
	refuse("a: !!str 1\n", -EBADMSG, "f.yaml:1:4: tags are not allowed");
	refuse("a: ! 1\n", -EBADMSG, "f.yaml:1:4: tags");
	refuse("a: !x [1]\n", -EBADMSG, "f.yaml:1:4: tags");
	refuse("!x {a: 1}\n", -EBADMSG, "f.yaml:1:1: tags");
}

static void refuses_a_second_document(void **state)
{
	(void)state;
	refuse("a: 1\n---\nb: 2\n", -EBADMSG, "f.yaml:2:1: a second document");
	refuse("a: 1\n...\nb: 2\n", -EBADMSG, "f.yaml:3:1: ");
}

static void refuses_keys_that_are_no_words(void **state)
{
	(void)state;
	refuse("? [a]\n: 1\n", -EBADMSG, "f.yaml:1:3: a key must be a plain word");
	refuse("? {a: 1}\n: 1\n", -EBADMSG, "f.yaml:1:3: a key must be");
	refuse("'': 1\n", -EBADMSG, "f.yaml:1:1: a key is empty");
}

static void says_where_the_syntax_is_wrong(void **state)
{
	(void)state;
	refuse("a: [1\n", -EBADMSG, "f.yaml:2:1: ");
	refuse("a:\n  b: 1\n c: 2\n", -EBADMSG, "f.yaml:3:");
	refuse("a: 'x\n", -EBADMSG, "f.yaml:");
	refuse("\ta: 1\n", -EBADMSG, "f.yaml:1:1: ");
}

static void refuses_control_characters_and_bad_utf8(void **state)
{
	(void)state;
	refuse("a: 1\nb: \x1b[2J\n", -EBADMSG, "f.yaml:2:1: not UTF-8, or a control character");
	refuse("a: \xff\n", -EBADMSG, "f.yaml:1:1: not UTF-8");
	refuse("a: \"\\e[2J\"\n", -EBADMSG, "f.yaml:1:4: a control character");
	refuse("a: \"x\\0y\"\n", -EBADMSG, "f.yaml:1:4: a control character");
	refuse("\"a\\0b\": 1\n", -EBADMSG, "f.yaml:1:1: a control character");
}

static void refuses_a_nul_in_the_file(void **state)
{
	struct yaml_doc *doc = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(yaml_parse("f", "a: 1\n\0b", 7, &doc, &err), -EBADMSG);
	assert_string_equal(err_text(&err),
			    "f:2:1: not UTF-8, or a control character, in this line");
}

static char *nested(char open, char close, size_t depth)
{
	char *text = calloc(1, 2 * depth + 1);

	assert_non_null(text);
	memset(text, open, depth);
	memset(text + depth, close, depth);
	return text;
}

static void stops_at_the_depth_limit(void **state)
{
	_cleanup_free_ char *deepest = nested('[', ']', YAML_DEPTH_MAX);
	_cleanup_free_ char *deeper = nested('[', ']', YAML_DEPTH_MAX + 1);
	struct yaml_doc *doc = parse(deepest);

	(void)state;
	assert_null(yaml_doc_free(doc));
	refuse(deeper, -E2BIG, "f.yaml:1:33: nested deeper than 32");
}

/* libyaml needs quadratic time for "[[[[..."; ours must stop long before. */
static void a_nesting_bomb_costs_nothing(void **state)
{
	_cleanup_free_ char *bomb = nested('[', ']', YAML_TEXT_MAX / 2);
	_cleanup_free_ char *block = nested('-', ' ', YAML_TEXT_MAX / 2);
	clock_t start = clock();

	(void)state;
	refuse(bomb, -E2BIG, "f.yaml:1:33: nested deeper");
	for (size_t i = 1; i < YAML_TEXT_MAX; i += 2)
		block[i] = ' ', block[i - 1] = '-';
	refuse(block, -E2BIG, "f.yaml:1:65: nested deeper");
	assert_true(clock() - start < CLOCKS_PER_SEC);
}

static void bounds_the_number_of_values_and_the_length(void **state)
{
	size_t size = YAML_TEXT_MAX + 2;
	_cleanup_free_ char *text = calloc(1, size);

	(void)state;
	for (size_t i = 0; i < YAML_NODES_MAX + 1; i++)
		memcpy(text + 4 * i, "- 1\n", 4);
	refuse(text, -E2BIG, "f.yaml:4096:3: more than 4096 values");
	memset(text, '\n', size - 1);
	refuse(text, -E2BIG, "f.yaml:1:1: longer than");
	memset(text, 0, size);
	memcpy(text, "a: ", 3);
	memset(text + 3, 'x', YAML_SCALAR_MAX + 1);
	refuse(text, -E2BIG, "f.yaml:1:4: text is longer than 4096 bytes");
}

static void suggests_the_nearest_key(void **state)
{
	static const char *const allowed[] = { "interval_ms", "timeout_ms", "url", NULL };
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc = parse("url: x\ntimeoutms: 1\n");
	_cleanup_(yaml_doc_freep) struct yaml_doc *far = parse("xyz: 1\n");
	_cleanup_(yaml_doc_freep) struct yaml_doc *good = parse("url: 1\n");
	_cleanup_(yaml_doc_freep) struct yaml_doc *list = parse("[1]\n");
	struct err err = { 0 };

	(void)state;
	assert_int_equal(yaml_check_keys(doc, yaml_root(doc), allowed, &err), -EINVAL);
	assert_string_equal(err_text(&err),
			    "f.yaml:2:12: unknown key 'timeoutms', did you mean 'timeout_ms'?");
	assert_int_equal(yaml_check_keys(far, yaml_root(far), allowed, &err), -EINVAL);
	assert_string_equal(err_text(&err), "f.yaml:1:6: unknown key 'xyz'");
	assert_int_equal(yaml_check_keys(good, yaml_root(good), allowed, &err), 0);
	assert_int_equal(yaml_check_keys(list, yaml_root(list), allowed, &err), -EINVAL);
}

static void typed_readers_take_only_their_type(void **state)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc =
		parse("n: 12\nd: 0.5\nb: true\nt: text\nq: \"12\"\nneg: -1\nlist: [1]\nbig: 1e3\n");
	const struct yaml_node *m = yaml_root(doc);
	struct err err = { 0 };
	uint64_t u = 99;
	double d = 9;
	bool b = false;

	(void)state;
	assert_int_equal(yaml_get_u64(doc, m, "n", 1, 20, &u, &err), 1);
	assert_int_equal(u, 12);
	assert_int_equal(yaml_get_u64(doc, m, "none", 1, 20, &u, &err), 0);
	assert_int_equal(yaml_get_u64(doc, m, "n", 13, 20, &u, &err), -EINVAL);
	assert_string_equal(err_text(&err),
			    "f.yaml:1:4: 'n' is '12': expected a whole number from 13 to 20");
	assert_int_equal(yaml_get_u64(doc, m, "q", 1, 20, &u, &err), -EINVAL);
	assert_int_equal(yaml_get_u64(doc, m, "neg", 0, 20, &u, &err), -EINVAL);
	assert_int_equal(yaml_get_u64(doc, m, "big", 0, 2000, &u, &err), -EINVAL);
	assert_int_equal(yaml_get_u64(doc, m, "list", 0, 20, &u, &err), -EINVAL);
	assert_int_equal(u, 12);
	assert_int_equal(yaml_get_double(doc, m, "d", 0, 1, &d, &err), 1);
	assert_true(d == 0.5);
	assert_int_equal(yaml_get_double(doc, m, "t", 0, 1, &d, &err), -EINVAL);
	assert_int_equal(yaml_get_double(doc, m, "n", 0, 1, &d, &err), -EINVAL);
	assert_int_equal(yaml_get_bool(doc, m, "b", &b, &err), 1);
	assert_true(b);
	assert_int_equal(yaml_get_bool(doc, m, "n", &b, &err), -EINVAL);
}

static void yes_and_on_are_no_booleans(void **state)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc =
		parse("a: yes\nb: on\nc: True\nd: 'true'\n");
	bool b = false;

	(void)state;
	for (const char *k = "abcd"; *k; k++) {
		const char key[2] = { *k, '\0' };

		assert_int_equal(yaml_get_bool(doc, yaml_root(doc), key, &b, NULL), -EINVAL);
	}
}

static void a_key_without_a_value_is_an_error(void **state)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc = parse("a:\nb: ~\nc: null\nd: ''\n");
	struct err err = { 0 };
	char text[8] = "old";

	(void)state;
	assert_int_equal(yaml_get_string(doc, yaml_root(doc), "a", text, 8, &err), -EINVAL);
	assert_string_equal(err_text(&err), "f.yaml:1:3: 'a' has no value");
	assert_int_equal(yaml_get_string(doc, yaml_root(doc), "b", text, 8, NULL), -EINVAL);
	assert_int_equal(yaml_get_string(doc, yaml_root(doc), "c", text, 8, NULL), -EINVAL);
	assert_string_equal(text, "old");
	assert_int_equal(yaml_get_string(doc, yaml_root(doc), "d", text, 8, NULL), 1);
	assert_string_equal(text, "");
}

static void a_text_that_does_not_fit_is_refused(void **state)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc = parse("a: abcd\n");
	struct err err = { 0 };
	char text[4] = "";

	(void)state;
	assert_int_equal(yaml_get_string(doc, yaml_root(doc), "a", text, sizeof(text), &err),
			 -EINVAL);
	assert_string_equal(err_text(&err), "f.yaml:1:4: 'a' is longer than 3 bytes");
	assert_string_equal(text, "");
}

enum colour { COLOUR_RED, COLOUR_BLUE };

static const char *const colour_names[] = { "red", "blue" };
LOOKUP_DECLARE(colour, enum colour);
LOOKUP_DEFINE(colour, enum colour, colour_names);

struct thing {
	char name[8], prose[32];
	uint32_t n, flag;
	double ratio;
	enum colour colour;
};

static const struct yaml_field thing_fields[] = {
	YAML_TEXT("name", thing, name, true),
	YAML_LINES("prose", thing, prose, false),
	YAML_U32("n", thing, n, 1, 10),
	YAML_BOOL("flag", thing, flag),
	YAML_DOUBLE("ratio", thing, ratio, 0, 1),
	YAML_LOOKUP("colour", thing, colour, false, colour_from_string, "red or blue"),
	YAML_OTHER("rest", false),
	YAML_END,
};

static int read_thing(const char *text, struct thing *t, struct err *err)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc = parse(text);

	return yaml_read(doc, yaml_root(doc), thing_fields, t, err);
}

static void a_table_fills_a_struct(void **state)
{
	struct thing t = { .n = 7 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(read_thing("name: x\nprose: |\n  a\n  b\nflag: true\nratio: 0.5\n"
				    "colour: blue\nrest: [1]\n",
				    &t, &err),
			 0);
	assert_string_equal(t.name, "x");
	assert_string_equal(t.prose, "a\nb");
	assert_int_equal(t.n, 7);
	assert_int_equal(t.flag, 1);
	assert_true(t.ratio == 0.5);
	assert_int_equal(t.colour, COLOUR_BLUE);
}

static void a_table_says_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "n: 1\n", "f.yaml:1:1: 'name' is missing" },
		{ "name: x\nm: 1\n", "f.yaml:2:4: unknown key 'm', did you mean 'n'?" },
		{ "name: ''\n", "f.yaml:1:7: expected a text" },
		{ "name: |\n  a\n  b\n", "f.yaml:1:7: 'name' must be one line" },
		{ "name: [a]\n", "f.yaml:1:7: 'name': expected one value" },
		{ "name: 12345678\n", "f.yaml:1:7: longer than 7 bytes" },
		{ "name: x\nn: 11\n",
		  "f.yaml:2:4: 'n' is '11': expected a whole number from 1 to 10" },
		{ "name: x\ncolour: pink\n",
		  "f.yaml:2:9: 'colour' is 'pink': expected red or blue" },
		{ "name: x\ncolour: []\n", "f.yaml:2:9: 'colour' is '': expected red or blue" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct thing t = { 0 };
		struct err err = { 0 };

		assert_int_equal(read_thing(cases[i].text, &t, &err), -EINVAL);
		assert_string_equal(err_text(&err), cases[i].expected);
	}
}

static void lists_are_bounded(void **state)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc = parse("a: [1, 2, 3]\nb: x\n");
	const struct yaml_node *a = yaml_find(yaml_root(doc), "a");
	struct err err = { 0 };

	(void)state;
	assert_int_equal(yaml_check_list(doc, a, 3, &err), 0);
	assert_int_equal(yaml_check_list(doc, a, 2, &err), -E2BIG);
	assert_string_equal(err_text(&err), "f.yaml:1:11: 'a': more than 2 entries");
	assert_int_equal(yaml_check_list(doc, yaml_find(yaml_root(doc), "b"), 3, &err), -EINVAL);
	assert_string_equal(err_text(&err), "f.yaml:2:4: 'b': expected a list");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_structure_order_and_places),
		cmocka_unit_test(an_empty_text_is_an_empty_mapping),
		cmocka_unit_test(refuses_a_duplicate_key_at_its_place),
		cmocka_unit_test(refuses_anchors_aliases_and_tags),
		cmocka_unit_test(refuses_a_second_document),
		cmocka_unit_test(refuses_keys_that_are_no_words),
		cmocka_unit_test(says_where_the_syntax_is_wrong),
		cmocka_unit_test(refuses_control_characters_and_bad_utf8),
		cmocka_unit_test(refuses_a_nul_in_the_file),
		cmocka_unit_test(stops_at_the_depth_limit),
		cmocka_unit_test(a_nesting_bomb_costs_nothing),
		cmocka_unit_test(bounds_the_number_of_values_and_the_length),
		cmocka_unit_test(suggests_the_nearest_key),
		cmocka_unit_test(typed_readers_take_only_their_type),
		cmocka_unit_test(yes_and_on_are_no_booleans),
		cmocka_unit_test(a_key_without_a_value_is_an_error),
		cmocka_unit_test(a_text_that_does_not_fit_is_refused),
		cmocka_unit_test(a_table_fills_a_struct),
		cmocka_unit_test(a_table_says_what_is_wrong),
		cmocka_unit_test(lists_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
