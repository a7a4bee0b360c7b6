/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* The lower median of v[0..n-1], which are put in another order; 0 for none. No allocation; O(n) on
 * average. Source: Hoare, Algorithm 65 (find), CACM 4(7), 1961. */
double median_of(double *v, size_t n);

/* The spread that goes with a median: 1.4826 times the median distance to it, which for normal noise is
 * its standard deviation. v is overwritten. Source: Rousseeuw and Croux, JASA 88(424), 1993. */
double median_spread(double *v, size_t n, double median);
