/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "model/entity.h"

/* Files of /proc. Source: proc(5), kernel Documentation/filesystems/proc.rst. */

#define PROCFS_COMM_MAX   64
#define PROCFS_MOUNTS_MAX 64

/* Jiffies of all CPUs since boot, from an open /proc/stat. idle counts idle and iowait. */
struct procfs_cpu {
	uint64_t busy, idle;
};
int procfs_read_cpu(int fd, struct procfs_cpu *ret) _warn_unused_;

/* Busy share between two readings, 0..100 of all CPUs. */
double procfs_cpu_busy_pct(const struct procfs_cpu *before, const struct procfs_cpu *after);

/* From an open /proc/meminfo. ratio: MemAvailable / MemTotal, 0..1. */
int procfs_read_memory(int fd, double *ret_available_ratio) _warn_unused_;

/* The first figure of an open /proc/loadavg. */
int procfs_read_load1(int fd, double *ret) _warn_unused_;

/* One process. Identify it by (pid, start_jiffies), never by pid alone. */
struct procfs_task {
	pid_t pid;
	char state; /* R, S, D, T (stopped), t (traced), Z, ... */
	char comm[PROCFS_COMM_MAX];
	uint64_t cpu_jiffies; /* user and system */
	uint64_t start_jiffies;
	uint64_t flags; /* PROCFS_FLAG_KERNEL and others */
	int nice;
	uint64_t policy; /* SCHED_OTHER, ... */
};

#define PROCFS_FLAG_KERNEL 0x00200000 /* PF_KTHREAD. Source: linux/sched.h */

/* proc_fd: an open /proc, or the task directory of a process. Returns 0; -ESRCH if it is gone; -EBADMSG. */
int procfs_read_task(int proc_fd, pid_t pid, struct procfs_task *ret) _warn_unused_;

/* The effective user, from /proc/PID/status: the owner of /proc/PID is root's for who hides his memory.
 * Returns 0; -ESRCH; -EBADMSG. */
int procfs_read_euid(int proc_fd, pid_t pid, uid_t *ret) _warn_unused_;

/* True for the first process of a pid namespace other than proc_fd's: a container ends with it.
 * Returns 1, 0; -ESRCH; -EBADMSG. */
int procfs_is_namespace_init(int proc_fd, pid_t pid) _warn_unused_;

/* The unit a process belongs to, from /proc/PID/cgroup (the v2 line). Returns 0; -ESRCH; -ENXIO. */
int procfs_read_unit(int proc_fd, pid_t pid, char ret[static ENTITY_NAME_MAX]) _warn_unused_;

/* Is it in a container: in a PID namespace of its own, or by the name of its cgroup? false for a process that
 * is gone. */
bool procfs_is_in_container(int proc_fd, pid_t pid);

/* Local, writable file systems on block devices: those whose statvfs(3) answers from memory and so
 * never waits for a server. */
struct procfs_mounts {
	uint32_t n;
	char paths[PROCFS_MOUNTS_MAX][256];
};
int procfs_read_mounts(int root_fd, struct procfs_mounts *ret) _warn_unused_;
