/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How long tasks are held up where they themselves have to wait for the disk or for memory: in fsync(2) and its
 * kin, and while the kernel makes them free the memory that they ask for. All of it runs in the task that
 * waits, so that its cgroup is the current one; nothing runs while nobody waits.
 *
 * fsync has two forms. vfs_fsync_range() is that of all file systems, where a kernel allows to trace functions; the
 * tracepoints of ext4 are for kernels that do not. User space loads one of them.
 * Source: kernel fs/sync.c, include/trace/events/ext4.h, vmscan.h. */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/latency.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, LATENCY_UNITS_MAX);
	__type(key, __u64); /* cgroup id */
	__type(value, struct latency_counts);
} fsync_units SEC(".maps"), reclaim_units SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct latency_counts);
} fsync_other SEC(".maps"), reclaim_other SEC(".maps");

struct begun {
	__u64 fsync_ns, reclaim_ns; /* 0: not in one */
};

/* Gone with the task. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct begun);
} begun SEC(".maps");

static __always_inline struct begun *begun_of_current(__u64 flags)
{
	return bpf_task_storage_get(&begun, bpf_get_current_task_btf(), NULL, flags);
}

static __always_inline void count(void *units, void *other, __u64 start_ns, bool is_error)
{
	__u64 cgroup = bpf_get_current_cgroup_id(), now = bpf_ktime_get_ns();
	struct latency_counts *c = bpf_map_lookup_elem(units, &cgroup);
	__u32 zero = 0;

	if (!c)
		c = bpf_map_lookup_elem(other, &zero);
	if (c)
		latency_count_all(c, now > start_ns ? latency_us(now - start_ns) : 0, is_error);
}

static __always_inline void begin_fsync(void)
{
	struct begun *b = begun_of_current(BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (b)
		b->fsync_ns = bpf_ktime_get_ns();
}

static __always_inline void end_fsync(bool is_error)
{
	__u64 cost = latency_cost_begin(bpf_get_prandom_u32());
	struct begun *b = begun_of_current(0);

	if (b && b->fsync_ns) {
		count(&fsync_units, &fsync_other, b->fsync_ns, is_error);
		b->fsync_ns = 0;
	}
	latency_cost_end(cost);
}

SEC("fentry/vfs_fsync_range")
int BPF_PROG(stalls_fsync_enter)
{
	begin_fsync();
	return 0;
}

SEC("fexit/vfs_fsync_range")
int BPF_PROG(stalls_fsync_exit, struct file *file, loff_t start, loff_t end, int datasync, int ret)
{
	end_fsync(ret < 0);
	return 0;
}

SEC("tp_btf/ext4_sync_file_enter")
int BPF_PROG(stalls_ext4_enter)
{
	begin_fsync();
	return 0;
}

SEC("tp_btf/ext4_sync_file_exit")
int BPF_PROG(stalls_ext4_exit, struct inode *inode, int ret)
{
	end_fsync(ret < 0);
	return 0;
}

static __always_inline void begin_reclaim(void)
{
	struct begun *b = begun_of_current(BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (b)
		b->reclaim_ns = bpf_ktime_get_ns();
}

static __always_inline void end_reclaim(void)
{
	__u64 cost = latency_cost_begin(bpf_get_prandom_u32());
	struct begun *b = begun_of_current(0);

	if (b && b->reclaim_ns) {
		count(&reclaim_units, &reclaim_other, b->reclaim_ns, false);
		b->reclaim_ns = 0;
	}
	latency_cost_end(cost);
}

/* The host is out of memory. */
SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int BPF_PROG(stalls_reclaim_begin)
{
	begin_reclaim();
	return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int BPF_PROG(stalls_reclaim_end)
{
	end_reclaim();
	return 0;
}

/* The unit is at its own limit. */
SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int BPF_PROG(stalls_limit_begin)
{
	begin_reclaim();
	return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int BPF_PROG(stalls_limit_end)
{
	end_reclaim();
	return 0;
}
