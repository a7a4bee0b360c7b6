/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/* The bit of skb->mark that says "from the chosen cgroup". Free of the marks that are commonly
 * taken: Kubernetes 0x4000 and 0x8000, Tailscale 0xff0000, Calico 0xffff0000 unless configured,
 * WireGuard's wg-quick 0xca6c. */
#define UNITMARK_BIT 0x1000u
