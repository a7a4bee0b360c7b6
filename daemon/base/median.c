/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/median.h"

#include <math.h>
#include <sys/types.h>

/* One pass of the partition around the pivot: on return what is left of *i is no larger, what is right
 * of *j no smaller. */
static void part(double *v, double pivot, ssize_t *i, ssize_t *j)
{
	while (*i <= *j) {
		while (v[*i] < pivot)
			(*i)++;
		while (v[*j] > pivot)
			(*j)--;
		if (*i <= *j) {
			double swap = v[*i];

			v[(*i)++] = v[*j];
			v[(*j)--] = swap;
		}
	}
}

double median_of(double *v, size_t n)
{
	ssize_t left = 0, right = (ssize_t)n - 1, k = right / 2;

	if (n == 0)
		return 0;
	while (left < right) {
		ssize_t i = left, j = right;

		part(v, v[left + (right - left) / 2], &i, &j);
		if (j < k)
			left = i;
		if (k < i)
			right = j;
	}
	return v[k];
}

double median_spread(double *v, size_t n, double median)
{
	for (size_t i = 0; i < n; i++)
		v[i] = fabs(v[i] - median);
	return 1.4826 * median_of(v, n);
}
