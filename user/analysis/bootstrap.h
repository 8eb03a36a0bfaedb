/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A shift within one trial, whose samples depend on their neighbours: an interval, never a verdict. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* With fewer numbers on a side nothing is said. */
#define BOOTSTRAP_LEAST 20

struct bootstrap_shift {
	double estimate, low, high; /* 95 %; all NAN if there are too few numbers or there is no memory */
};

/*
 * How far the median of b is above that of a, both in the order of time: by the moving-block bootstrap (Künsch 1989),
 * which draws blocks of neighbours, of n^(1/3) numbers, because single ones would seem independent. The same seed gives
 * the same interval. Of more than 20,000 numbers every second one, and so on, is taken.
 */
struct bootstrap_shift bootstrap_median_shift(const double *a, size_t a_count, const double *b, size_t b_count,
					      uint64_t seed);
