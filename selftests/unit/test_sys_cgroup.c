/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include "sys/cgroupwalk.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/str.h"
#include "selftests/unit/tree.h"

#define ROOT "sys/fs/cgroup/"

static int open_root(const struct tree *t)
{
	int fd;

	tree_write(t, ROOT "cgroup.procs", "1\n");
	tree_write(t, ROOT "cgroup.controllers", "cpu memory\n");
	fd = cgroup_open_root(t->fd, NULL);
	assert_true(fd >= 0);
	return fd;
}

static void finds_the_hierarchy_of_a_mixed_host(void **state)
{
	const struct tree *t = *state;
	_cleanup_close_ int fd = -EBADF;
	struct err err = { 0 };

	assert_int_equal(cgroup_open_root(t->fd, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "no version 2"));
	/* Version 1: directories of controllers, none of its own files. */
	tree_write(t, ROOT "cpu/cgroup.procs", "");
	assert_int_equal(cgroup_open_root(t->fd, NULL), -EOPNOTSUPP);
	tree_write(t, ROOT "unified/cgroup.procs", "");
	tree_write(t, ROOT "unified/cgroup.controllers", "");
	fd = cgroup_open_root(t->fd, NULL);
	assert_true(fd >= 0);
}

static void the_id_of_a_cgroup_is_the_inode_of_its_directory(void **state)
{
	const struct tree *t = *state;
	_cleanup_close_ int root = open_root(t), fd = -EBADF;
	struct stat st = { 0 };
	uint64_t id = 0;

	tree_write(t, ROOT "system.slice/a.service/cgroup.procs", "");
	fd = cgroup_open(root, "/system.slice/a.service", &id);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(id, st.st_ino);
	assert_int_equal(cgroup_open(root, "system.slice/b.service", &id), -ENOENT);
	assert_int_equal(cgroup_open(root, "../../etc", &id), -EINVAL);
	assert_int_equal(cgroup_open(root, "a/../../etc", &id), -EINVAL);
}

static void names_the_unit_of_a_path(void **state)
{
	static const struct {
		const char *path, *unit;
	} cases[] = {
		{ "/system.slice/nginx.service", "nginx.service" },
		{ "/system.slice/nginx.service/worker", "nginx.service" },
		{ "/system.slice/system-foo.slice/foo@1.service", "foo@1.service" },
		{ "/user.slice/user-0.slice/user@0.service/app.slice/x.service", "user@0.service" },
		{ "/user.slice/user-0.slice/session-3.scope", "session-3.scope" },
		{ "/system.slice/_cpu.service", "cpu.service" },
		{ "/system.slice/a..b.service", "a..b.service" },
		{ "/init.scope", "init.scope" },
		{ "/aiops.slice", "aiops.slice" },
		{ "/a.slice/a-b.slice", "a-b.slice" },
		{ "/system.slice/my.slicer.service/x.service", "my.slicer.service" },
	};
	char unit[ENTITY_NAME_MAX] = "";

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		assert_int_equal(cgroup_unit_from_path(cases[i].path, unit), 0);
		assert_string_equal(unit, cases[i].unit);
	}
	assert_int_equal(cgroup_unit_from_path("/", unit), -ENXIO);
	assert_int_equal(cgroup_unit_from_path("/docker/abcdef", unit), -ENXIO);
}

static void knows_containers_by_the_names_that_are_given_to_them(void **state)
{
	static const char *const containers[] = {
		"/machine.slice/machine-deb.scope",
		"/machine.slice/systemd-nspawn@deb.service/payload/system.slice/apt.service",
		"/system.slice/docker-0123abcd.scope/init",
		"/docker/0123abcd",
		"/machine.slice/libpod-0123abcd.scope/container",
		"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-01.scope",
		"/kubepods.slice/kubepods-burstable.slice/x/cri-containerd-01.scope",
		"/lxc.payload.web/system.slice/apt-daily.service",
		"/system.slice/machine-qemu.slice/x.scope",
	};
	static const char *const host[] = {
		"/",
		"/init.scope",
		"/system.slice/apt-daily-upgrade.service",
		"/system.slice/docker.service",
		"/system.slice/docker-registry.service",
		"/system.slice/lxcfs.service",
		"/user.slice/user-0.slice/session-3.scope",
		"/system.slice/machined-kubepods.service",
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(containers); i++)
		if (!cgroup_is_container(containers[i]))
			fail_msg("'%s' is not taken for a container's", containers[i]);
	for (size_t i = 0; i < ELEMENTSOF(host); i++)
		if (cgroup_is_container(host[i]))
			fail_msg("'%s' is taken for a container's", host[i]);
}

static void knows_where_systemd_puts_a_unit(void **state)
{
	char path[CGROUP_PATH_MAX] = "";

	(void)state;
	assert_int_equal(cgroup_default_path("nginx.service", path), 0);
	assert_string_equal(path, "system.slice/nginx.service");
	assert_int_equal(cgroup_default_path("foo@bar.service", path), 0);
	assert_string_equal(path, "system.slice/system-foo.slice/foo@bar.service");
}

