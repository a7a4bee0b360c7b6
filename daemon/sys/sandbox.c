/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cap-ng.h>

#include "base/str.h"

/* One line per purpose. Old and new forms of a call both, since the C library decides. */
static const char *const base_syscalls[] = {
	/* event loop */
	"epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd2",
	"inotify_add_watch", "inotify_init1", "inotify_rm_watch", "poll", "ppoll", "pselect6",
	"restart_syscall", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "select", "signalfd4",
	"timerfd_create", "timerfd_gettime", "timerfd_settime",
	/* time */
	"clock_getres", "clock_gettime", "clock_nanosleep", "gettimeofday", "nanosleep", "time",
	/* memory */
	"brk", "madvise", "mmap", "mprotect", "mremap", "munmap",
	/* files */
	"access", "close", "dup", "dup2", "dup3", "faccessat", "faccessat2", "fchmod", "fchmodat",
	"fcntl", "fdatasync", "flock", "fstat", "fstatfs", "fsync", "ftruncate", "getcwd",
	"getdents64", "linkat", "lseek", "lstat", "mkdirat", "newfstatat", "open", "openat",
	"openat2", "pipe2", "pread64", "pwrite64", "read", "readlink", "readlinkat", "readv",
	"rename", "renameat", "renameat2", "stat", "statfs", "statx", "umask", "unlink", "unlinkat",
	"write", "writev",
	/* sockets; socket(2) itself is below */
	"accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt",
	"listen", "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt",
	"shutdown",
	/* who am I, and the end */
	"capget", "exit", "exit_group", "futex", "futex_waitv", "getegid", "geteuid", "getgid",
	"getgroups", "getpgrp", "getpid", "getppid", "getrandom", "getresgid", "getresuid",
	"getrlimit", "getrusage", "gettid", "getuid", "membarrier", "prlimit64", "rseq",
	"sched_getaffinity", "sched_yield", "set_robust_list", "sigaltstack", "sysinfo", "tgkill",
	"uname"
};

struct argument_rule {
	const char *syscall;
	unsigned argument;
	uint64_t value;
};

static const struct argument_rule argument_rules[] = {
	{ "ioctl", 1, FIONBIO },
	{ "ioctl", 1, FIONREAD },
	{ "ioctl", 1, TCGETS }, /* isatty(3) */
	{ "ioctl", 1, TIOCGWINSZ },
	{ "prctl", 0, PR_GET_NAME },
	{ "prctl", 0, PR_SET_NAME },
	{ "prctl", 0, PR_SET_VMA }, /* names of malloc(3)'s areas */
	{ "prctl", 0, PR_CAPBSET_READ },
	{ "prctl", 0, PR_SET_PDEATHSIG }, /* a child that is not to outlive us */
	{ "socketpair", 0, AF_UNIX },
};

static const struct argument_rule socket_rule = { "socket", 0, AF_UNIX };

static const struct argument_rule bpf_rules[] = {
	{ "bpf", 0, BPF_MAP_LOOKUP_ELEM }, { "bpf", 0, BPF_MAP_UPDATE_ELEM },
	{ "bpf", 0, BPF_MAP_DELETE_ELEM }, { "bpf", 0, BPF_MAP_LOOKUP_BATCH },
	{ "bpf", 0, BPF_ITER_CREATE }, /* reads through a program that is loaded */
};

static void releasep(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

static int allow_argument(scmp_filter_ctx filter, const struct argument_rule *rule)
{
	int number = seccomp_syscall_resolve_name(rule->syscall);

	if (number < 0)
		return 0;
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1,
				SCMP_CMP64(rule->argument, SCMP_CMP_EQ, rule->value, 0));
}

static int allow_arguments(scmp_filter_ctx filter, const struct argument_rule *rules, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = allow_argument(filter, &rules[i]);
	return r;
}

static int allow(scmp_filter_ctx filter, const char *name)
{
	int number = seccomp_syscall_resolve_name(name);

	if (number == __NR_SCMP_ERROR)
		return -EINVAL;
	/* Negative numbers stand for calls of other architectures. */
	return number < 0 ? 0 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
}

static int allow_extra(scmp_filter_ctx filter, const char *const *syscalls, struct err *reterr)
{
	bool any_socket = false;
	int r = 0;

	for (; syscalls && *syscalls; syscalls++) {
		any_socket = any_socket || str_equal(*syscalls, "socket");
		r = str_equal(*syscalls, "bpf") ?
			    allow_arguments(filter, bpf_rules, ELEMENTSOF(bpf_rules)) :
			    allow(filter, *syscalls);
		if (r < 0)
			return err_set(reterr, r, "allow system call '%s': %s", *syscalls,
				       strerror(-r));
	}
	r = any_socket ? 0 : allow_argument(filter, &socket_rule);
	return r < 0 ? err_set(reterr, r, "allow system call 'socket': %s", strerror(-r)) : 0;
}

