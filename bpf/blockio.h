/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

#include "bpf/latency.h"

#define BLOCKIO_DISKS_MAX 16

enum blockio_op { BLOCKIO_OP_READ, BLOCKIO_OP_WRITE, BLOCKIO_OP_FLUSH, _BLOCKIO_OP_MAX };

struct blockio_disk {
	struct latency_counts ops[_BLOCKIO_OP_MAX];
};
