/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Deaths that matter: processes of managed units that end badly, victims of the OOM killer anywhere; and
 * the start of a package manager. Each wakes the reader, since nothing else is told. */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/lifecycle.h"

#define NS_PER_S 1000000000ull

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 host_pid_ns = 0; /* inode of the namespace that we watch from; 0: any counts */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, LIFECYCLE_RING_BYTES);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LIFECYCLE_UNITS_MAX);
	__type(key, __u64); /* cgroup id */
	__type(value, __u32);
} managed SEC(".maps");

struct comm {
	char name[LIFECYCLE_COMM_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LIFECYCLE_NAMES_MAX);
	__type(key, struct comm);
	__type(value, __u32);
} package_managers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, _LIFECYCLE_DROP_MAX);
	__type(key, __u32);
	__type(value, __u64);
} drops SEC(".maps");

struct second {
	__u64 start_ns;
	__u64 n;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, _LIFECYCLE_KIND_MAX);
	__type(key, __u32);
	__type(value, struct second);
} rate SEC(".maps");

static __always_inline void count_drop(__u32 why)
{
	__u64 *n = bpf_map_lookup_elem(&drops, &why);

	if (n)
		(*n)++;
}

static __always_inline bool is_over_rate(__u32 kind, __u64 now_ns)
{
	struct second *s = bpf_map_lookup_elem(&rate, &kind);

	if (!s)
		return true;
	if (now_ns - s->start_ns >= NS_PER_S) {
		s->start_ns = now_ns;
		s->n = 0;
	}
	return ++s->n > LIFECYCLE_EVENTS_PER_S;
}

static __always_inline void send(const struct lifecycle_event *e)
{
	if (is_over_rate(e->kind, e->t_ns)) {
		count_drop(LIFECYCLE_DROP_RATE);
		return;
	}
	if (bpf_ringbuf_output(&events, (void *)e, sizeof(*e), BPF_RB_FORCE_WAKEUP) < 0)
		count_drop(LIFECYCLE_DROP_FULL);
}

static __always_inline void fill(struct lifecycle_event *e, __u32 kind, struct task_struct *task)
{
	e->t_ns = bpf_ktime_get_boot_ns();
	e->kind = kind;
	e->pid = task->tgid;
	e->cgroup_id = task->cgroups->dfl_cgrp->kn->id;
	bpf_probe_read_kernel_str(e->comm, sizeof(e->comm), task->comm);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(lifecycle_exec, struct task_struct *task)
{
	struct lifecycle_event e = {};
	struct comm name = {};

	/* Packages are root's. Anybody may give a program that name: it would hold up all repairs. A
	 * container's packages are not the host's. */
	if (task->cred->euid.val != 0)
		return 0;
	if (host_pid_ns && task->nsproxy->pid_ns_for_children->ns.inum != host_pid_ns)
		return 0;
	bpf_probe_read_kernel_str(name.name, sizeof(name.name), task->comm);
	if (!bpf_map_lookup_elem(&package_managers, &name))
		return 0;
	fill(&e, LIFECYCLE_KIND_PACKAGES, task);
	send(&e);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(lifecycle_exit, struct task_struct *task)
{
	struct lifecycle_event e = {};
	__u64 cgroup;

	if (task->pid != task->tgid || task->exit_code == 0) /* a thread; a good end */
		return 0;
	cgroup = task->cgroups->dfl_cgrp->kn->id;
	if (!bpf_map_lookup_elem(&managed, &cgroup))
		return 0;
	fill(&e, LIFECYCLE_KIND_EXIT, task);
	e.exit_code = (__u32)task->exit_code;
	send(&e);
	return 0;
}

/* mark_victim has had two signatures: (struct task_struct *, uid_t) and (int pid). User space loads
 * the one whose first parameter fits this kernel's BTF. */
SEC("tp_btf/mark_victim")
int BPF_PROG(lifecycle_oom_task, struct task_struct *task)
{
	struct lifecycle_event e = {};

	fill(&e, LIFECYCLE_KIND_OOM, task);
	send(&e);
	return 0;
}

/* Only the pid is known: the victim may be any task, and a cgroup OOM is found by its unit's
 * memory.events as well. */
SEC("tp_btf/mark_victim")
int BPF_PROG(lifecycle_oom_pid, int pid)
{
	struct lifecycle_event e = {};

	e.t_ns = bpf_ktime_get_boot_ns();
	e.kind = LIFECYCLE_KIND_OOM;
	e.pid = (__u32)pid;
	send(&e);
	return 0;
}
