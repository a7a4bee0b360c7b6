/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/types.h>
#include <stdint.h>

#include "bpf/runqlat.h"

/* Adds the per-CPU histograms of one map value up. */
void runqlat_sum(const struct runqlat_hist *per_cpu, unsigned n_cpus, struct runqlat_hist *ret);

/* What was counted between two readings (counters wrap at 2^32). Returns the number of samples. */
uint64_t runqlat_diff(const struct runqlat_hist *before, const struct runqlat_hist *after,
		      struct runqlat_hist *ret);

/* The value that share (0..1) of the samples do not exceed, in microseconds, linear inside its slot; 0
 * for an empty histogram. */
double runqlat_quantile_us(const struct runqlat_hist *hist, double share);
