/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "selftests/unit/tree.h"
#include "sys/knowledge.h"

static char path[256];

static int add(struct knowledge *k, const char *name, const char *text)
{
	const struct knowledge_document d = {
		.kind = name[0] == 'm' ? KNOWLEDGE_KIND_MANUAL : KNOWLEDGE_KIND_DOCUMENT,
		.form = CHUNK_FORM_MARKDOWN,
		.name = name,
		.title = name,
		.path = name,
		.text = text,
		.length = strlen(text),
	};
	struct err err = { 0 };
	int r = knowledge_add(k, &d, &err);

	if (r < 0)
		fail_msg("%s", err_text(&err));
	return r;
}

static struct knowledge *create(const char *file)
{
	struct knowledge *k = NULL;
	struct err err = { 0 };

	if (knowledge_create(file, &k, &err) < 0)
		fail_msg("%s", err_text(&err));
	return k;
}

static int setup(void **state)
{
	struct tree *t;

	if (tree_setup(state) < 0)
		return -1;
	t = *state;
	path[0] = '\0';
	str_append(path, sizeof(path), "%s/knowledge.db", t->path);
	return 0;
}

static void what_was_built_is_found_by_who_opens_it_later(void **state)
{
	_cleanup_(knowledge_closep) struct knowledge *k = create(path);
	struct knowledge_hit hits[4];
	struct knowledge_stats count;
	char inputs[65] = "";

	(void)state;
	assert_int_equal(add(k, "disk", "# Full\n\nno space left on the device\n"), 1);
	assert_int_equal(add(k, "net", "# Slow\n\npackets are lost\n\n# Full\n\nqueues\n"), 1);
	assert_int_equal(knowledge_set_inputs(k, "abc", NULL), 0);
	assert_int_equal(knowledge_finish(k, NULL), 0);
	k = knowledge_close(k);
	assert_int_equal(knowledge_open(path, &k, NULL), 0);
	assert_int_equal(
		knowledge_search(k, "spaces on devices?", _KNOWLEDGE_KIND_MAX, hits, 4, NULL), 1);
	assert_string_equal(hits[0].name, "disk");
	assert_string_equal(hits[0].section, "Full");
	assert_non_null(
		strstr(hits[0].snippet, "no " KNOWLEDGE_MARK_BEGIN "space" KNOWLEDGE_MARK_END));
	assert_true(hits[0].score > 0);
	assert_int_equal(knowledge_count(k, &count, NULL), 0);
	assert_int_equal(count.documents, 2);
	assert_int_equal(count.chunks, 3);
	assert_int_equal(knowledge_inputs(k, inputs, NULL), 0);
	assert_string_equal(inputs, "abc");
}

static void the_same_text_is_kept_once(void **state)
{
	_cleanup_(knowledge_closep) struct knowledge *k = create(path);

	(void)state;
	assert_int_equal(add(k, "a", "# A\n\nx\n"), 1);
	assert_int_equal(add(k, "b", "# A\n\nx\n"), 0);
	assert_int_equal(add(k, "c", "# C\n\nx\n\n# D\n\ny\n"), 1);
	assert_int_equal(knowledge_stats(k)->same_documents, 1);
	assert_int_equal(knowledge_stats(k)->same_chunks, 1);
	assert_int_equal(knowledge_stats(k)->chunks, 2);
}

static void what_is_no_text_is_refused_and_counted(void **state)
{
	_cleanup_(knowledge_closep) struct knowledge *k = create(path);

	(void)state;
	assert_int_equal(add(k, "a", "bell \a and \xff"), 0);
	assert_int_equal(knowledge_stats(k)->refused, 1);
	assert_int_equal(knowledge_stats(k)->documents, 0);
}

static void a_kind_can_be_asked_for_alone(void **state)
{
	_cleanup_(knowledge_closep) struct knowledge *k = create(path);
	struct knowledge_hit hits[4];

	(void)state;
	(void)add(k, "doc", "# A\n\nrestart nginx\n");
	(void)add(k, "man", "# B\n\nnginx restart\n");
	assert_int_equal(knowledge_search(k, "nginx", _KNOWLEDGE_KIND_MAX, hits, 4, NULL), 2);
	assert_int_equal(knowledge_search(k, "nginx", KNOWLEDGE_KIND_MANUAL, hits, 4, NULL), 1);
	assert_string_equal(hits[0].name, "man");
	assert_int_equal(knowledge_search(k, "nginx", _KNOWLEDGE_KIND_MAX, hits, 1, NULL), 1);
}

static void hostile_questions_find_nothing_and_break_nothing(void **state)
{
	static const char *const questions[] = {
		"\"",
		"a\"b\"c OR",
		"NEAR(x y)",
		"title : x",
		"^x*",
		"- -- ; DROP TABLE chunks",
		"{a b}: c",
		"((((",
		"x AND NOT",
		"\xff\xfe\x80 zz",
		"\xe2\x80\x9cquoted\xe2\x80\x9d",
	};
	_cleanup_(knowledge_closep) struct knowledge *k = create(path);
	struct knowledge_hit hit;

	(void)state;
	(void)add(k, "doc", "# A\n\nnothing of it\n");
	for (size_t i = 0; i < ELEMENTSOF(questions); i++) {
		struct err err = { 0 };
		int n = knowledge_search(k, questions[i], _KNOWLEDGE_KIND_MAX, &hit, 1, &err);

		if (n != 0 && n != -ENODATA)
			fail_msg("'%s': %d %s", questions[i], n, err_text(&err));
	}
	assert_int_equal(knowledge_search(k, "of the", _KNOWLEDGE_KIND_MAX, &hit, 1, NULL),
			 -ENODATA);
}

static void a_file_that_is_not_ours_is_refused(void **state)
{
	struct tree *t = *state;
	struct knowledge *k = NULL;
	struct err err = { 0 };

	assert_int_equal(knowledge_open(path, &k, &err), -ENOENT);
	tree_write(t, "knowledge.db",
		   "this is no database at all, but long enough to look at.....");
	assert_int_equal(knowledge_open(path, &k, &err), -EUCLEAN);
	assert_null(k);
}

static void texts_made_by_tools_are_kept_by_hash(void **state)
{
	_cleanup_(knowledge_closep) struct knowledge *k = create(path);
	_cleanup_free_ char *text = NULL;

	(void)state;
	assert_int_equal(knowledge_find_text(k, "h", &text, NULL), 0);
	assert_int_equal(knowledge_keep_text(k, "h", "made", NULL), 0);
	assert_int_equal(knowledge_find_text(k, "h", &text, NULL), 1);
	assert_string_equal(text, "made");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_built_is_found_by_who_opens_it_later,
						setup, tree_teardown),
		cmocka_unit_test_setup_teardown(the_same_text_is_kept_once, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(what_is_no_text_is_refused_and_counted, setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(a_kind_can_be_asked_for_alone, setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(hostile_questions_find_nothing_and_break_nothing,
						setup, tree_teardown),
		cmocka_unit_test_setup_teardown(a_file_that_is_not_ours_is_refused, setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(texts_made_by_tools_are_kept_by_hash, setup,
						tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
