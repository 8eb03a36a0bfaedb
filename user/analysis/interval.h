/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* 95 % confidence intervals of a trial's samples, taken as independent. */
#pragma once

#include <stddef.h>

struct interval {
	double low, high;
};
/* Wilson's score interval of a share, 0…1; 0…1 if count is 0. */
struct interval interval_of_share(size_t good, size_t count);

struct interval_ranks {
	size_t low, high; /* from 1, in the sorted samples; 0: too few samples for this end */
};
/* The order statistics between which the percentile is, by the binomial distribution. percent is 1…99. */
struct interval_ranks interval_of_percentile(size_t count, unsigned int percent);
