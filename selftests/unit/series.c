/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "selftests/unit/series.h"

/* xorshift64*. Source: Marsaglia, Xorshift RNGs; Vigna. */
double series_uniform(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return (double)((x * UINT64_C(2685821657736338717)) >> 11) / 9007199254740992.0;
}

/* The sum of twelve uniform numbers has a variance of 1. */
double series_normal(uint64_t *state)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += series_uniform(state);
	return sum;
}
