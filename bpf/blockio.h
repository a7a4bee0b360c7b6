/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

#include "bpf/latency.h"

#define BLOCKIO_DISKS_MAX 16

enum blockio_op { BLOCKIO_OP_READ, BLOCKIO_OP_WRITE, BLOCKIO_OP_FLUSH, _BLOCKIO_OP_MAX };

/* Requests of one kind that ended. */
struct blockio_counts {
	struct latency_hist hist;
	__u32 total_us, errors;
};

struct blockio_disk {
	struct blockio_counts ops[_BLOCKIO_OP_MAX];
};
