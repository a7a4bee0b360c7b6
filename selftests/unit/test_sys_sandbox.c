/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"

#define SURVIVED    0
#define NOT_ENTERED 99

/* Runs call() in a child inside the sandbox; returns what wait(2) says. */
static int run_inside(const char *const *syscalls, void (*call)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (sandbox_enter(syscalls, NULL) < 0)
			_exit(NOT_ENTERED);
		call();
		_exit(SURVIVED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static bool is_killed(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static bool has_survived(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == SURVIVED;
}

static void do_execve(void)
{
	char *const argv[] = { (char[]){ "/bin/true" }, NULL };

	(void)execv(argv[0], argv);
}

static void do_ptrace(void)
{
	(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void do_fork(void)
{
	(void)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void do_unshare(void)
{
	(void)unshare(CLONE_NEWNS);
}

static void do_inet(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)fd;
}

static void do_unix(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		_exit(1);
}

static void do_bpf_load(void)
{
	union bpf_attr attr = { 0 };

	(void)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static void do_bpf_lookup(void)
{
	union bpf_attr attr = { .map_fd = (uint32_t)-1 };

	/* EBADF or EPERM, but alive. */
	(void)syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr));
}

static void do_kill(void)
{
	(void)kill(getppid(), 0);
}

static void do_daily_work(void)
{
	_cleanup_close_ int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	_cleanup_free_ char *p = malloc(1 << 20);
	char buf[64];

	if (fd < 0 || epoll_fd < 0 || !p || pread(fd, buf, sizeof(buf), 0) <= 0)
		_exit(1);
}

static void a_forbidden_call_kills(void **state)
{
	static void (*const calls[])(void) = { do_execve, do_ptrace,   do_fork, do_unshare,
					       do_inet,   do_bpf_load, do_kill, do_bpf_lookup };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(calls); i++)
		assert_true(is_killed(run_inside(NULL, calls[i])));
}

static void daily_work_goes_on(void **state)
{
	(void)state;
	assert_true(has_survived(run_inside(NULL, do_daily_work)));
	assert_true(has_survived(run_inside(NULL, do_unix)));
}

static void what_is_named_is_allowed(void **state)
{
	static const char *const network[] = { "socket", NULL };
	static const char *const bpf[] = { "bpf", NULL };
	static const char *const spawn[] = { "clone", NULL };

	(void)state;
	assert_true(has_survived(run_inside(network, do_inet)));
	assert_true(has_survived(run_inside(bpf, do_bpf_lookup)));
	assert_true(is_killed(run_inside(bpf, do_bpf_load)));
	assert_true(is_killed(run_inside(spawn, do_execve)));
}

static void refuses_a_name_that_is_no_system_call(void **state)
{
	static const char *const wrong[] = { "frobnicate", NULL };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(sandbox_enter(wrong, &err), -EINVAL);
	assert_string_equal(err.text, "allow system call 'frobnicate': Invalid argument");
}

static void check_capabilities(void)
{
	char line[256];
	FILE *f;

	if (sandbox_drop_capabilities(NULL) < 0)
		_exit(2);
	f = fopen("/proc/self/status", "re");
	if (!f)
		_exit(3);
	while (fgets(line, sizeof(line), f))
		if ((strncmp(line, "CapEff:", 7) == 0 || strncmp(line, "CapPrm:", 7) == 0 ||
		     strncmp(line, "CapInh:", 7) == 0 || strncmp(line, "CapAmb:", 7) == 0) &&
		    strspn(line + 7, "\t0\n") != strlen(line + 7))
			_exit(4);
}

static void no_capability_is_left(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		check_capabilities();
		_exit(SURVIVED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(has_survived(status));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_forbidden_call_kills),
		cmocka_unit_test(daily_work_goes_on),
		cmocka_unit_test(what_is_named_is_allowed),
		cmocka_unit_test(refuses_a_name_that_is_no_system_call),
		cmocka_unit_test(no_capability_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
