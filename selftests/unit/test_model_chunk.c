/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "model/chunk.h"
#include "model/searchterms.h"

struct seen {
	unsigned n;
	size_t longest, bytes;
	char text[1024];
};

static int take(void *userdata, const struct chunk *c, struct err *reterr)
{
	struct seen *s = userdata;

	(void)reterr;
	s->n++;
	s->bytes += c->length;
	s->longest = c->length > s->longest ? c->length : s->longest;
	assert_true(str_is_clean_text(c->body, c->length));
	if (c->length < 100)
		str_append(s->text, sizeof(s->text), "[%s] %.*s\n", c->section, (int)c->length,
			   c->body);
	return 0;
}

static struct seen split(const char *text, enum chunk_form form)
{
	struct seen s = { 0 };

	assert_int_equal(chunk_split(text, strlen(text), form, take, &s, NULL), 0);
	return s;
}

static void markdown_is_cut_at_headings_outside_of_fences(void **state)
{
	struct seen s = split("intro\n\n# One\n\na\n```\n# code\n```\n\n## Two\n\n\nb\n#no\n",
			      CHUNK_FORM_MARKDOWN);

	(void)state;
	assert_string_equal(s.text, "[] intro\n[One] a\n```\n# code\n```\n[Two] b\n#no\n");
}

static void a_manual_page_is_cut_at_what_begins_in_the_first_column(void **state)
{
	struct seen s = split("NAME\n       ls - list\n\nEXIT STATUS\n       0 if OK\n",
			      CHUNK_FORM_MAN);

	(void)state;
	assert_string_equal(s.text, "[NAME]        ls - list\n[EXIT STATUS]        0 if OK\n");
}

static void yaml_is_cut_at_its_first_keys_and_keeps_them(void **state)
{
	struct seen s = split("openapi: 3.0.0\npaths:\n  /a:\n    get: x\n", CHUNK_FORM_KEYS);

	(void)state;
	assert_string_equal(s.text,
			    "[openapi] openapi: 3.0.0\n[paths] paths:\n  /a:\n    get: x\n");
}

static void empty_sections_give_nothing(void **state)
{
	(void)state;
	assert_int_equal(split("", CHUNK_FORM_MARKDOWN).n, 0);
	assert_int_equal(split("\n \n\t\n", CHUNK_FORM_PLAIN).n, 0);
	assert_int_equal(split("# A\n# B\n\n", CHUNK_FORM_MARKDOWN).n, 0);
}

static void a_long_section_is_cut_at_empty_lines_first(void **state)
{
	static char text[16 * 1024];
	struct seen s;

	(void)state;
	text[0] = '\0';
	for (unsigned i = 0; i < 100; i++)
		str_append(text, sizeof(text), "%s",
			   "sixty bytes in this line, so that a screen is "
			   "forty of it.\n\n");
	s = split(text, CHUNK_FORM_PLAIN);
	assert_true(s.n >= 3 && s.longest <= CHUNK_BYTES_MAX);
	assert_true(s.longest > CHUNK_BYTES_MAX - 120);
	assert_true(s.bytes > strlen(text) - 20);
}

static void a_line_without_end_is_cut_between_characters(void **state)
{
	static char text[3 * CHUNK_BYTES_MAX + 4];
	struct seen s;

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	text[sizeof(text) - 2] = '\0';
	s = split(text + 0, CHUNK_FORM_PLAIN);
	assert_true(s.n >= 3 && s.longest <= CHUNK_BYTES_MAX);
	assert_int_equal(s.bytes, strlen(text));
}

static const char *terms(const char *text)
{
	static char match[SEARCH_MATCH_MAX];

	(void)search_terms(text, match);
	return match;
}

static void words_are_quoted_and_joined_by_or(void **state)
{
	(void)state;
	assert_string_equal(terms("No space left, no inodes"),
			    "\"no\" OR \"space\" OR \"left\" OR \"inodes\"");
	assert_string_equal(terms("status=203/EXEC"), "\"status\" OR \"203\" OR \"exec\"");
}

static void operators_of_fts5_become_words_or_nothing(void **state)
{
	(void)state;
	assert_string_equal(terms("\"a\" NEAR(b c, 5) ^ * - : {} ()"), "\"near\" OR \"5\"");
	assert_string_equal(terms("title:x OR y AND NOT z"), "\"title\" OR \"not\"");
	assert_string_equal(terms("'; DROP TABLE t; --"), "\"drop\" OR \"table\"");
}

static void what_says_nothing_is_no_question(void **state)
{
	(void)state;
	assert_string_equal(terms("the of a to"), "");
	assert_string_equal(terms(""), "");
	assert_string_equal(terms("\x01\x02 ... ???"), "");
}

static void a_question_without_end_is_bounded(void **state)
{
	static char text[64 * 1024];
	char match[SEARCH_MATCH_MAX];

	(void)state;
	for (size_t i = 0; i + 6 < sizeof(text); i += 6)
		str_append(text + i, 7, "%05zx ", i);
	assert_int_equal(search_terms(text, match), SEARCH_TERMS_MAX);
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(search_terms(text, match), 1);
	assert_int_equal(strlen(match), SEARCH_WORD_MAX - 1 + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(markdown_is_cut_at_headings_outside_of_fences),
		cmocka_unit_test(a_manual_page_is_cut_at_what_begins_in_the_first_column),
		cmocka_unit_test(yaml_is_cut_at_its_first_keys_and_keeps_them),
		cmocka_unit_test(empty_sections_give_nothing),
		cmocka_unit_test(a_long_section_is_cut_at_empty_lines_first),
		cmocka_unit_test(a_line_without_end_is_cut_between_characters),
		cmocka_unit_test(words_are_quoted_and_joined_by_or),
		cmocka_unit_test(operators_of_fts5_become_words_or_nothing),
		cmocka_unit_test(what_says_nothing_is_no_question),
		cmocka_unit_test(a_question_without_end_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
