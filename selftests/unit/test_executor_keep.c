/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include "executor/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "executor/store.h"
#include "selftests/unit/tree.h"

/* Two boots: what the first leaves on the disk, the second finds in an empty /run. */

#define OTHER_BOOT "fedcba9876543210fedcba9876543210"

static const char *path_of(const struct tree *t, const char *name)
{
	static char paths[4][128];
	static unsigned n;
	char *path = paths[n++ % ELEMENTSOF(paths)];

	path[0] = '\0';
	str_append(path, sizeof(paths[0]), "%s/%s", t->path, name);
	return path;
}

static int setup(void **state)
{
	const struct tree *t;

	if (tree_setup(state) < 0)
		return -1;
	t = *state;
	return mkdirat(t->fd, "run1", 0700) | mkdirat(t->fd, "run2", 0700) |
	       mkdirat(t->fd, "disk", 0700);
}

static void begin(const struct tree *t, const char *run, struct store *s, struct broker *b)
{
	static const struct broker_ops ops;

	assert_int_equal(store_open(s, path_of(t, run), NULL), 0);
	broker_init(b, &ops, NULL, s->boot_id);
}

/* Paused, in mode suggest, one action done: in an earlier boot. */
static void live_once(const struct tree *t)
{
	struct broker_state st = { .mode = AUTONOMY_SUGGEST, .paused = 1 };
	const struct entity on = entity_make(ENTITY_KIND_UNIT, "a.service");
	static struct broker b;
	struct store s;

	begin(t, "run1", &s, &b);
	(void)str_copy(b.budget.boot_id, sizeof(b.budget.boot_id), OTHER_BOOT);
	budget_spend(&b.budget, "unit.start", &on, clock_boot_ns());
	assert_int_equal(store_save_state(&s, &st, NULL), 0);
	assert_int_equal(store_save_budget(&s, &b.budget, NULL), 0);
	broker_done(&b);
	store_done(&s);
}

static void keeps_mode_pause_and_budget_over_a_reboot(void **state)
{
	const struct tree *t = *state;
	static struct broker b;
	struct store s;

	live_once(t);
	assert_int_equal(keep_save(path_of(t, "run1"), path_of(t, "disk"), NULL), 0);
	begin(t, "run2", &s, &b);
	assert_int_equal(keep_restore(path_of(t, "run2"), path_of(t, "disk"), NULL), 0);
	assert_int_equal(store_load(&s, &b), 0);
	assert_int_equal(b.state.mode, AUTONOMY_SUGGEST);
	assert_int_equal(b.state.paused, 1);
	assert_int_equal(budget_count_hour(&b.budget, clock_boot_ns()), 1);
	assert_string_equal(b.budget.boot_id, s.boot_id);
	broker_done(&b);
	store_done(&s);
}

static void restores_nothing_over_what_is_there(void **state)
{
	struct broker_state st = { .mode = AUTONOMY_AUTO };
	const struct tree *t = *state;
	static struct broker b;
	struct store s;

	live_once(t);
	assert_int_equal(keep_save(path_of(t, "run1"), path_of(t, "disk"), NULL), 0);
	begin(t, "run2", &s, &b);
	assert_int_equal(store_save_state(&s, &st, NULL), 0);
	assert_int_equal(keep_restore(path_of(t, "run2"), path_of(t, "disk"), NULL), 0);
	assert_int_equal(store_load(&s, &b), 0);
	assert_int_equal(b.state.paused, 0);
	broker_done(&b);
	store_done(&s);
}

static void a_saved_file_that_is_damaged_pauses(void **state)
{
	const struct tree *t = *state;
	static struct broker b;
	struct store s;

	tree_write(t, "disk/state", "damaged");
	begin(t, "run2", &s, &b);
	assert_int_equal(keep_restore(path_of(t, "run2"), path_of(t, "disk"), NULL), 0);
	assert_int_equal(store_load(&s, &b), 1);
	assert_int_equal(b.state.paused, 1);
	broker_done(&b);
	store_done(&s);
}

static void the_first_boot_has_nothing_to_restore(void **state)
{
	const struct tree *t = *state;
	static struct broker b;
	struct store s;

	begin(t, "run2", &s, &b);
	assert_int_equal(keep_restore(path_of(t, "run2"), path_of(t, "disk"), NULL), 0);
	assert_int_equal(store_load(&s, &b), 0);
	assert_int_equal(b.state.paused, 0);
	assert_int_equal(keep_save(path_of(t, "run2"), path_of(t, "disk"), NULL), 0);
	broker_done(&b);
	store_done(&s);
}

/* Each write waits for the disk. */
static void writes_only_what_has_changed(void **state)
{
	const struct tree *t = *state;
	struct stat before = { 0 }, after = { 0 };

	live_once(t);
	assert_int_equal(keep_save(path_of(t, "run1"), path_of(t, "disk"), NULL), 0);
	assert_int_equal(fstatat(t->fd, "disk/state", &before, 0), 0);
	assert_int_equal(keep_save(path_of(t, "run1"), path_of(t, "disk"), NULL), 0);
	assert_int_equal(fstatat(t->fd, "disk/state", &after, 0), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keeps_mode_pause_and_budget_over_a_reboot),
		TEST(restores_nothing_over_what_is_there),
		TEST(a_saved_file_that_is_damaged_pauses),
		TEST(the_first_boot_has_nothing_to_restore),
		TEST(writes_only_what_has_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
