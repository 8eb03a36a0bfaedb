/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/interval.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

#define TAIL 0.025 /* on each side */

struct interval interval_of_share(size_t good, size_t count)
{
	double n = (double)count, share = (double)good / n, z = gsl_cdf_ugaussian_Qinv(TAIL);
	double scale = 1 + z * z / n, middle = (share + z * z / (2 * n)) / scale;
	double half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale;

	if (!count)
		return (struct interval){0, 1};
	/* At the ends, rounding alone would keep the interval from 0 or 1. */
	return (struct interval){good ? middle - half : 0, good < count ? middle + half : 1};
}

/* The smallest k with a probability of at least `reached` that at most k of `count` samples have the share's property.
 */
static size_t quantile(size_t count, double share, double reached)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (gsl_cdf_binomial_P((unsigned int)middle, share, (unsigned int)count) < reached)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The sample of rank r is at most the percentile if at least r samples are, whose number is binomial. */
struct interval_ranks interval_of_percentile(size_t count, unsigned int percent)
{
	double share = percent / 100.0;
	size_t low = quantile(count, share, TAIL), high = quantile(count, share, 1 - TAIL) + 1;

	return (struct interval_ranks){low, high <= count ? high : 0};
}
