/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/err.h"

/* Installs a seccomp allow-list for good: a base set that every daemon of ours needs (event loop, memory,
 * files, AF_UNIX sockets, time) and the calls named in syscalls (ends with NULL; may be NULL). Anything
 * else kills the process. Not in the base: execve, fork, threads, ptrace, mount, bpf, other socket families.
 *   "socket"  lifts the restriction to AF_UNIX
 *   "bpf"     allows reading and writing maps through open fds, nothing else
 * A name this architecture does not have is left out. Call it last, after privileges are dropped.
 * Returns 0; -EINVAL for a name no architecture has; -errno from the kernel. Source: seccomp(2). */
int sandbox_enter(const char *const *syscalls, struct err *reterr) _warn_unused_;

/* For a foreign program that turns its standard input into its standard output, before execve(2): no new
 * privileges; no sockets but pairs, no tracing, mounts, namespaces, keys, BPF or modules; no file is made,
 * removed, renamed, truncated or given other rights (all EPERM). With RLIMIT_FSIZE 0 none is written either.
 * Returns 0; -errno. */
int sandbox_enter_tool(struct err *reterr) _warn_unused_;

/* Empties the effective, permitted, inheritable and ambient capability sets, and the bounding set where
 * that is allowed. Returns 0; -EPERM. */
int sandbox_drop_capabilities(struct err *reterr) _warn_unused_;
