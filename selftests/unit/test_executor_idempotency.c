/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "executor/store.h"
#include "selftests/unit/tree.h"

#define T0_NS   (1000 * NS_PER_S)
#define ATTEMPT "0123456789abcdef0123456789abcdef"

static struct idempotency keys;

static int begin(void **state)
{
	memset(&keys, 0, sizeof(keys));
	(void)state;
	return 0;
}

static struct idempotency_ask ask(const char *who, const char *key, const char *request)
{
	struct idempotency_ask a = { 0 };

	assert_int_equal(idempotency_ask(who, key, request, &a, NULL), 0);
	return a;
}

static int add(const struct idempotency_ask *a, uint64_t now_ns)
{
	struct idempotency_row *row;

	return idempotency_add(&keys, a, ATTEMPT, now_ns, &row, NULL);
}

static void finds_the_same_request_of_the_same_caller_alone(void **state)
{
	struct idempotency_ask mine = ask("uid 1", "k", "restart a"),
			       others = ask("uid 2", "k", "restart a"),
			       changed = ask("uid 1", "k", "restart b");
	struct idempotency_row *row = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(idempotency_find(&keys, &mine, T0_NS, &row, NULL), 0);
	assert_int_equal(add(&mine, T0_NS), 0);
	assert_int_equal(idempotency_find(&keys, &mine, T0_NS, &row, NULL), 1);
	assert_string_equal(row->attempt, ATTEMPT);
	assert_int_equal(idempotency_find(&keys, &others, T0_NS, &row, NULL), 0);
	assert_int_equal(idempotency_find(&keys, &changed, T0_NS, &row, &err), -EEXIST);
	assert_string_equal(err_text(&err),
			    "header 'Idempotency-Key': it was used for another request");
	idempotency_remove(&keys, &keys.v[0]);
	assert_int_equal(idempotency_find(&keys, &mine, T0_NS, &row, NULL), 0);
}

static void forgets_after_a_day(void **state)
{
	struct idempotency_ask mine = ask("uid 1", "k", "restart a");
	struct idempotency_row *row = NULL;

	(void)state;
	assert_int_equal(add(&mine, T0_NS), 0);
	assert_int_equal(
		idempotency_find(&keys, &mine, T0_NS + IDEMPOTENCY_SPAN_NS - 1, &row, NULL), 1);
	assert_int_equal(idempotency_find(&keys, &mine, T0_NS + IDEMPOTENCY_SPAN_NS, &row, NULL),
			 0);
	assert_int_equal(keys.n, 0);
}

static void is_full_until_the_oldest_is_a_day_old(void **state)
{
	struct idempotency_ask one = { 0 };

	(void)state;
	for (unsigned i = 0; i < IDEMPOTENCY_ROWS_MAX; i++) {
		char key[16] = "";

		str_append(key, sizeof(key), "k%u", i);
		one = ask("uid 1", key, "r");
		assert_int_equal(add(&one, T0_NS + i), 0);
	}
	one = ask("uid 1", "more", "r");
	assert_int_equal(add(&one, T0_NS + IDEMPOTENCY_SPAN_NS - 1), -EBUSY);
	assert_int_equal(add(&one, T0_NS + IDEMPOTENCY_SPAN_NS), 0);
}

static void takes_only_keys_that_can_be_seen(void **state)
{
	static const char *const bad[] = { "", "a b", "a\tb", "\x7f", "\xc3\xa9" };
	char text[IDEMPOTENCY_KEY_MAX + 2];
	struct idempotency_ask a = { 0 };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		assert_int_equal(idempotency_ask("uid 1", bad[i], "r", &a, NULL), -EINVAL);
	memset(text, 'x', sizeof(text));
	text[IDEMPOTENCY_KEY_MAX + 1] = '\0';
	assert_int_equal(idempotency_ask("uid 1", text, "r", &a, NULL), -EINVAL);
	text[IDEMPOTENCY_KEY_MAX] = '\0';
	assert_int_equal(idempotency_ask("uid 1", text, "r", &a, NULL), 0);
}

static void outlives_the_process_and_not_the_boot(void **state)
{
	struct idempotency_ask mine = ask("uid 1", "k", "restart a");
	static struct idempotency read;
	struct store s;

	assert_int_equal(store_open(&s, ((const struct tree *)*state)->path, NULL), 0);
	assert_int_equal(store_load_keys(&s, &keys, NULL), 0);
	assert_int_equal(add(&mine, T0_NS), 0);
	assert_int_equal(store_save_keys(&s, &keys, NULL), 0);
	assert_int_equal(store_load_keys(&s, &read, NULL), 0);
	assert_int_equal(read.n, 1);
	assert_string_equal(read.v[0].attempt, ATTEMPT);
	(void)str_copy(keys.boot_id, sizeof(keys.boot_id), ATTEMPT);
	assert_int_equal(store_save_keys(&s, &keys, NULL), 0);
	assert_int_equal(store_load_keys(&s, &read, NULL), 0);
	assert_int_equal(read.n, 0);
	store_done(&s);
}

static void a_file_that_cannot_be_read_is_said_to_be_lost(void **state)
{
	const struct tree *t = *state;
	struct store s;

	tree_write(t, "exec/idempotency", "what");
	assert_int_equal(store_open(&s, t->path, NULL), 0);
	assert_int_equal(store_load_keys(&s, &keys, NULL), -EBADMSG);
	assert_int_equal(keys.n, 0);
	assert_int_equal(store_load_keys(&s, &keys, NULL), 0);
	store_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(finds_the_same_request_of_the_same_caller_alone, begin),
		cmocka_unit_test_setup(forgets_after_a_day, begin),
		cmocka_unit_test_setup(is_full_until_the_oldest_is_a_day_old, begin),
		cmocka_unit_test(takes_only_keys_that_can_be_seen),
		cmocka_unit_test_setup_teardown(outlives_the_process_and_not_the_boot, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(a_file_that_cannot_be_read_is_said_to_be_lost,
						tree_setup, tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
