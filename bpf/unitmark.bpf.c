// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "bpf/unitmark.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Runs in ip_finish_output(), after routing and netfilter: the mark steers nothing but the tc filter
 * that looks for it. */
SEC("cgroup_skb/egress")
int unitmark(struct __sk_buff *skb)
{
	skb->mark |= UNITMARK_BIT;
	return 1;
}
