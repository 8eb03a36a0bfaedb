/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/bootstrap.h"

#include <gsl/gsl_rng.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/rank.h"
#include "util/cleanup.h"

#define DRAWS 1000
#define COUNT_MAX 20000
#define TAIL 0.025

/* Numbers in the order of time, and room for as many. */
struct series {
	double *numbers, *drawn;
	size_t count, block;
};

static bool series_make(struct series *series, const double *numbers, size_t count)
{
	size_t step = (count + COUNT_MAX - 1) / COUNT_MAX;

	*series = (struct series){.numbers = calloc(count / step + 1, sizeof(double)),
				  .drawn = calloc(count / step + 1, sizeof(double))};
	if (!series->numbers || !series->drawn)
		return false;
	for (size_t i = 0; i < count; i += step)
		series->numbers[series->count++] = numbers[i];
	series->block = (size_t)ceil(cbrt((double)series->count));
	return true;
}

static void series_clear(struct series *series)
{
	free(series->numbers);
	free(series->drawn);
}

static double median_of(const struct series *series)
{
	memcpy(series->drawn, series->numbers, series->count * sizeof(double));
	return gsl_stats_median(series->drawn, 1, series->count);
}

/* The median of blocks that are drawn until there are as many numbers again. */
static double draw(const struct series *series, gsl_rng *generator)
{
	size_t used = 0;

	while (used < series->count) {
		size_t from = gsl_rng_uniform_int(generator, series->count - series->block + 1);
		size_t left = series->count - used, length = left < series->block ? left : series->block;

		memcpy(series->drawn + used, series->numbers + from, length * sizeof(double));
		used += length;
	}
	return gsl_stats_median(series->drawn, 1, series->count);
}

static struct bootstrap_shift shift_between(const struct series *a, const struct series *b, gsl_rng *generator)
{
	struct bootstrap_shift shift = {.estimate = median_of(b) - median_of(a)};
	double shifts[DRAWS];

	for (size_t i = 0; i < DRAWS; i++)
		shifts[i] = draw(b, generator) - draw(a, generator);
	rank_sort(shifts, DRAWS);
	shift.low = gsl_stats_quantile_from_sorted_data(shifts, 1, DRAWS, TAIL);
	shift.high = gsl_stats_quantile_from_sorted_data(shifts, 1, DRAWS, 1 - TAIL);
	return shift;
}

struct bootstrap_shift bootstrap_median_shift(const double *a, size_t a_count, const double *b, size_t b_count,
					      uint64_t seed)
{
	struct bootstrap_shift shift = {NAN, NAN, NAN};
	struct series of_a = {}, of_b = {};
	gsl_rng *generator;

	if (a_count < BOOTSTRAP_LEAST || b_count < BOOTSTRAP_LEAST)
		return shift;
	generator = gsl_rng_alloc(gsl_rng_mt19937);
	if (series_make(&of_a, a, a_count) && series_make(&of_b, b, b_count) && generator) {
		gsl_rng_set(generator, seed);
		shift = shift_between(&of_a, &of_b, generator);
	}
	if (generator)
		gsl_rng_free(generator);
	series_clear(&of_a);
	series_clear(&of_b);
	return shift;
}
