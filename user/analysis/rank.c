/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/rank.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define CONFIDENCE 0.95
#define POWER 0.8

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct ranked {
	double value;
	size_t twice; /* twice its rank, from 2: the mean rank of equal numbers may be a half */
	bool is_a;
};

static int compare_ranked(const void *a, const void *b)
{
	return compare_doubles(&((const struct ranked *)a)->value, &((const struct ranked *)b)->value);
}

/* *ties: the sum of t^3 - t over each group of t equal numbers. */
static struct ranked *rank_all(const double *a, size_t a_count, const double *b, size_t b_count, double *ties)
{
	size_t count = a_count + b_count;
	struct ranked *all = calloc(count, sizeof(*all));

	if (!all)
		return NULL;
	for (size_t i = 0; i < count; i++)
		all[i] = (struct ranked){.value = i < a_count ? a[i] : b[i - a_count], .is_a = i < a_count};
	qsort(all, count, sizeof(*all), compare_ranked);
	*ties = 0;
	for (size_t first = 0, last; first < count; first = last + 1) {
		double t;

		for (last = first; last + 1 < count && all[last + 1].value <= all[first].value; last++)
			;
		for (size_t i = first; i <= last; i++)
			all[i].twice = first + last + 2;
		t = (double)(last - first + 1);
		*ties += t * t * t - t;
	}
	return all;
}

/*
 * How many choices of `chosen` of the numbers have a sum of doubled ranks that is at least as far from the mean sum as
 * `sum` is. ways[k * width + s] counts the choices of k numbers with the sum s.
 */
static double count_as_far(const struct ranked *all, size_t count, size_t chosen, size_t sum)
{
	size_t width = count * (count + 1) + 1, mean = chosen * (count + 1), far = sum > mean ? sum - mean : mean - sum;
	_cleanup_free_ double *ways = calloc((chosen + 1) * width, sizeof(*ways));
	double found = 0;

	if (!ways)
		return NAN;
	ways[0] = 1;
	for (size_t i = 0; i < count; i++)
		for (size_t k = i + 1 < chosen ? i + 1 : chosen; k > 0; k--) {
			const double *below = &ways[(k - 1) * width];
			double *own = &ways[k * width];

			for (size_t s = width - 1; s >= all[i].twice; s--)
				own[s] += below[s - all[i].twice];
		}
	for (size_t s = 0; s < width; s++)
		if ((s > mean ? s - mean : mean - s) >= far)
			found += ways[chosen * width + s];
	return found;
}

/* With the correction for ties, and for continuity. */
static double approximate(double ties, size_t a_count, size_t count, size_t sum)
{
	double n = (double)count, m = (double)a_count;
	double deviation = sqrt(m * (n - m) / 12 * (n + 1 - ties / (n * (n - 1))));
	double distance = fabs((double)sum / 2 - m * (n + 1) / 2) - 0.5;

	return deviation > 0 && distance > 0 ? 2 * gsl_cdf_ugaussian_Q(distance / deviation) : 1;
}

static double choices(size_t count, size_t chosen)
{
	double number = 1;

	for (size_t i = 0; i < chosen; i++)
		number = number * (double)(count - i) / (double)(i + 1);
	return number;
}

double rank_test(const double *a, size_t a_count, const double *b, size_t b_count)
{
	_cleanup_free_ struct ranked *all = NULL;
	size_t sum = 0, count = a_count + b_count;
	double ties;

	if (!a_count || !b_count)
		return 1;
	all = rank_all(a, a_count, b, b_count, &ties);
	if (!all)
		return NAN;
	for (size_t i = 0; i < count; i++)
		sum += all[i].is_a ? all[i].twice : 0;
	if (a_count > RANK_EXACT_MAX || b_count > RANK_EXACT_MAX)
		return approximate(ties, a_count, count, sum);
	return fmin(1, count_as_far(all, count, a_count, sum) / choices(count, a_count));
}

/*
 * The rank, from 1, of the difference where the interval begins, by the distribution of Mann and Whitney's U of numbers
 * without ties; 0: too few numbers. U is u in as many orders as u has partitions into at most a_count parts of at most
 * b_count: ways[i * width + u] counts those into at most i parts of at most j.
 */
static size_t first_rank(size_t a_count, size_t b_count)
{
	size_t width = a_count * b_count + 1, rank = 0;
	double all = choices(a_count + b_count, a_count), below;
	_cleanup_free_ double *ways = calloc((a_count + 1) * width, sizeof(*ways));

	if (!ways)
		return 0;
	for (size_t i = 0; i <= a_count; i++)
		ways[i * width] = 1;
	for (size_t j = 1; j <= b_count; j++)
		for (size_t i = 1; i <= a_count; i++)
			for (size_t u = j; u < width; u++)
				ways[i * width + u] += ways[(i - 1) * width + u - j];
	below = ways[a_count * width];
	while (below / all < (1 - CONFIDENCE) / 2)
		below += ways[a_count * width + ++rank];
	return rank;
}

