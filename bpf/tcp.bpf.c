/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How TCP connections begin and end, by the cgroup that made the socket: most of this runs in the interrupt of
 * a packet, when the current task is anybody. Nothing here runs for each packet: the round-trip time is what the
 * kernel holds when a connection ends.
 * Source: kernel net/ipv4/tcp.c, tcp_set_state(); include/trace/events/tcp.h. */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/latency.bpf.h"
#include "bpf/tcp.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SRTT_SHIFT 3 /* srtt_us is eight times as much. Source: include/linux/tcp.h */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, LATENCY_UNITS_MAX);
	__type(key, __u64); /* cgroup id */
	__type(value, struct tcp_counts);
} units SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tcp_counts);
} other SEC(".maps");

/* When a connection was begun; gone with the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} begun SEC(".maps");

/* A reset may be sent for no socket, or for what is only a memory of one. */
static __always_inline struct tcp_counts *counts_of(const struct sock *sk)
{
	struct tcp_counts *c = NULL;
	__u32 zero = 0;
	__u64 cgroup;
	__u8 state;

	if (sk) {
		state = BPF_CORE_READ(sk, __sk_common.skc_state);
		if (state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV) {
			cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup, kn, id);
			c = bpf_map_lookup_elem(&units, &cgroup);
		}
	}
	return c ? c : bpf_map_lookup_elem(&other, &zero);
}

static __always_inline void begin(struct sock *sk)
{
	__u64 *ns = bpf_sk_storage_get(&begun, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (ns)
		*ns = bpf_ktime_get_ns();
}

static __always_inline void end_connect(struct sock *sk, int state)
{
	__u64 *ns = bpf_sk_storage_get(&begun, sk, NULL, 0), now = bpf_ktime_get_ns();
	struct tcp_counts *c = counts_of(sk);
	__u32 us;

	if (!c)
		return;
	if (state != TCP_ESTABLISHED) {
		c->failures++;
	} else if (ns) {
		us = now > *ns ? latency_us(now - *ns) : 0;
		latency_count(&c->connect, us);
		c->connect_us += us;
		c->connects++;
	}
	if (ns)
		(void)bpf_sk_storage_delete(&begun, sk);
}

static __always_inline void end(struct sock *sk)
{
	__u32 srtt = BPF_CORE_READ((struct tcp_sock *)sk, srtt_us);
	struct tcp_counts *c = srtt ? counts_of(sk) : NULL;

	if (c)
		latency_count(&c->rtt, srtt >> SRTT_SHIFT);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tcp_state, struct sock *sk, int oldstate, int newstate)
{
	__u64 begun_ns;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	begun_ns = latency_cost_begin(bpf_get_prandom_u32());
	if (newstate == TCP_SYN_SENT)
		begin(sk);
	else if (oldstate == TCP_SYN_SENT)
		end_connect(sk, newstate);
	else if (newstate == TCP_CLOSE)
		end(sk);
	latency_cost_end(begun_ns);
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(tcp_retransmit, struct sock *sk)
{
	__u64 begun_ns = latency_cost_begin(bpf_get_prandom_u32());
	struct tcp_counts *c = counts_of(sk);

	if (c)
		c->retransmits++;
	latency_cost_end(begun_ns);
	return 0;
}

SEC("tp_btf/tcp_send_reset")
int BPF_PROG(tcp_reset_sent, struct sock *sk)
{
	__u64 begun_ns = latency_cost_begin(bpf_get_prandom_u32());
	struct tcp_counts *c = counts_of(sk);

	if (c)
		c->resets_sent++;
	latency_cost_end(begun_ns);
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(tcp_reset_received, struct sock *sk)
{
	__u64 begun_ns = latency_cost_begin(bpf_get_prandom_u32());
	struct tcp_counts *c = counts_of(sk);

	if (c)
		c->resets_received++;
	latency_cost_end(begun_ns);
	return 0;
}
