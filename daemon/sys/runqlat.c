/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/runqlat.h"

void runqlat_sum(const struct runqlat_hist *per_cpu, unsigned n_cpus, struct runqlat_hist *ret)
{
	*ret = (struct runqlat_hist){ 0 };
	for (unsigned cpu = 0; cpu < n_cpus; cpu++)
		for (unsigned i = 0; i < RUNQLAT_SLOTS; i++)
			ret->slots[i] += per_cpu[cpu].slots[i];
}

uint64_t runqlat_diff(const struct runqlat_hist *before, const struct runqlat_hist *after,
		      struct runqlat_hist *ret)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < RUNQLAT_SLOTS; i++) {
		ret->slots[i] = after->slots[i] - before->slots[i];
		n += ret->slots[i];
	}
	return n;
}

double runqlat_quantile_us(const struct runqlat_hist *hist, double share)
{
	double n = 0, wanted, below = 0;

	for (unsigned i = 0; i < RUNQLAT_SLOTS; i++)
		n += hist->slots[i];
	wanted = n * share;
	for (unsigned i = 0; i < RUNQLAT_SLOTS; i++) {
		double low = i == 0 ? 0 : (double)(UINT64_C(1) << (i - 1));
		double high = (double)(UINT64_C(1) << i);

		if (hist->slots[i] && below + hist->slots[i] >= wanted)
			return low + (high - low) * (wanted - below) / hist->slots[i];
		below += hist->slots[i];
	}
	return 0;
}