static int allow_base(scmp_filter_ctx filter, struct err *reterr)
{
	int r;

	for (size_t i = 0; i < ELEMENTSOF(base_syscalls); i++) {
		r = allow(filter, base_syscalls[i]);
		/* An older libseccomp may not know the newest names. */
		if (r < 0 && r != -EINVAL)
			return err_set(reterr, r, "allow system call '%s': %s", base_syscalls[i],
				       strerror(-r));
	}
	r = allow_arguments(filter, argument_rules, ELEMENTSOF(argument_rules));
	return r < 0 ? err_set(reterr, r, "allow system calls by argument: %s", strerror(-r)) : 0;
}

int sandbox_enter(const char *const *syscalls, struct err *reterr)
{
	_cleanup_(releasep) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (!filter)
		return err_set(reterr, -ENOMEM, "make system call filter: %s", strerror(ENOMEM));
	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* A binary tree: what is called most costs no more than the rest. */
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r < 0)
		return err_set(reterr, r, "make system call filter: %s", strerror(-r));
	r = allow_base(filter, reterr);
	if (r == 0)
		r = allow_extra(filter, syscalls, reterr);
	if (r < 0)
		return r;
	r = seccomp_load(filter);
	return r < 0 ? err_set(reterr, r, "load system call filter: %s", strerror(-r)) : 0;
}

/* One line per purpose. */
static const char *const tool_refused[] = {
	/* the network */
	"socket",
	"connect",
	"bind",
	"listen",
	"accept",
	"accept4",
	/* other processes and the kernel */
	"ptrace",
	"process_vm_readv",
	"process_vm_writev",
	"pidfd_getfd",
	"bpf",
	"perf_event_open",
	"io_uring_setup",
	"userfaultfd",
	"add_key",
	"request_key",
	"keyctl",
	"kexec_load",
	"init_module",
	"finit_module",
	"delete_module",
	/* namespaces and mounts */
	"unshare",
	"setns",
	"mount",
	"umount2",
	"pivot_root",
	"chroot",
	"move_mount",
	"open_tree",
	"fsopen",
	/* files */
	"creat",
	"unlink",
	"unlinkat",
	"rename",
	"renameat",
	"renameat2",
	"mkdir",
	"mkdirat",
	"rmdir",
	"link",
	"linkat",
	"symlink",
	"symlinkat",
	"mknod",
	"mknodat",
	"truncate",
	"ftruncate",
	"chmod",
	"fchmod",
	"fchmodat",
	"chown",
	"fchown",
	"lchown",
	"fchownat",
	"setxattr",
	"lsetxattr",
	"fsetxattr",
	"utimensat",
};

static int refuse(scmp_filter_ctx filter, const char *name)
{
	int number = seccomp_syscall_resolve_name(name);

	/* What this architecture or libseccomp does not know cannot be called by its name either. */
	return number < 0 ? 0 : seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0);
}

/* open(2) with these flags. clone3(2) and openat2(2) hide theirs behind a pointer: who is told that they do
 * not exist takes the old ones. */
static int refuse_open(scmp_filter_ctx filter, unsigned flags)
{
	int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(openat), 1,
				 SCMP_CMP64(2, SCMP_CMP_MASKED_EQ, flags, flags));

	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(open), 1,
				     SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, flags, flags));
	return r;
}

static int refuse_all(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ELEMENTSOF(tool_refused); i++)
		r = refuse(filter, tool_refused[i]);
	if (r == 0)
		r = refuse_open(filter, O_CREAT);
	if (r == 0)
		r = refuse_open(filter, O_TRUNC);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				     SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, CLONE_NEWUSER,
						CLONE_NEWUSER));
	return r;
}

int sandbox_enter_tool(struct err *reterr)
{
	_cleanup_(releasep) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r;

	if (!filter)
		return err_set(reterr, -ENOMEM, "make system call filter: %s", strerror(ENOMEM));
	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = refuse_all(filter);
	if (r == 0)
		r = seccomp_load(filter); /* sets no-new-privileges, too */
	return r < 0 ? err_set(reterr, r, "load system call filter: %s", strerror(-r)) : 0;
}

int sandbox_drop_capabilities(struct err *reterr)
{
	/* Dropping from the bounding set takes CAP_SETPCAP; the unit has cut it already. */
	capng_select_t sets = CAPNG_SELECT_CAPS;

	if (capng_get_caps_process() < 0)
		return err_set(reterr, -EPERM, "read capabilities: %s", strerror(EPERM));
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		sets = CAPNG_SELECT_BOTH;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_set(reterr, -errno, "clear ambient capabilities: %s", strerror(errno));
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_apply(sets) < 0)
		return err_set(reterr, -EPERM, "drop capabilities: %s", strerror(EPERM));
	return 0;
}
