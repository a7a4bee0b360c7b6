/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "model/audit.h"
#include "selftests/unit/tree.h"

static struct audit_entry entry_of(uint64_t seq)
{
	struct audit_entry e = { .seq = seq, .wall_us = 1790000000000000, .boot_ns = 7 };

	memset(e.boot_id, 'b', sizeof(e.boot_id) - 1);
	(void)str_copy(e.actor, sizeof(e.actor), "alice (uid 1000)");
	(void)str_copy(e.what, sizeof(e.what), "approve");
	(void)str_copy(e.attempt.action, sizeof(e.attempt.action), "unit.start");
	(void)str_copy(e.attempt.text, sizeof(e.attempt.text), "say \"hi\"\n\x1b");
	return e;
}

/* n lines of one chain from head on. Returns text; *head is moved. */
static char *chain(struct audit_head *head, unsigned n)
{
	char *text = calloc(n + 1, AUDIT_LINE_MAX);
	size_t used = 0;

	assert_non_null(text);
	for (unsigned i = 0; i < n; i++) {
		struct audit_entry e = entry_of(head->n + 1);
		int r = audit_line_format(&e, head, text + used, head, NULL);

		assert_true(r > 0);
		used += (size_t)r;
	}
	return text;
}

static void a_line_checks_against_the_one_before(void **state)
{
	struct audit_head start, head, seen;
	struct audit_key key = { 0 };
	_cleanup_free_ char *text = NULL;

	(void)state;
	audit_head_init(&start);
	head = start;
	text = chain(&head, 1);
	assert_int_equal(audit_line_check(text, strlen(text) - 1, &start, &seen, &key, NULL), 0);
	assert_string_equal(seen.hash, head.hash);
	assert_true(seen.n == 1 && key.seq == 1);
	assert_memory_equal(key.boot_id, "bbbb", 4);
}

static void a_line_is_one_clean_json_object(void **state)
{
	struct audit_head head;
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ struct json_object *o = NULL;
	const char *prev = NULL;

	(void)state;
	audit_head_init(&head);
	text = chain(&head, 1);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_int_equal(json_parse(text, strlen(text) - 1, &o, NULL), 0);
	assert_int_equal(json_get_string(o, "prev", &prev, NULL), 0);
	assert_int_equal(strspn(prev, "0"), 64);
}

/* The known answer: SHA-256 of prev and the bytes before ,"hash":. */
static void the_hash_is_of_prev_and_the_bytes_before_it(void **state)
{
	struct audit_head head;
	struct audit_entry e = { .seq = 1 };
	char line[AUDIT_LINE_MAX] = "", expected[SHA256_HEX_MAX] = "", input[AUDIT_LINE_MAX] = "";
	const char *tail;

	(void)state;
	audit_head_init(&head);
	str_append(input, sizeof(input), "%s", head.hash);
	assert_true(audit_line_format(&e, &head, line, &head, NULL) > 0);
	tail = strstr(line, ",\"hash\":\"");
	assert_non_null(tail);
	str_append(input, sizeof(input), "%.*s", (int)(tail - line), line);
	assert_int_equal(sha256_hex(input, strlen(input), expected), 0);
	assert_string_equal(head.hash, expected);
	assert_memory_equal(tail + 9, expected, 64);
}

static void every_flipped_byte_is_found(void **state)
{
	struct audit_head start, head, seen;
	_cleanup_free_ char *text = NULL;
	size_t length;

	(void)state;
	audit_head_init(&start);
	head = start;
	text = chain(&head, 1);
	length = strlen(text) - 1;
	for (size_t i = 0; i < length; i++) {
		text[i] = (char)(text[i] ^ 1);
		assert_int_equal(audit_line_check(text, length, &start, &seen, NULL, NULL),
				 -EBADMSG);
		text[i] = (char)(text[i] ^ 1);
	}
	assert_int_equal(audit_line_check(text, length, &start, &seen, NULL, NULL), 0);
}

static void every_cut_line_is_found(void **state)
{
	struct audit_head start, head, seen;
	_cleanup_free_ char *text = NULL;

	(void)state;
	audit_head_init(&start);
	head = start;
	text = chain(&head, 1);
	for (size_t i = 0; i < strlen(text) - 1; i++)
		assert_int_equal(audit_line_check(text, i, &start, &seen, NULL, NULL), -EBADMSG);
}

