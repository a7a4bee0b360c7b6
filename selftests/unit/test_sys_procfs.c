/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include "sys/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/fd.h"
#include "selftests/unit/tree.h"

static int open_file(const struct tree *t, const char *path, const char *text)
{
	int fd;

	tree_write(t, path, text);
	fd = openat(t->fd, path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void counts_busy_and_idle_jiffies(void **state)
{
	_cleanup_close_ int fd = open_file(*state, "stat",
					   "cpu  100 1 50 800 40 2 3 4 99 0\ncpu0 1 2 3 4\n");
	struct procfs_cpu before = { .busy = 110, .idle = 790 }, now = { 0 };

	assert_int_equal(procfs_read_cpu(fd, &now), 0);
	assert_int_equal(now.busy, 100 + 1 + 50 + 2 + 3 + 4);
	assert_int_equal(now.idle, 840);
	assert_float_equal(procfs_cpu_busy_pct(&before, &now), 50, 1e-9);
	assert_float_equal(procfs_cpu_busy_pct(&now, &now), 0, 1e-9);
	/* iowait that went back is not a negative share. */
	before.idle = 900;
	assert_float_equal(procfs_cpu_busy_pct(&before, &now), 100, 1e-9);
}

static void refuses_a_stat_that_is_cut_short(void **state)
{
	_cleanup_close_ int fd = open_file(*state, "stat", "cpu  100 1\n");
	_cleanup_close_ int other = open_file(*state, "other", "intr 5\n");
	struct procfs_cpu cpu = { 0 };

	assert_int_equal(procfs_read_cpu(fd, &cpu), -EBADMSG);
	assert_int_equal(procfs_read_cpu(other, &cpu), -EBADMSG);
}

static void reads_memory_and_load(void **state)
{
	_cleanup_close_ int memory = open_file(*state, "meminfo",
					       "MemTotal:        2000000 kB\n"
					       "MemFree:          100000 kB\n"
					       "MemAvailable:     500000 kB\n");
	_cleanup_close_ int load = open_file(*state, "loadavg", "1.25 0.60 0.40 2/345 6789\n");
	_cleanup_close_ int bad = open_file(*state, "bad", "MemTotal: 0 kB\n");
	_cleanup_close_ int more = open_file(*state, "more",
					     "MemTotal: 7 kB\nMemAvailable: 8 kB\n");
	_cleanup_close_ int nan = open_file(*state, "nan", "nan 0.60 0.40\n");
	double v = 0;

	assert_int_equal(procfs_read_memory(memory, &v), 0);
	assert_float_equal(v, 0.25, 1e-9);
	assert_int_equal(procfs_read_load1(load, &v), 0);
	assert_float_equal(v, 1.25, 1e-9);
	assert_int_equal(procfs_read_memory(bad, &v), -EBADMSG);
	assert_int_equal(procfs_read_load1(bad, &v), -EBADMSG);
	assert_int_equal(procfs_read_memory(more, &v), -EBADMSG);
	assert_int_equal(procfs_read_load1(nan, &v), -EBADMSG);
}

static void reads_a_process_whose_name_looks_like_fields(void **state)
{
	const struct tree *t = *state;
	struct procfs_task task = { 0 };

	tree_write(t, "42/stat",
		   "42 (a) R 9 (b) T 1 42 42 0 -1 4194560 1 2 3 4 70 30 5 6 20 0 1 0 98765 1 2\n");
	assert_int_equal(procfs_read_task(t->fd, 42, &task), 0);
	assert_int_equal(task.pid, 42);
	assert_string_equal(task.comm, "a) R 9 (b");
	assert_int_equal(task.state, 'T');
	assert_int_equal(task.cpu_jiffies, 100);
	assert_int_equal(task.start_jiffies, 98765);
	assert_int_equal(procfs_read_task(t->fd, 43, &task), -ESRCH);
	tree_write(t, "44/stat", "44 (x) R 1\n");
	assert_int_equal(procfs_read_task(t->fd, 44, &task), -EBADMSG);
	tree_write(t, "45/stat", "");
	assert_int_equal(procfs_read_task(t->fd, 45, &task), -EBADMSG);
}

static void reads_nice_scheduling_and_whether_the_kernel_made_it(void **state)
{
	const struct tree *t = *state;
	struct procfs_task task = { 0 };

	tree_write(t, "2/stat",
		   "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 7 0 0 20 -5 1 0 1 0 0 "
		   "18446744073709551615 0 0 0 0 0 0 0 2147483647 0 0 0 0 0 2 0 1 0 0 0 0 0\n");
	assert_int_equal(procfs_read_task(t->fd, 2, &task), 0);
	assert_true(task.flags & PROCFS_FLAG_KERNEL);
	assert_int_equal(task.nice, -5);
	assert_int_equal(task.policy, 1);
	assert_int_equal(task.start_jiffies, 1);
}

static void knows_the_first_process_of_a_container(void **state)
{
	const struct tree *t = *state;

	tree_write(t, "1/status", "Name:\tinit\nNSpid:\t1\nUid:\t0\n");
	tree_write(t, "5/status", "Name:\tsh\nNSpid:\t5\t1\nUid:\t0\n");
	tree_write(t, "6/status", "Name:\tsh\nNSpid:\t6\t11\nUid:\t0\n");
	tree_write(t, "7/status", "Name:\tsh\n");
	assert_int_equal(procfs_is_namespace_init(t->fd, 1), 0);
	assert_int_equal(procfs_is_namespace_init(t->fd, 5), 1);
	assert_int_equal(procfs_is_namespace_init(t->fd, 6), 0);
	assert_int_equal(procfs_is_namespace_init(t->fd, 7), -EBADMSG);
	assert_int_equal(procfs_is_namespace_init(t->fd, 8), -ESRCH);
}

static void reads_the_unit_from_the_v2_line(void **state)
{
	const struct tree *t = *state;
	char unit[ENTITY_NAME_MAX] = "";

	tree_write(t, "7/cgroup", "0::/system.slice/a.service\n");
	assert_int_equal(procfs_read_unit(t->fd, 7, unit), 0);
	assert_string_equal(unit, "a.service");
	tree_write(t, "8/cgroup", "5:cpu:/x.service\n0::/system.slice/b.service/sub\n");
	assert_int_equal(procfs_read_unit(t->fd, 8, unit), 0);
	assert_string_equal(unit, "b.service");
	tree_write(t, "9/cgroup", "5:cpu:/x.service\n");
	assert_int_equal(procfs_read_unit(t->fd, 9, unit), -ENXIO);
	assert_int_equal(procfs_read_unit(t->fd, 10, unit), -ESRCH);
}

static void reads_the_effective_user_and_not_what_a_name_claims(void **state)
{
	const struct tree *t = *state;
	uid_t euid = 0;

	tree_write(t, "7/status", "Name:\ta\\nUid:\t0\t0\nPid:\t7\nUid:\t1000\t1001\t0\t0\n");
	assert_int_equal(procfs_read_euid(t->fd, 7, &euid), 0);
	assert_int_equal(euid, 1001);
	tree_write(t, "8/status", "Name:\ta\nUid:\tx\n");
	assert_int_equal(procfs_read_euid(t->fd, 8, &euid), -EBADMSG);
	tree_write(t, "9/status", "Name:\ta\n");
	assert_int_equal(procfs_read_euid(t->fd, 9, &euid), -EBADMSG);
	assert_int_equal(procfs_read_euid(t->fd, 10, &euid), -ESRCH);
}

static void knows_a_process_of_a_container(void **state)
{
	const struct tree *t = *state;

	tree_write(t, "7/status", "Name:\tapt\nPid:\t7\nNSpid:\t7\nVmPeak:\t100 kB\n");
	tree_write(t, "7/cgroup", "0::/system.slice/apt-daily.service\n");
	assert_false(procfs_is_in_container(t->fd, 7));
	tree_write(t, "8/status", "Name:\tapt\nNSpid:\t8\t3\nVmPeak:\t100 kB\n");
	tree_write(t, "8/cgroup", "0::/system.slice/x.service\n");
	assert_true(procfs_is_in_container(t->fd, 8));
	/* In the host's PID namespace: docker run --pid=host. */
	tree_write(t, "9/status", "Name:\tapt\nNSpid:\t9\n");
	tree_write(t, "9/cgroup", "0::/system.slice/docker-01ab.scope\n");
	assert_true(procfs_is_in_container(t->fd, 9));
	assert_false(procfs_is_in_container(t->fd, 10));
}

static void lists_local_writable_file_systems_only(void **state)
{
	const struct tree *t = *state;
	struct procfs_mounts m = { 0 };

	tree_write(t, "proc/self/mountinfo",
		   "21 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
		   "22 21 0:20 / /proc rw,nosuid shared:2 - proc proc rw\n"
		   "23 21 254:2 / /a\\040b rw - xfs /dev/vda2 rw\n"
		   "24 21 254:3 / /ro rw - ext4 /dev/vda3 ro\n"
		   "27 21 254:4 / /protected ro - ext4 /dev/vda4 rw,errors=remount-ro\n"
		   "25 21 254:1 /srv /bind rw - ext4 /dev/vda1 rw\n"
		   "26 21 0:40 / /net rw - nfs4 host:/x rw\n"
		   "garbage\n");
	assert_int_equal(procfs_read_mounts(t->fd, &m), 0);
	assert_int_equal(m.n, 3);
	assert_string_equal(m.paths[0], "/");
	assert_string_equal(m.paths[1], "/a b");
	assert_string_equal(m.paths[2], "/protected"); /* for us only: the unit's ProtectSystem= */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_busy_and_idle_jiffies, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(refuses_a_stat_that_is_cut_short, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(reads_memory_and_load, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(reads_a_process_whose_name_looks_like_fields,
						tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(
			reads_nice_scheduling_and_whether_the_kernel_made_it, tree_setup,
			tree_teardown),
		cmocka_unit_test_setup_teardown(knows_the_first_process_of_a_container, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(reads_the_unit_from_the_v2_line, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(reads_the_effective_user_and_not_what_a_name_claims,
						tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(knows_a_process_of_a_container, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(lists_local_writable_file_systems_only, tree_setup,
						tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
