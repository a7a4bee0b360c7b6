/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Run-queue latency per cgroup from one program: the scheduler itself stamps when a task was queued
 * (sched_info.last_queued) and how late it is (rq->clock), so there is no wakeup program and no
 * start-time map. Both stamps are of the same clock and are read before sched_info_arrive() resets them.
 * Source: kernel kernel/sched/core.c __schedule(), kernel/sched/stats.h. */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/latency.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Keys are put and deleted by user space as units come and go: the kernel never inserts, so dead
 * cgroups cannot fill the map and a switch never allocates. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, LATENCY_UNITS_MAX);
	__type(key, __u64); /* cgroup id */
	__type(value, struct latency_hist);
} units SEC(".maps");

/* Every cgroup that has no entry of its own. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct latency_hist);
} other SEC(".maps");

static __always_inline void count(struct task_struct *next, __u64 queued)
{
	__u64 now = next->se.cfs_rq->rq->clock, cgroup = next->cgroups->dfl_cgrp->kn->id;
	struct latency_hist *hist = bpf_map_lookup_elem(&units, &cgroup);
	__u32 zero = 0;

	if (!hist)
		hist = bpf_map_lookup_elem(&other, &zero);
	if (hist)
		latency_count(hist, now > queued ? latency_us(now - queued) : 0);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(runqlat_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u64 queued, begun_ns;

	if (next->pid == 0) /* the idle task waits for nobody */
		return 0;
	queued = next->sched_info.last_queued;
	if (queued == 0)
		return 0;
	begun_ns = latency_cost_begin(queued);
	count(next, queued);
	latency_cost_end(begun_ns);
	return 0;
}
