/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

#include "bpf/latency.h"

struct tcp_counts {
	struct latency_hist connect,
		rtt; /* connections from here; the smoothed one of each that ended */
	__u32 connect_us, connects, failures, retransmits, resets_sent, resets_received;
};