static void reads_numbers_and_keys(void **state)
{
	const struct tree *t = *state;
	_cleanup_close_ int root = open_root(t), current = -EBADF, events = -EBADF;
	uint64_t v = 0;

	tree_write(t, ROOT "memory.current", "123456\n");
	tree_write(t, ROOT "memory.max", "max\n");
	tree_write(t, ROOT "memory.events", "low 0\noom 3\noom_kill 2\noom_group_kill 9\n");
	current = openat(root, "memory.current", O_RDONLY | O_CLOEXEC);
	events = openat(root, "memory.events", O_RDONLY | O_CLOEXEC);
	assert_int_equal(cgroup_read_u64(current, &v), 0);
	assert_int_equal(v, 123456);
	assert_int_equal(cgroup_read_key(events, "oom_kill", &v), 0);
	assert_int_equal(v, 2);
	assert_int_equal(cgroup_read_key(events, "oom", &v), 0);
	assert_int_equal(v, 3);
	assert_int_equal(cgroup_read_key(events, "kill", &v), -ENODATA);
	assert_int_equal(cgroup_read_key_at(root, "memory.none", "oom", &v), -ENOENT);
	(void)close(current);
	current = openat(root, "memory.max", O_RDONLY | O_CLOEXEC);
	assert_int_equal(cgroup_read_u64(current, &v), 0);
	assert_true(v == UINT64_MAX);
}

static void refuses_a_number_that_is_none(void **state)
{
	const struct tree *t = *state;
	_cleanup_close_ int root = open_root(t), fd = -EBADF;
	uint64_t v = 5;

	tree_write(t, ROOT "pids.current", "many\n");
	fd = openat(root, "pids.current", O_RDONLY | O_CLOEXEC);
	assert_int_equal(cgroup_read_u64(fd, &v), -EBADMSG);
}

static void sums_io_over_devices(void **state)
{
	const struct tree *t = *state;
	_cleanup_close_ int root = open_root(t), fd = -EBADF;
	uint64_t rd = 0, wr = 0;

	tree_write(t, ROOT "io.stat",
		   "8:0 rbytes=100 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n"
		   "254:0 rbytes=7 wbytes=5 rios=1 wios=1 dbytes=0 dios=0\n");
	fd = openat(root, "io.stat", O_RDONLY | O_CLOEXEC);
	assert_int_equal(cgroup_read_io_bytes(fd, &rd, &wr), 0);
	assert_int_equal(rd, 107);
	assert_int_equal(wr, 25);
}

static void lists_processes_of_all_below_within_the_bound(void **state)
{
	const struct tree *t = *state;
	_cleanup_close_ int root = open_root(t), fd = -EBADF;
	pid_t pids[4] = { 0 };

	tree_write(t, ROOT "system.slice/a.service/cgroup.procs", "10\n11\n");
	tree_write(t, ROOT "system.slice/a.service/sub/cgroup.procs", "12\n");
	fd = cgroup_open(root, "system.slice/a.service", NULL);
	assert_int_equal(cgroup_list_pids(fd, pids, ELEMENTSOF(pids)), 3);
	assert_int_equal(pids[0], 10);
	assert_int_equal(pids[1], 11);
	assert_int_equal(pids[2], 12);
	assert_int_equal(cgroup_list_pids(fd, pids, 2), 2);
}

/* 10,000 is the first of five digits: lines of 6 bytes, of which no whole number fits a page. */
static void lists_whole_numbers_of_a_list_longer_than_a_read(void **state)
{
	enum { COUNT = 2000 };
	const struct tree *t = *state;
	_cleanup_close_ int root = open_root(t), fd = -EBADF;
	static char text[COUNT * 6 + 1];
	static pid_t pids[COUNT + 1];

	text[0] = '\0';
	for (int i = 0; i < COUNT; i++)
		str_append(text, sizeof(text), "%d\n", 10000 + i);
	tree_write(t, ROOT "system.slice/a.service/cgroup.procs", text);
	fd = cgroup_open(root, "system.slice/a.service", NULL);
	assert_int_equal(cgroup_list_pids(fd, pids, ELEMENTSOF(pids)), COUNT);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(pids[i], 10000 + i);
}

static void finds_a_unit_in_any_slice(void **state)
{
	const struct tree *t = *state;
	_cleanup_close_ int root = open_root(t);
	char path[CGROUP_PATH_MAX] = "";

	tree_write(t, ROOT "a.slice/a-b.slice/x.service/y.service/cgroup.procs", "");
	assert_int_equal(cgroup_find_unit(root, "x.service", path), 0);
	assert_string_equal(path, "/a.slice/a-b.slice/x.service");
	assert_int_equal(cgroup_find_unit(root, "y.service", path), -ENOENT); /* x's own matter */
}

