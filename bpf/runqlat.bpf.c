/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Run-queue latency per cgroup from one program: the scheduler itself stamps when a task was queued
 * (sched_info.last_queued) and how late it is (rq->clock), so there is no wakeup program and no
 * start-time map. Both stamps are of the same clock and are read before sched_info_arrive() resets them.
 * Source: kernel kernel/sched/core.c __schedule(), kernel/sched/stats.h. */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/runqlat.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Keys are put and deleted by user space as units come and go: the kernel never inserts, so dead
 * cgroups cannot fill the map and a switch never allocates. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, RUNQLAT_UNITS_MAX);
	__type(key, __u64); /* cgroup id */
	__type(value, struct runqlat_hist);
} units SEC(".maps");

/* Every cgroup that has no entry of its own. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct runqlat_hist);
} other SEC(".maps");

/* Nanoseconds to microseconds without a division (exact below 2^32 ns, 4.3 s); what is longer is far
 * beyond any threshold and counts as 2^(SLOTS-1) us. Source of the constant: Hacker's Delight, 10-9. */
static __always_inline __u32 to_us(__u64 ns)
{
	if (ns >> 32)
		return 1u << (RUNQLAT_SLOTS - 1);
	return (__u32)((ns * 274877907ull) >> 38);
}

static __always_inline __u32 ceil_log2(__u32 v)
{
	__u32 r, shift;

	if (v <= 1)
		return 0;
	v--;
	r = (v > 0xffff) << 4;
	v >>= r;
	shift = (v > 0xff) << 3;
	v >>= shift;
	r |= shift;
	shift = (v > 0xf) << 2;
	v >>= shift;
	r |= shift;
	shift = (v > 0x3) << 1;
	v >>= shift;
	r |= shift;
	return (r | (v >> 1)) + 1;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(runqlat_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct runqlat_hist *hist;
	__u64 queued, now, cgroup;
	__u32 slot, zero = 0;

	if (next->pid == 0) /* the idle task waits for nobody */
		return 0;
	queued = next->sched_info.last_queued;
	if (queued == 0)
		return 0;
	now = next->se.cfs_rq->rq->clock;
	cgroup = next->cgroups->dfl_cgrp->kn->id;
	hist = bpf_map_lookup_elem(&units, &cgroup);
	if (!hist)
		hist = bpf_map_lookup_elem(&other, &zero);
	if (!hist)
		return 0;
	slot = now > queued ? ceil_log2(to_us(now - queued)) : 0;
	/* A mask, not a comparison: the verifier of 6.1 loses track of a register that was compared before
	 * it was moved. */
	hist->slots[slot & (RUNQLAT_SLOTS - 1)]++;
	return 0;
}