static size_t first_rank_approximate(size_t a_count, size_t b_count)
{
	double m = (double)a_count, n = (double)b_count;
	double rank = m * n / 2 - gsl_cdf_ugaussian_Qinv((1 - CONFIDENCE) / 2) * sqrt(m * n * (m + n + 1) / 12);

	return rank > 0 ? (size_t)rank : 0;
}

struct groups {
	const double *a, *b;
	size_t a_count, b_count;
};

static double median_of_sorted(const double *numbers, size_t count)
{
	return count ? (numbers[(count - 1) / 2] + numbers[count / 2]) / 2 : NAN;
}

void rank_sort(double *numbers, size_t count)
{
	qsort(numbers, count, sizeof(*numbers), compare_doubles);
}

double rank_median(double *numbers, size_t count)
{
	rank_sort(numbers, count);
	return median_of_sorted(numbers, count);
}

/* How many differences b - a are at most `limit`. Both groups are sorted. */
static size_t count_up_to(const struct groups *groups, double limit)
{
	size_t count = 0, a = groups->a_count;

	/* The greater b is, the more of the smallest numbers of a are too far below it. */
	for (size_t b = groups->b_count; b-- > 0;) {
		while (a > 0 && groups->b[b] - groups->a[a - 1] <= limit)
			a--;
		count += groups->a_count - a;
	}
	return count;
}

/*
 * The difference with this rank, from 1, without listing them all, which are too many for thousands of trials: halves
 * the interval of values that it is in until no number is left between its ends.
 */
static double difference_at(const struct groups *groups, size_t rank)
{
	double high = groups->b[groups->b_count - 1] - groups->a[0];
	double low = groups->b[0] - groups->a[groups->a_count - 1];

	if (count_up_to(groups, low) >= rank)
		return low;
	for (;;) {
		double middle = low + (high - low) / 2;

		if (!(middle > low && middle < high))
			return high;
		*(count_up_to(groups, middle) >= rank ? &high : &low) = middle;
	}
}

static double *sorted_copy(const double *numbers, size_t count)
{
	double *copy = calloc(count + 1, sizeof(*copy));

	if (copy && count)
		memcpy(copy, numbers, count * sizeof(*copy));
	if (copy)
		rank_sort(copy, count);
	return copy;
}

struct rank_shift rank_shift(const double *a, size_t a_count, const double *b, size_t b_count)
{
	bool exact = a_count <= RANK_EXACT_MAX && b_count <= RANK_EXACT_MAX;
	struct rank_shift shift = {NAN, NAN, NAN};
	_cleanup_free_ double *own_a = sorted_copy(a, a_count), *own_b = sorted_copy(b, b_count);
	const struct groups groups = {own_a, own_b, a_count, b_count};
	size_t count = a_count * b_count, first;

	if (!own_a || !own_b || !count)
		return shift;
	shift.estimate = (difference_at(&groups, (count + 1) / 2) + difference_at(&groups, count / 2 + 1)) / 2;
	first = (exact ? first_rank : first_rank_approximate)(a_count, b_count);
	if (first) {
		shift.low = difference_at(&groups, first);
		shift.high = difference_at(&groups, count - first + 1);
	}
	return shift;
}

void rank_holm(double *p, size_t count)
{
	_cleanup_free_ double **order = calloc(count + 1, sizeof(*order));
	size_t tests = 0;
	double least = 0;

	for (size_t i = 0; i < count && order; i++) {
		size_t at = tests;

		if (isnan(p[i]))
			continue;
		for (; at > 0 && *order[at - 1] > p[i]; at--)
			order[at] = order[at - 1];
		order[at] = &p[i];
		tests++;
	}
	for (size_t i = 0; i < tests; i++) {
		least = fmax(least, fmin(1, *order[i] * (double)(tests - i)));
		*order[i] = least;
	}
}

size_t rank_trials_needed(double shift, double deviation)
{
	double z = gsl_cdf_ugaussian_Qinv((1 - CONFIDENCE) / 2) + gsl_cdf_ugaussian_Pinv(POWER);
	double greater = deviation > 0 ? gsl_cdf_ugaussian_P(fabs(shift) / (deviation * M_SQRT2)) : 1;
	double each = z * z / (6 * (greater - 0.5) * (greater - 0.5));

	if (!(fabs(shift) > 0))
		return 0;
	return (size_t)ceil(each);
}
