/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the random draws of the kernel programs, through the functions that they share with user space. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "eval_abi.h"

#define DRAWS 10000
#define SEEDS 200
#define MIN_NS 20000000ULL
#define MAX_NS 80000000ULL

static int compare_u64(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Returns Kolmogorov–Smirnov's D against the uniform distribution on [min, max]. Sorts values. */
static double ks_distance(uint64_t *values, size_t count, double min, double max)
{
	double distance = 0;

	qsort(values, count, sizeof(*values), compare_u64);
	for (size_t i = 0; i < count; i++) {
		double expected = ((double)values[i] - min) / (max - min);

		distance = fmax(distance, fabs((double)(i + 1) / (double)count - expected));
		distance = fmax(distance, fabs((double)i / (double)count - expected));
	}
	return distance;
}

/*
 * Kolmogorov–Smirnov at 5 % for 200 seeds. With uniform draws, the number of seeds above the critical value is binomial
 * with mean 10 and standard deviation 3.1; a number more than 4 deviations off means that the draws are not uniform.
 */
static void draws_are_uniform(void **state)
{
	static uint64_t values[DRAWS];
	unsigned int exceeded = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		for (size_t n = 0; n < DRAWS; n++) {
			values[n] = eval_draw_ns(seed, n, MIN_NS, MAX_NS);
			assert_in_range(values[n], MIN_NS, MAX_NS);
		}
		exceeded += ks_distance(values, DRAWS, MIN_NS, MAX_NS) > 1.358 / sqrt(DRAWS);
	}
	assert_in_range(exceeded, 1, 22);
}

static void neighbours_are_independent(void **state)
{
	double sum = 0, squares = 0, products = 0, previous = 0, mean, variance;

	for (size_t n = 0; n < DRAWS; n++) {
		double value = (double)eval_draw_ns(7, n, 0, MAX_NS);

		sum += value;
		squares += value * value;
		if (n)
			products += value * previous;
		previous = value;
	}
	mean = sum / DRAWS;
	variance = squares / DRAWS - mean * mean;
	/* The serial correlation of n independent draws is normal around 0 with standard deviation 1/sqrt(n). */
	assert_true(fabs((products / (DRAWS - 1) - mean * mean) / variance) < 4 / sqrt(DRAWS));
}

static void equal_bounds_give_that_delay(void **state)
{
	for (size_t n = 0; n < 100; n++)
		assert_int_equal(eval_draw_ns(n, n, 50000000, 50000000), 50000000);
	assert_int_equal(eval_draw_ns(3, 4, 0, 0), 0);
}

static void bounds_hold_for_the_longest_span(void **state)
{
	uint64_t lowest = UINT64_MAX, highest = 0;

	for (size_t n = 0; n < DRAWS; n++) {
		uint64_t value = eval_draw_ns(11, n, 0, 10000000000ULL);

		lowest = value < lowest ? value : lowest;
		highest = value > highest ? value : highest;
	}
	assert_true(highest <= 10000000000ULL);
	assert_true(highest > 9990000000ULL);
	assert_true(lowest < 10000000ULL);
}

static void same_seed_same_draws(void **state)
{
	for (size_t n = 0; n < 100; n++) {
		assert_int_equal(eval_random(42, n), eval_random(42, n));
		assert_int_not_equal(eval_random(42, n), eval_random(43, n));
	}
	/* The published first output of splitmix64 with seed 0. */
	assert_int_equal(eval_random(0, 0), 0xe220a8397b1dcdafULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(draws_are_uniform),
		cmocka_unit_test(neighbours_are_independent),
		cmocka_unit_test(equal_bounds_give_that_delay),
		cmocka_unit_test(bounds_hold_for_the_longest_span),
		cmocka_unit_test(same_seed_same_draws),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
