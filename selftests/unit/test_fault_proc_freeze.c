/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "ops/fault.h"
#include "selftests/unit/tree.h"
#include "sys/victim.h"

extern const struct fault_ops fault_proc_freeze;

/* A service of two processes, the second of which somebody has stopped before. */
static struct {
	const struct tree *tree;
	pid_t running, stopped;
	unsigned char state[FAULT_STATE_MAX];
	size_t state_size;
	bool running_was_stopped_at_record;
	int record_result;
} host;

int victim_read_running(void *bus, const char *unit, struct victim *ret, struct err *reterr)
{
	(void)bus;
	(void)reterr;
	*ret = (struct victim){ .cgroup_id = 1 };
	return str_copy(ret->unit, sizeof(ret->unit), unit);
}

int victim_open_cgroup(const struct victim *v, struct err *reterr)
{
	(void)v;
	(void)reterr;
	return openat(host.tree->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static pid_t start_process(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	while (pid == 0)
		(void)pause();
	return pid;
}

/* Of the change that waitpid(2) tells. */
static bool wait_stopped(pid_t pid)
{
	int status = 0;

	return waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status);
}

static bool is_stopped(pid_t pid)
{
	char path[32] = "", text[512] = "";
	FILE *f;
	size_t n;

	str_append(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	text[n] = '\0';
	return strstr(text, ") T ") != NULL;
}

static int setup(void **state)
{
	char pids[64] = "";

	if (tree_setup(state) < 0)
		return -1;
	memset(&host, 0, sizeof(host));
	host.tree = *state;
	host.running = start_process();
	host.stopped = start_process();
	(void)kill(host.stopped, SIGSTOP);
	if (!wait_stopped(host.stopped))
		return -1;
	str_append(pids, sizeof(pids), "%d\n%d\n", host.running, host.stopped);
	tree_write(host.tree, "cgroup.procs", pids);
	return 0;
}

static int teardown(void **state)
{
	const pid_t pids[] = { host.running, host.stopped };

	for (size_t i = 0; i < ELEMENTSOF(pids); i++) {
		(void)kill(pids[i], SIGKILL);
		(void)waitpid(pids[i], NULL, 0);
	}
	return tree_teardown(state);
}

static int record(const struct fault_context *c, const void *state, size_t size, struct err *reterr)
{
	(void)c;
	host.running_was_stopped_at_record = is_stopped(host.running);
	assert_true(size <= sizeof(host.state));
	memcpy(host.state, state, size);
	host.state_size = size;
	return host.record_result < 0 ? err_set(reterr, host.record_result, "no room") : 0;
}

static const struct params unit_params = {
	.n = 1,
	.v = { { .name = "unit", .type = PARAM_TYPE_UNIT, .text = "x.service" } },
};

static struct fault_context context(void)
{
	static char text[256];

	text[0] = '\0';
	return (struct fault_context){
		.params = &unit_params, .record = record, .text = text, .text_size = sizeof(text)
	};
}

static int clear_it(void)
{
	struct fault_context c = context();
	struct err err = { 0 };

	return fault_proc_freeze.clear(&c, host.state, host.state_size, &err);
}

static void stops_what_runs_and_continues_only_that(void **state)
{
	struct fault_context c = context();
	struct err err = { 0 };

	(void)state;
	assert_int_equal(fault_proc_freeze.inject(&c, &err), 0);
	assert_false(host.running_was_stopped_at_record);
	assert_true(wait_stopped(host.running));
	assert_int_equal(fault_proc_freeze.effect(&c, &err), 1);
	assert_string_equal(c.text, "1 of 1 processes are stopped");
	assert_int_equal(fault_proc_freeze.active(&c, &err), 1);
	assert_int_equal(clear_it(), 1);
	assert_int_equal(waitpid(host.running, NULL, WCONTINUED), host.running);
	assert_int_equal(clear_it(), 0);
	assert_int_equal(fault_proc_freeze.active(&c, &err), 0);
	assert_true(is_stopped(host.stopped));
	fault_proc_freeze.release(&c);
}

static void stops_nothing_that_it_cannot_record(void **state)
{
	struct fault_context c = context();
	struct err err = { 0 };

	(void)state;
	host.record_result = -ENOSPC;
	assert_int_equal(fault_proc_freeze.inject(&c, &err), -ENOSPC);
	assert_false(is_stopped(host.running));
	fault_proc_freeze.release(&c);
}

static void leaves_another_process_of_the_same_pid_alone(void **state)
{
	struct fault_context c = context();
	struct err err = { 0 };

	(void)state;
	assert_int_equal(fault_proc_freeze.inject(&c, &err), 0);
	assert_true(wait_stopped(host.running));
	/* The start time is the second half of the first entry, after the count. */
	host.state[16] ^= 1;
	assert_int_equal(clear_it(), 0);
	assert_true(is_stopped(host.running));
	host.state[16] ^= 1;
	assert_int_equal(clear_it(), 1);
	fault_proc_freeze.release(&c);
}

static void is_over_once_the_service_was_killed(void **state)
{
	struct fault_context c = context();
	struct err err = { 0 };

	(void)state;
	assert_int_equal(fault_proc_freeze.inject(&c, &err), 0);
	assert_true(wait_stopped(host.running));
	(void)kill(host.running, SIGKILL);
	assert_int_equal(waitpid(host.running, NULL, 0), host.running);
	assert_int_equal(fault_proc_freeze.active(&c, &err), 0);
	assert_int_equal(clear_it(), 0);
	host.running = start_process();
	fault_proc_freeze.release(&c);
}

static void refuses_a_service_without_processes(void **state)
{
	struct fault_context c = context();
	struct err err = { 0 };

	(void)state;
	tree_write(host.tree, "cgroup.procs", "");
	assert_int_equal(fault_proc_freeze.inject(&c, &err), -ESRCH);
	assert_non_null(strstr(err_text(&err), "'x.service' has no processes"));
	fault_proc_freeze.release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(stops_what_runs_and_continues_only_that),
		T(stops_nothing_that_it_cannot_record),
		T(leaves_another_process_of_the_same_pid_alone),
		T(is_over_once_the_service_was_killed),
		T(refuses_a_service_without_processes),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
