/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The accept queues of listening TCP sockets, by the cgroup that made each: what only the owner of a process
 * could read from /proc. An iterator: it runs when user space reads, and costs nothing else. It meets the
 * listening sockets first; each other one is told as well, so that a reader's buffer fills up and ends the
 * walk long before a hundred thousand of them are through.
 * Source: kernel net/ipv4/tcp_ipv4.c, bpf_iter_tcp; include/net/sock.h, sk_ack_backlog. */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/listeners.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("iter/tcp")
int listeners_read(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct listeners_socket s = {};
	struct tcp_sock *tcp;
	struct sock *sk;

	if (!common) /* the end */
		return 0;
	tcp = common->skc_state == TCP_LISTEN ? bpf_skc_to_tcp_sock(common) : NULL;
	if (tcp) {
		sk = &tcp->inet_conn.icsk_inet.sk;
		s.cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup, kn, id);
		s.waiting = sk->sk_ack_backlog;
	}
	bpf_seq_write(ctx->meta->seq, &s, sizeof(s));
	return 0;
}