static void the_longest_entry_fits(void **state)
{
	struct audit_head head;
	struct audit_entry e = entry_of(UINT64_MAX);
	char line[AUDIT_LINE_MAX] = "";

	(void)state;
	audit_head_init(&head);
	memset(e.attempt.text, '"', sizeof(e.attempt.text) - 1);
	memset(e.attempt.actor, 1, sizeof(e.attempt.actor) - 1);
	e.attempt.params.n = PARAMS_MAX;
	for (int i = 0; i < PARAMS_MAX; i++)
		memset(e.attempt.params.v[i].text, '\\', PARAM_TEXT_MAX - 1);
	assert_true(audit_line_format(&e, &head, line, &head, NULL) > 0);
}

static void segments_verify_as_one_chain(void **state)
{
	const struct tree *t = *state;
	struct audit_head head;
	struct audit_report report;
	_cleanup_free_ char *one = NULL, *two = NULL;

	audit_head_init(&head);
	one = chain(&head, 3);
	two = chain(&head, 2);
	tree_write(t, "000001.jsonl", one);
	tree_write(t, "000002.jsonl", two);
	assert_int_equal(audit_verify(t->fd, &report, NULL), 0);
	assert_true(report.lines == 5 && report.segments == 2);
	assert_string_equal(report.head.hash, head.hash);
}

static void verify_fails_with(const struct tree *t, const char *text)
{
	struct audit_report report;
	struct err err = { 0 };

	assert_int_equal(audit_verify(t->fd, &report, &err), -EBADMSG);
	assert_string_equal(err.text, text);
}

static void a_swapped_line_is_named(void **state)
{
	const struct tree *t = *state;
	struct audit_head head;
	_cleanup_free_ char *one = NULL, *two = NULL, *three = NULL, *text = NULL;

	audit_head_init(&head);
	one = chain(&head, 1);
	two = chain(&head, 1);
	three = chain(&head, 1);
	assert_true(asprintf(&text, "%s%s%s", one, three, two) > 0);
	tree_write(t, "000001.jsonl", text);
	verify_fails_with(t,
			  "verify audit: 000001.jsonl:2: the hash does not match the line and the "
			  "line before it");
}

static void a_line_without_its_end_is_named(void **state)
{
	const struct tree *t = *state;
	struct audit_head head;
	_cleanup_free_ char *text = NULL;

	audit_head_init(&head);
	text = chain(&head, 2);
	text[strlen(text) - 10] = '\0';
	tree_write(t, "000001.jsonl", text);
	verify_fails_with(t, "verify audit: 000001.jsonl:2: the last line is not complete");
}

static void a_missing_segment_is_named(void **state)
{
	const struct tree *t = *state;
	struct audit_head head;
	_cleanup_free_ char *text = NULL;

	audit_head_init(&head);
	text = chain(&head, 2);
	tree_write(t, "000001.jsonl", text);
	tree_write(t, "000003.jsonl", text);
	verify_fails_with(t, "verify audit: 000002.jsonl:1: the segment is missing");
}

static char *cut_line(struct audit_head *head, const struct audit_head *begin)
{
	struct audit_entry e = { .seq = begin->n };
	char *line = malloc(AUDIT_LINE_MAX);

	assert_non_null(line);
	(void)str_copy(e.what, sizeof(e.what), AUDIT_WHAT_CUT);
	str_append(e.attempt.text, sizeof(e.attempt.text), "%d %s", (int)begin->n, begin->hash);
	assert_true(audit_line_format(&e, head, line, head, NULL) > 0);
	return line;
}

static char *false_cut_line(struct audit_head *head, const struct audit_head *begin)
{
	struct audit_entry e = { .seq = 9 };
	char *line = malloc(AUDIT_LINE_MAX);

	assert_non_null(line);
	(void)str_copy(e.what, sizeof(e.what), "start");
	str_append(e.attempt.text, sizeof(e.attempt.text), "%d %s", (int)begin->n, begin->hash);
	str_append(e.attempt.actor, sizeof(e.attempt.actor), "\",\"what\":\"cut\",\"");
	assert_true(audit_line_format(&e, head, line, head, NULL) > 0);
	return line;
}

