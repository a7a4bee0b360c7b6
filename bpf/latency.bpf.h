/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/* What the programs that measure time share. Include after vmlinux.h and bpf_helpers.h. */

#include "bpf/latency.h"

/* Nanoseconds to microseconds without a division (exact below 2^32 ns, 4.3 s); what is longer is far
 * beyond any threshold and counts as 2^(SLOTS-1) us. Source of the constant: Hacker's Delight, 10-9. */
static __always_inline __u32 latency_us(__u64 ns)
{
	if (ns >> 32)
		return 1u << (LATENCY_SLOTS - 1);
	return (__u32)((ns * 274877907ull) >> 38);
}

static __always_inline __u32 latency_ceil_log2(__u32 v)
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

static __always_inline void latency_count(struct latency_hist *hist, __u32 us)
{
	/* A mask, not a comparison: the verifier of 6.1 loses track of a register that was compared before
	 * it was moved. */
	hist->slots[latency_ceil_log2(us) & (LATENCY_SLOTS - 1)]++;
}

static __always_inline void latency_count_all(struct latency_counts *c, __u32 us, bool is_error)
{
	latency_count(&c->hist, us);
	c->total_us += us;
	c->errors += is_error;
}

/* What the programs of this object cost: the time of those runs that are measured. The kernel's own counting
 * (bpf_stats) would cost each run more than this does, and only CAP_SYS_ADMIN may turn it on. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} cost_ns SEC(".maps");

/* The low bits of a time stamp, well mixed, choose the run. Source of the constant: Knuth, The Art of Computer
 * Programming 3, 6.4. Returns when it began; 0: this run is not measured. */
static __always_inline __u64 latency_cost_begin(__u64 stamp)
{
	return (__u32)stamp * 2654435761u < (1ull << 32) / LATENCY_COST_SHARE ? bpf_ktime_get_ns() :
										0;
}

static __always_inline void latency_cost_end(__u64 begun_ns)
{
	__u32 zero = 0;
	__u64 *ns;

	if (!begun_ns)
		return;
	ns = bpf_map_lookup_elem(&cost_ns, &zero);
	if (ns)
		*ns += bpf_ktime_get_ns() - begun_ns;
}