/* All units with their CPU time, in the order of their names; returns the steps it took. */
static unsigned walk_all(int root, char *list, size_t size)
{
	struct cgroup_walk w;
	enum cgroup_step step;
	unsigned n = 0;

	list[0] = '\0';
	assert_int_equal(cgroup_walk_begin(&w, root), 0);
	while ((step = cgroup_walk_next(&w)) != CGROUP_STEP_END) {
		uint64_t us = 0;
		struct stat st;

		n++;
		if (step != CGROUP_STEP_UNIT)
			continue;
		assert_int_equal(cgroup_walk_read_key(&w, "cpu.stat", "usage_usec", &us), 0);
		assert_int_equal(fstatat(root, w.path + 1, &st, 0), 0);
		assert_int_equal(w.id, st.st_ino);
		str_append(list, size, "%s=%d ", w.path, (int)us);
	}
	assert_int_equal(cgroup_walk_next(&w), CGROUP_STEP_END);
	cgroup_walk_end(&w);
	return n;
}

static void walks_through_units_but_not_slices_nor_what_is_inside_a_unit(void **state)
{
	const struct tree *t = *state;
	_cleanup_close_ int root = open_root(t);
	char list[512];

	tree_write(t, ROOT "init.scope/cpu.stat", "usage_usec 5\n");
	tree_write(t, ROOT "system.slice/cpu.stat", "usage_usec 1000\n");
	tree_write(t, ROOT "system.slice/a.service/cpu.stat", "usage_usec 700\nuser_usec 1\n");
	tree_write(t, ROOT "system.slice/a.service/sub.service/cpu.stat", "usage_usec 1\n");
	tree_write(t, ROOT "system.slice/system-f.slice/f@1.service/cpu.stat", "usage_usec 30\n");
	/* Three units, and into two slices and out of them again. */
	assert_int_equal(walk_all(root, list, sizeof(list)), 3 + 2 * 2);
	assert_non_null(strstr(list, "/init.scope=5 "));
	assert_non_null(strstr(list, "/system.slice/a.service=700 "));
	assert_non_null(strstr(list, "/system.slice/system-f.slice/f@1.service=30 "));
	assert_null(strstr(list, "sub.service"));
}

static void leaves_a_walk_in_the_middle_without_a_trace(void **state)
{
	const struct tree *t = *state;
	_cleanup_close_ int root = open_root(t), before = dup(root), after = -EBADF;
	struct cgroup_walk w;

	tree_write(t, ROOT "a.slice/a-b.slice/x.service/cpu.stat", "");
	assert_int_equal(cgroup_walk_begin(&w, root), 0);
	while (cgroup_walk_next(&w) != CGROUP_STEP_UNIT)
		continue;
	cgroup_walk_end(&w);
	cgroup_walk_end(&w);
	after = dup(root);
	assert_int_equal(after, before + 1); /* every descriptor is closed */
}

static void does_not_go_down_without_end(void **state)
{
	const struct tree *t = *state;
	_cleanup_close_ int root = open_root(t);
	char path[256] = ROOT, list[64];

	for (unsigned i = 0; i < CGROUP_DEPTH_MAX + 3; i++)
		str_append(path, sizeof(path), "s.slice/");
	str_append(path, sizeof(path), "x.service/cpu.stat");
	tree_write(t, path, "usage_usec 5\n");
	/* One step more than it goes into: the slice that it leaves alone. */
	assert_int_equal(walk_all(root, list, sizeof(list)), 2 * CGROUP_DEPTH_MAX + 1);
	assert_string_equal(list, "");
}

static void asks_a_bounded_number_of_cgroups_for_their_processes(void **state)
{
	const struct tree *t = *state;
	_cleanup_close_ int root = open_root(t), fd = -EBADF;
	pid_t pids[2 * CGROUP_BELOW_MAX];

	tree_write(t, ROOT "a.service/cgroup.procs", "1\n");
	for (int i = 0; i < 2 * CGROUP_BELOW_MAX; i++) {
		char path[96] = "", text[16] = "";

		str_append(path, sizeof(path), ROOT "a.service/c%d/cgroup.procs", i);
		str_append(text, sizeof(text), "%d\n", 100 + i);
		tree_write(t, path, text);
	}
	fd = cgroup_open(root, "a.service", NULL);
	assert_int_equal(cgroup_list_pids(fd, pids, ELEMENTSOF(pids)), CGROUP_BELOW_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_the_hierarchy_of_a_mixed_host, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(the_id_of_a_cgroup_is_the_inode_of_its_directory,
						tree_setup, tree_teardown),
		cmocka_unit_test(names_the_unit_of_a_path),
		cmocka_unit_test(knows_containers_by_the_names_that_are_given_to_them),
		cmocka_unit_test(knows_where_systemd_puts_a_unit),
		cmocka_unit_test_setup_teardown(reads_numbers_and_keys, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(refuses_a_number_that_is_none, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(sums_io_over_devices, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(lists_processes_of_all_below_within_the_bound,
						tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(lists_whole_numbers_of_a_list_longer_than_a_read,
						tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(finds_a_unit_in_any_slice, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(
			walks_through_units_but_not_slices_nor_what_is_inside_a_unit, tree_setup,
			tree_teardown),
		cmocka_unit_test_setup_teardown(leaves_a_walk_in_the_middle_without_a_trace,
						tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(does_not_go_down_without_end, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(
			asks_a_bounded_number_of_cgroups_for_their_processes, tree_setup,
			tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
