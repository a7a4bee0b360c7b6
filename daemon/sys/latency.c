/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/latency.h"

void latency_sum(const uint32_t *per_cpu, unsigned n_cpus, unsigned n, uint32_t *ret)
{
	for (unsigned i = 0; i < n; i++)
		ret[i] = 0;
	for (unsigned cpu = 0; cpu < n_cpus; cpu++)
		for (unsigned i = 0; i < n; i++)
			ret[i] += per_cpu[cpu * n + i];
}

uint64_t latency_diff(const uint32_t *before, const uint32_t *after, unsigned n, uint32_t *ret)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		ret[i] = after[i] - before[i];
		sum += ret[i];
	}
	return sum;
}

uint64_t latency_samples(const struct latency_hist *hist)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < LATENCY_SLOTS; i++)
		n += hist->slots[i];
	return n;
}

double latency_quantile_us(const struct latency_hist *hist, double share)
{
	double wanted = (double)latency_samples(hist) * share, below = 0;

	for (unsigned i = 0; i < LATENCY_SLOTS; i++) {
		double low = i == 0 ? 0 : (double)(UINT64_C(1) << (i - 1));
		double high = (double)(UINT64_C(1) << i);

		if (hist->slots[i] && below + hist->slots[i] >= wanted)
			return low + (high - low) * (wanted - below) / hist->slots[i];
		below += hist->slots[i];
	}
	return 0;
}
