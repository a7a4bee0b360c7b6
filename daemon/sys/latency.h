/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/types.h>
#include <stdint.h>

#include "bpf/latency.h"

/* Counts that the kernel keeps for each CPU. */

/* Adds up n counts of each CPU. */
void latency_sum(const uint32_t *per_cpu, unsigned n_cpus, unsigned n, uint32_t *ret);

/* What was counted between two readings (counts wrap at 2^32). ret may be after. Returns their sum. */
uint64_t latency_diff(const uint32_t *before, const uint32_t *after, unsigned n, uint32_t *ret);

/* The number of samples in a histogram. */
uint64_t latency_samples(const struct latency_hist *hist);

/* The value that share (0..1) of the samples do not exceed, in microseconds, linear inside its slot; 0
 * for an empty histogram. */
double latency_quantile_us(const struct latency_hist *hist, double share);
