/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "ops/fault.h"
#include "selftests/unit/tree.h"
#include "sys/processfd.h"
#include "sys/procfs.h"
#include "sys/victim.h"
#include "sys/worker.h"

#define WAIT_MS 20000

extern const struct fault_ops fault_mem_hog;

static struct {
	const struct tree *tree;
	unsigned char state[FAULT_STATE_MAX];
	size_t state_size;
	int record_result;
	const char *result;
} host;

int victim_read(void *bus, const char *unit, struct victim *ret, struct err *reterr)
{
	(void)bus;
	(void)reterr;
	*ret = (struct victim){ .cgroup_id = 1 };
	(void)str_copy(ret->facts.active_state, sizeof(ret->facts.active_state), "active");
	(void)str_copy(ret->facts.result, sizeof(ret->facts.result), host.result);
	return str_copy(ret->unit, sizeof(ret->unit), unit);
}

int victim_read_running(void *bus, const char *unit, struct victim *ret, struct err *reterr)
{
	return victim_read(bus, unit, ret, reterr);
}

int victim_open_cgroup(const struct victim *v, struct err *reterr)
{
	(void)v;
	(void)reterr;
	return openat(host.tree->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int setup(void **state)
{
	if (tree_setup(state) < 0)
		return -1;
	memset(&host, 0, sizeof(host));
	host.tree = *state;
	host.result = "success";
	tree_write(host.tree, "cgroup.procs", "");
	tree_write(host.tree, "memory.max", "4194304\n");
	tree_write(host.tree, "memory.current", "1048576\n");
	tree_write(host.tree, "memory.events", "low 0\nhigh 0\nmax 0\noom 3\noom_kill 3\n");
	return 0;
}

static int record(const struct fault_context *c, const void *state, size_t size, struct err *reterr)
{
	(void)c;
	memcpy(host.state, state, size);
	host.state_size = size;
	return host.record_result < 0 ? err_set(reterr, host.record_result, "no room") : 0;
}

static const struct params unit_params = {
	.n = 2,
	.v = { { .name = "unit", .type = PARAM_TYPE_UNIT, .text = "x.service" },
	       { .name = "rate_mib_per_s",
		 .type = PARAM_TYPE_INTEGER,
		 .integer = 1,
		 .text = "1" } },
};

static struct fault_context context(void)
{
	static char text[256];

	text[0] = '\0';
	return (struct fault_context){
		.params = &unit_params, .record = record, .text = text, .text_size = sizeof(text)
	};
}

static pid_t recorded_pid(void)
{
	int32_t pid = 0;

	memcpy(&pid, host.state, sizeof(pid));
	return pid;
}

/* Has the worker written itself into the cgroup? */
static bool wait_joined(void)
{
	for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms += 10) {
		char text[16] = "";

		if (fd_read_file(host.tree->fd, "cgroup.procs", text, sizeof(text)) > 0)
			return str_equal(text, "0");
		(void)poll(NULL, 0, 10);
	}
	return false;
}

static void joins_the_cgroup_and_dies_when_it_is_cleared(void **state)
{
	struct fault_context c = context();
	struct err err = { 0 };
	char comm[64] = "", path[64] = "";

	(void)state;
	assert_int_equal(fault_mem_hog.check(&c, &err), 0);
	assert_int_equal(fault_mem_hog.inject(&c, &err), 0);
	assert_true(wait_joined());
	str_append(path, sizeof(path), "/proc/%d/comm", recorded_pid());
	assert_true(fd_read_file(AT_FDCWD, path, comm, sizeof(comm)) > 0);
	assert_string_equal(comm, WORKER_NAME "\n");
	assert_int_equal(fault_mem_hog.active(&c, &err), 1);
	assert_int_equal(fault_mem_hog.effect(&c, &err), 0);
	assert_int_equal(fault_mem_hog.clear(&c, host.state, host.state_size, &err), 1);
	assert_int_equal(fault_mem_hog.clear(&c, host.state, host.state_size, &err), 0);
	assert_int_equal(fault_mem_hog.active(&c, &err), 0);
	fault_mem_hog.release(&c);
}

static void does_nothing_before_it_is_on_record(void **state)
{
	struct fault_context c = context();
	struct err err = { 0 };
	char text[16] = "";

	(void)state;
	host.record_result = -ENOSPC;
	assert_int_equal(fault_mem_hog.inject(&c, &err), -ENOSPC);
	fault_mem_hog.release(&c);
	/* Its end of the pipe is closed: it goes by itself. */
	assert_int_equal(waitpid(recorded_pid(), NULL, 0), recorded_pid());
	assert_int_equal(fd_read_file(host.tree->fd, "cgroup.procs", text, sizeof(text)), 0);
}

static void dies_with_its_runner(void **state)
{
	struct fault_context c = context();
	struct err err = { 0 };

	(void)state;
	assert_int_equal(fault_mem_hog.inject(&c, &err), 0);
	assert_true(wait_joined());
	fault_mem_hog.release(&c);
	assert_int_equal(waitpid(recorded_pid(), NULL, 0), recorded_pid());
}

static void sees_the_kernels_kill_or_systemds_word(void **state)
{
	struct fault_context c = context();
	struct err err = { 0 };

	(void)state;
	assert_int_equal(fault_mem_hog.inject(&c, &err), 0);
	assert_int_equal(fault_mem_hog.effect(&c, &err), 0);
	tree_write(host.tree, "memory.events", "oom_kill 4\n");
	assert_int_equal(fault_mem_hog.effect(&c, &err), 1);
	assert_string_equal(c.text, "the kernel killed for memory 1 times");
	tree_write(host.tree, "memory.events", "oom_kill 0\n");
	host.result = "oom-kill";
	assert_int_equal(fault_mem_hog.effect(&c, &err), 1);
	fault_mem_hog.release(&c);
	assert_int_equal(waitpid(recorded_pid(), NULL, 0), recorded_pid());
}

static void refuses_a_unit_without_a_limit(void **state)
{
	struct fault_context c = context();
	struct err err = { 0 };

	(void)state;
	tree_write(host.tree, "memory.max", "max\n");
	assert_int_equal(fault_mem_hog.check(&c, &err), -EINVAL);
	assert_non_null(strstr(err_text(&err), "MemoryMax="));
}

static void refuses_where_the_host_would_run_out_first(void **state)
{
	struct fault_context c = context();
	struct err err = { 0 };

	(void)state;
	tree_write(host.tree, "memory.max", "1000000000000\n");
	assert_int_equal(fault_mem_hog.check(&c, &err), -ENOMEM);
}

static void kills_no_other_process_of_the_same_pid(void **state)
{
	struct fault_context c = context();
	struct err err = { 0 };

	(void)state;
	assert_int_equal(fault_mem_hog.inject(&c, &err), 0);
	host.state[8] ^= 1; /* the start time */
	assert_int_equal(fault_mem_hog.clear(&c, host.state, host.state_size, &err), 0);
	assert_int_equal(fault_mem_hog.active(&c, &err), 1);
	host.state[8] ^= 1;
	assert_int_equal(fault_mem_hog.clear(&c, host.state, host.state_size, &err), 1);
	assert_int_equal(fault_mem_hog.active(&c, &err), 0);
	fault_mem_hog.release(&c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, tree_teardown)
		T(joins_the_cgroup_and_dies_when_it_is_cleared),
		T(does_nothing_before_it_is_on_record),
		T(dies_with_its_runner),
		T(sees_the_kernels_kill_or_systemds_word),
		T(refuses_a_unit_without_a_limit),
		T(refuses_where_the_host_would_run_out_first),
		T(kills_no_other_process_of_the_same_pid),
#undef T
	};

	/* The worker is this program by another name. */
	if (str_equal(argv[0], WORKER_NAME))
		return worker_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