static void a_beginning_that_was_removed_is_accounted_for(void **state)
{
	const struct tree *t = *state;
	struct audit_head head, begin, lies;
	struct audit_report report;
	_cleanup_free_ char *gone = NULL, *left = NULL, *cut = NULL, *more = NULL, *lie = NULL;

	audit_head_init(&head);
	gone = chain(&head, 3);
	begin = head;
	left = chain(&head, 2);
	tree_write(t, "000002.jsonl", left);
	verify_fails_with(t, "verify audit: 000002.jsonl:1: the trail begins with line 4, and does "
			     "not say that what was before it was removed");
	/* What somebody else's text says does not count. */
	lies = head;
	lie = false_cut_line(&lies, &begin);
	tree_write(t, "000003.jsonl", lie);
	verify_fails_with(t, "verify audit: 000002.jsonl:1: the trail begins with line 4, and does "
			     "not say that what was before it was removed");
	cut = cut_line(&head, &begin);
	tree_write(t, "000003.jsonl", cut);
	assert_int_equal(audit_verify(t->fd, &report, NULL), 0);
	assert_int_equal(report.begin.n, 3);
	assert_int_equal(report.lines, 3);
	/* Killed before it removed anything: more is left than it says. */
	tree_write(t, "000001.jsonl", gone);
	assert_int_equal(audit_verify(t->fd, &report, NULL), 0);
	assert_int_equal(report.begin.n, 0);
	/* Somebody removed more than it says. */
	more = chain(&head, 1);
	tree_write(t, "000004.jsonl", more);
	for (int i = 1; i <= 3; i++) {
		char name[AUDIT_SEGMENT_NAME] = "";

		assert_int_equal(unlinkat(t->fd, audit_segment_name((unsigned)i, name), 0), 0);
	}
	verify_fails_with(t, "verify audit: 000004.jsonl:1: the trail begins with line 7, and does "
			     "not say that what was before it was removed");
}

static void an_empty_trail_verifies(void **state)
{
	const struct tree *t = *state;
	struct audit_report report;

	assert_int_equal(audit_verify(t->fd, &report, NULL), 0);
	assert_true(report.lines == 0);
	tree_write(t, "notes.txt", "x");
	tree_write(t, "0000x1.jsonl", "x");
	assert_int_equal(audit_verify(t->fd, &report, NULL), 0);
}

static void an_anchor_shows_an_end_that_was_cut_off(void **state)
{
	struct audit_head head;
	struct err err = { 0 };
	_cleanup_free_ char *text = NULL, *same = NULL, *later = NULL, *other = NULL;

	(void)state;
	audit_head_init(&head);
	text = chain(&head, 3);
	assert_true(asprintf(&same, "3 %s", head.hash) > 0);
	assert_true(asprintf(&later, "4 %s", head.hash) > 0);
	assert_true(asprintf(&other, "3 %064d", 0) > 0);
	assert_int_equal(audit_compare_anchor(&head, same, NULL), 1);
	assert_int_equal(audit_compare_anchor(&head, later, &err), -EBADMSG);
	assert_string_equal(err.text,
			    "compare audit: the trail ends with line 3, but 4 were written: "
			    "its end was cut off");
	assert_int_equal(audit_compare_anchor(&head, other, NULL), -EBADMSG);
	other[0] = '2';
	assert_int_equal(audit_compare_anchor(&head, other, NULL), 0);
	assert_int_equal(audit_compare_anchor(&head, "", NULL), -EBADMSG);
	assert_int_equal(audit_compare_anchor(&head, "3", NULL), -EBADMSG);
	assert_int_equal(audit_compare_anchor(&head, "3 abc", NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_checks_against_the_one_before),
		cmocka_unit_test(a_line_is_one_clean_json_object),
		cmocka_unit_test(the_hash_is_of_prev_and_the_bytes_before_it),
		cmocka_unit_test(every_flipped_byte_is_found),
		cmocka_unit_test(every_cut_line_is_found),
		cmocka_unit_test(the_longest_entry_fits),
		cmocka_unit_test(an_anchor_shows_an_end_that_was_cut_off),
		cmocka_unit_test_setup_teardown(segments_verify_as_one_chain, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(a_swapped_line_is_named, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(a_line_without_its_end_is_named, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(a_missing_segment_is_named, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(a_beginning_that_was_removed_is_accounted_for,
						tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(an_empty_trail_verifies, tree_setup, tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
