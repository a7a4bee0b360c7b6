/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/convert.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "sys/sandbox.h"

#define FIRST_FD   3
#define READ_BYTES (64 * 1024)

bool convert_is_here(const struct converter *tool)
{
	return access(tool->argv[0], X_OK) == 0;
}

static int limit(int resource, uint64_t most)
{
	const struct rlimit l = { most, most };

	return setrlimit((__rlimit_resource_t)resource, &l) < 0 ? -errno : 0;
}

/* In the child, before the tool. Only system calls from here on. */
static int confine(int in_fd, int out_fd)
{
	int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int r = prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || setpgid(0, 0) < 0 || chdir("/") < 0 ||
				null_fd < 0 || dup2(in_fd, STDIN_FILENO) < 0 ||
				dup2(out_fd, STDOUT_FILENO) < 0 ||
				dup2(null_fd, STDERR_FILENO) < 0 ||
				close_range(FIRST_FD, ~0u, 0) < 0 ?
			-errno :
			0;

	if (r == 0)
		r = limit(RLIMIT_CPU, CONVERT_CPU_S);
	if (r == 0)
		r = limit(RLIMIT_DATA, CONVERT_MEMORY_BYTES);
	if (r == 0)
		r = limit(RLIMIT_FSIZE, 0);
	if (r == 0)
		r = limit(RLIMIT_CORE, 0);
	return r < 0 ? r : sandbox_enter_tool(NULL);
}

/* Never returns. */
static void run_tool(const struct converter *tool, int in_fd, int out_fd)
{
	char *const environment[] = {
		(char[]){ "LC_ALL=C.UTF-8" }, (char[]){ "PATH=/usr/bin:/bin" },
		(char[]){ "HOME=/" },         (char[]){ "MANWIDTH=100" },
		(char[]){ "GROFF_NO_SGR=1" }, NULL
	};
	char *argv[ELEMENTSOF(tool->argv)] = { NULL };
	sigset_t none;

	for (size_t i = 0; tool->argv[i]; i++)
		argv[i] = (char *)(uintptr_t)tool->argv[i];
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (confine(in_fd, out_fd) == 0)
		(void)execve(argv[0], argv, environment);
	_exit(EXIT_FAILURE);
}

struct output {
	char *data;
	size_t size, room;
};

static int make_room(struct output *o)
{
	size_t room = o->room > 0 ? o->room * 2 : READ_BYTES;
	char *grown;

	if (o->size + 1 < o->room)
		return 0;
	if (o->size >= CONVERT_TEXT_MAX)
		return -EFBIG;
	grown = realloc(o->data, room);
	if (!grown)
		return -ENOMEM;
	o->data = grown;
	o->room = room;
	return 0;
}

/* Returns 1: there is more; 0: the end; -errno. */
static int read_some(int fd, uint64_t until_ns, struct output *o)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t now_ns = clock_boot_ns();
	ssize_t n;
	int r = make_room(o);

	if (r < 0)
		return r;
	if (now_ns >= until_ns)
		return -ETIME;
	r = poll(&p, 1, (int)((until_ns - now_ns) / NS_PER_MS) + 1);
	if (r <= 0)
		return r == 0 ? -ETIME : errno == EINTR ? 1 : -errno;
	n = read(fd, o->data + o->size, o->room - o->size - 1);
	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	o->size += (size_t)n;
	return n > 0;
}

/* Ends the tool and all it started. Returns 0; -EBADMSG where it had not ended well by itself. */
static int reap(pid_t pid, bool in_order)
{
	int status = 0;

	if (!in_order)
		(void)kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	(void)kill(-pid, SIGKILL); /* what it left behind */
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBADMSG;
}

/* What a terminal or a page does with them, a text has no use for. */
static void clean(struct output *o)
{
	for (size_t i = 0; i < o->size; i++)
		if (((unsigned char)o->data[i] < ' ' && o->data[i] != '\n') || o->data[i] == 0x7f)
			o->data[i] = ' ';
	o->data[o->size] = '\0';
}

static int collect(const struct converter *tool, int fd, struct output *o, struct err *reterr)
{
	int ends[2], r = 1, q;
	uint64_t until_ns = clock_boot_ns() + tool->deadline_ms * NS_PER_MS;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(reterr, -errno, "start '%s': %s", tool->argv[0], strerror(errno));
	pid = fork();
	if (pid == 0)
		run_tool(tool, fd, ends[1]);
	(void)close(ends[1]);
	if (pid < 0)
		r = -errno;
	while (r > 0)
		r = read_some(ends[0], until_ns, o);
	(void)close(ends[0]);
	q = pid < 0 ? 0 : reap(pid, r == 0);
	if (r < 0)
		return err_set(reterr, r, "run '%s': %s", tool->argv[0], strerror(-r));
	return q < 0 ? err_set(reterr, q, "run '%s': it failed", tool->argv[0]) : 0;
}

int convert_file(const struct converter *tool, int fd, char **ret, size_t *ret_size,
		 struct err *reterr)
{
	struct output o = { 0 };
	int r;

	if (!convert_is_here(tool))
		return err_set(reterr, -ENOENT, "run '%s': it is not installed (package %s)",
			       tool->argv[0], tool->package);
	r = collect(tool, fd, &o, reterr);
	if (r == 0) {
		clean(&o);
		if (!str_is_clean_text(o.data, o.size))
			r = err_set(reterr, -EBADMSG, "run '%s': what it wrote is no UTF-8",
				    tool->argv[0]);
	}
	if (r < 0) {
		free(o.data);
		return r;
	}
	*ret = o.data;
	*ret_size = o.size;
	return 0;
}
