/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Compares two groups of trials by ranks: one number for each trial, and nothing assumed of how they are distributed.
 */
#pragma once

#include <stddef.h>

/* Above this, in either group, the normal approximation is used, whose error is then below 0.001. */
#define RANK_EXACT_MAX 50

/*
 * The two-sided p-value of the Mann-Whitney test (Wilcoxon's rank sum): exact, also with ties, by the distribution of
 * rank sums over all ways to part the numbers in two such groups. 1 if a group is empty. NAN if out of memory.
 */
double rank_test(const double *a, size_t a_count, const double *b, size_t b_count);

struct rank_shift {
	double estimate, low, high; /* 95 %; low and high are NAN if there are too few numbers for an interval */
};
/* The Hodges-Lehmann estimate of b - a: the median of all differences, and its interval. NAN if a group is empty. */
struct rank_shift rank_shift(const double *a, size_t a_count, const double *b, size_t b_count);

/* Adjusts p-values for their number, by Holm: each becomes at least as large as it was. NAN stays and does not count.
 */
void rank_holm(double *p, size_t count);

/*
 * How many trials a group (both alike) would show a shift in four of five campaigns, at p <= 0.05, if the numbers
 * spread normally by `deviation`: Noether's formula. 0 if the shift is 0.
 */
size_t rank_trials_needed(double shift, double deviation);

/* Ascending. */
void rank_sort(double *numbers, size_t count);
/* numbers is sorted by this. NAN if count is 0. */
double rank_median(double *numbers, size_t count);
