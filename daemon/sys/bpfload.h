/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* What BPF programs need of a kernel, asked of its BTF and never of its version; libbpf's own log is
 * kept as the cause of the next failure instead of being printed. */

enum bpfload_param {
	BPFLOAD_PARAM_ABSENT,
	BPFLOAD_PARAM_POINTER,
	BPFLOAD_PARAM_INTEGER,
};

/* Checks that BTF is there and that this process may load programs. Returns 0; -EOPNOTSUPP with the
 * cause: no BTF; -EPERM: CAP_BPF or CAP_PERFMON is missing. */
int bpfload_supported(struct err *reterr) _warn_unused_;

/* Type of the first parameter of a raw tracepoint ("mark_victim"), by the kernel's BTF. Returns it;
 * -errno. The BTF is parsed at the first call and kept until bpfload_done(). */
int bpfload_tracepoint_param(const char *tracepoint, struct err *reterr) _warn_unused_;

/* True if the kernel's struct has this member. */
bool bpfload_has_member(const char *struct_name, const char *member);

/* Sets "VERB bpf 'object': cause" with what libbpf last said. Returns code. */
int bpfload_error(int code, const char *verb, const char *object, struct err *reterr);

/* Frees the BTF. Call it when all is loaded; gives the memory back to the system. */
void bpfload_done(void);

/* CPUs a per-CPU map has values for; >= 1. */
unsigned bpfload_cpus(void);

#define BPFLOAD_CPUS_MAX 1024

/* Adds up a 64-bit count of a per-CPU array over the CPUs; 0 if it cannot be read. */
uint64_t bpfload_sum(int map_fd, uint32_t key);

/* What the programs with this map of bpf/latency.bpf.h have cost so far. */
uint64_t bpfload_cost_ns(int map_fd);
