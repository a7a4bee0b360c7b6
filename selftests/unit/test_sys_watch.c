/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include "sys/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "selftests/unit/tree.h"

#define ROOT "sys/fs/cgroup/"

static struct watch *watch_of(const struct tree *t)
{
	static const char *const names[] = { "a.service", "b.service" };
	struct watch *w = NULL;

	tree_write(t, ROOT "cgroup.procs", "");
	tree_write(t, ROOT "cgroup.controllers", "");
	assert_int_equal(watch_new(t->fd, &w, NULL), 0);
	assert_int_equal(watch_set_units(w, names, 2, NULL), 0);
	return w;
}

static void notices_a_cgroup_that_comes_and_goes(void **state)
{
	const struct tree *t = *state;
	_cleanup_(watch_freep) struct watch *w = watch_of(t);
	struct watch_unit *u = watch_find(w, "a.service");
	uint32_t first;

	assert_int_equal(watch_refresh_cgroup(w, u), 0);
	assert_int_equal(u->cgroup_id, 0);
	tree_write(t, ROOT "system.slice/a.service/cgroup.procs", "1\n");
	assert_int_equal(watch_refresh_cgroup(w, u), 1);
	assert_true(u->cgroup_fd >= 0);
	assert_ptr_equal(watch_find_cgroup(w, u->cgroup_id), u);
	first = u->generation;
	assert_int_equal(watch_refresh_cgroup(w, u), 0);
	assert_int_equal(u->generation, first);
	/* Stopped: systemd removes the cgroup, and the open directory is empty. */
	assert_int_equal(unlinkat(u->cgroup_fd, "cgroup.procs", 0), 0);
	assert_int_equal(unlinkat(t->fd, ROOT "system.slice/a.service", AT_REMOVEDIR), 0);
	assert_int_equal(watch_refresh_cgroup(w, u), 1);
	assert_int_equal(u->cgroup_id, 0);
	assert_true(u->cgroup_fd < 0);
	assert_true(u->generation != first);
	assert_null(watch_find_cgroup(w, 0));
}

static void follows_the_control_group_that_systemd_names(void **state)
{
	const struct tree *t = *state;
	_cleanup_(watch_freep) struct watch *w = watch_of(t);
	struct watch_unit *u = watch_find(w, "b.service");

	tree_write(t, ROOT "mine.slice/b.service/cgroup.procs", "1\n");
	assert_int_equal(watch_refresh_cgroup(w, u), 0);
	(void)str_copy(u->status.control_group, sizeof(u->status.control_group),
		       "/mine.slice/b.service");
	assert_int_equal(watch_refresh_cgroup(w, u), 1);
	assert_true(u->cgroup_fd >= 0);
}

static void keeps_what_it_knows_of_units_that_stay(void **state)
{
	static const char *const names[] = { "c.service", "a.service" };
	const struct tree *t = *state;
	_cleanup_(watch_freep) struct watch *w = watch_of(t);
	struct watch_unit *u = watch_find(w, "a.service");
	uint64_t id;

	tree_write(t, ROOT "system.slice/a.service/cgroup.procs", "1\n");
	assert_int_equal(watch_refresh_cgroup(w, u), 1);
	id = u->cgroup_id;
	assert_int_equal(watch_set_units(w, names, 2, NULL), 0);
	assert_null(watch_find(w, "b.service"));
	u = watch_find(w, "a.service");
	assert_int_equal(u->cgroup_id, id);
	assert_int_equal(watch_refresh_cgroup(w, u), 0);
}

static void opens_the_cgroup_of_any_unit(void **state)
{
	const struct tree *t = *state;
	_cleanup_(watch_freep) struct watch *w = watch_of(t);
	_cleanup_close_ int fd = -EBADF;

	tree_write(t, ROOT "system.slice/other.service/cgroup.procs", "1\n");
	fd = watch_open_cgroup(w, "other.service");
	assert_true(fd >= 0);
	(void)close(fd);
	tree_write(t, ROOT "user.slice/user-0.slice/session-3.scope/cgroup.procs", "1\n");
	fd = watch_open_cgroup(w, "session-3.scope"); /* in whatever slice it is */
	assert_true(fd >= 0);
	assert_int_equal(watch_open_cgroup(w, "none.service"), -ENOENT);
}

static void says_so_where_there_is_no_cgroup_v2(void **state)
{
	const struct tree *t = *state;
	_cleanup_(watch_freep) struct watch *w = NULL;

	assert_int_equal(watch_new(t->fd, &w, NULL), 0);
	assert_int_equal(watch_open_cgroup(w, "a.service"), -EOPNOTSUPP);
}

static void remembers_the_last_deaths_newest_first(void **state)
{
	const struct tree *t = *state;
	_cleanup_(watch_freep) struct watch *w = watch_of(t);

	assert_null(watch_recent_exit(w, 0));
	for (int i = 0; i < WATCH_EXITS_MAX + 3; i++)
		watch_add_exit(w, &(struct watch_exit){ .pid = i });
	assert_int_equal(watch_recent_exit(w, 0)->pid, WATCH_EXITS_MAX + 2);
	assert_int_equal(watch_recent_exit(w, WATCH_EXITS_MAX - 1)->pid, 3);
	assert_null(watch_recent_exit(w, WATCH_EXITS_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(notices_a_cgroup_that_comes_and_goes, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(follows_the_control_group_that_systemd_names,
						tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(keeps_what_it_knows_of_units_that_stay, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(opens_the_cgroup_of_any_unit, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(says_so_where_there_is_no_cgroup_v2, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(remembers_the_last_deaths_newest_first, tree_setup,
						tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
