/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How long block requests take from one program: the kernel has stamped the request when it was made
 * (start_time_ns, while the queue's iostats are on), so there is no program at its start and no map of what is
 * under way. Counted by disk and kind, and by the cgroup that is charged with it.
 * Source: kernel block/blk-mq.c, blk_update_request(), blk_account_io_start(). */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/blockio.h"
#include "bpf/latency.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define OP_MASK 0xff /* REQ_OP_MASK. Source: include/linux/blk_types.h */

/* Keys are user space's: major << 32 | first minor. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, BLOCKIO_DISKS_MAX);
	__type(key, __u64);
	__type(value, struct blockio_disk);
} disks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct blockio_disk);
} other_disks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, LATENCY_UNITS_MAX);
	__type(key, __u64); /* cgroup id */
	__type(value, struct latency_counts);
} units SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct latency_counts);
} other SEC(".maps");

/* A flush has no bio. What the version 1 hierarchy charges is nobody's here: its ids are others. */
static __always_inline __u64 charged_cgroup(struct request *rq)
{
	struct cgroup *cgroup;
	struct bio *bio = rq->bio;

	if (!bio || !bpf_core_field_exists(bio->bi_blkg) || !bio->bi_blkg)
		return 0;
	cgroup = bio->bi_blkg->blkcg->css.cgroup;
	return cgroup->root->hierarchy_id == 0 ? cgroup->kn->id : 0;
}

static __always_inline void count_disk(struct request *rq, __u32 op, __u32 us, bool is_error)
{
	struct gendisk *gendisk = rq->q->disk;
	struct blockio_disk *disk;
	__u32 zero = 0;
	__u64 dev;

	if (!gendisk)
		return;
	dev = (__u64)gendisk->major << 32 | (__u32)gendisk->first_minor;
	disk = bpf_map_lookup_elem(&disks, &dev);
	if (!disk)
		disk = bpf_map_lookup_elem(&other_disks, &zero);
	if (!disk)
		return;
	/* Constant places: a variable one costs the verifier more than it saves. */
	if (op == REQ_OP_READ)
		latency_count_all(&disk->ops[BLOCKIO_OP_READ], us, is_error);
	else if (op == REQ_OP_WRITE)
		latency_count_all(&disk->ops[BLOCKIO_OP_WRITE], us, is_error);
	else
		latency_count_all(&disk->ops[BLOCKIO_OP_FLUSH], us, is_error);
}

static __always_inline void count_unit(struct request *rq, __u32 us, bool is_error)
{
	__u64 cgroup = charged_cgroup(rq);
	struct latency_counts *c = cgroup ? bpf_map_lookup_elem(&units, &cgroup) : NULL;
	__u32 zero = 0;

	if (!c)
		c = bpf_map_lookup_elem(&other, &zero);
	if (c)
		latency_count_all(c, us, is_error);
}

static __always_inline void count(struct request *rq, bool is_error)
{
	__u32 op = rq->cmd_flags & OP_MASK, us;
	__u64 now = bpf_ktime_get_ns(), start = rq->start_time_ns;

	if (op > REQ_OP_FLUSH) /* discards and zone commands take what they take */
		return;
	us = start && now > start ? latency_us(now - start) : 0;
	count_disk(rq, op, us, is_error);
	if (op != REQ_OP_FLUSH)
		count_unit(rq, us, is_error);
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(blockio_complete, struct request *rq, int error, unsigned int nr_bytes)
{
	__u64 begun_ns;

	if (nr_bytes < rq->__data_len && !error) /* a part of it; the rest follows */
		return 0;
	begun_ns = latency_cost_begin(rq->start_time_ns);
	count(rq, error != 0);
	latency_cost_end(begun_ns);
	return 0;
}
