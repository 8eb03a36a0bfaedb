/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Statistics of the numbers on standard input, for the benchmarks: prints one line of figures, separated by tabs. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

struct numbers {
	double *items;
	size_t count;
};

static void numbers_free(struct numbers *numbers)
{
	free(numbers->items);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int numbers_add(struct numbers *numbers, double value)
{
	double *items = reallocarray(numbers->items, numbers->count + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	items[numbers->count++] = value;
	numbers->items = items;
	return 0;
}

static double parse(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !isfinite(value)) {
		fprintf(stderr, "stats: '%s' is not a number\n", text);
		exit(2);
	}
	return value;
}

/* Reads and sorts all numbers or, with pairs, the ratios of each line's second number to its first. */
static void numbers_read(struct numbers *numbers, int pairs)
{
	char first[64], second[64];

	while (scanf("%63s", first) == 1) {
		double value = parse(first);

		if (pairs) {
			if (scanf("%63s", second) != 1 || value <= 0) {
				fprintf(stderr, "stats: not a line of two positive numbers\n");
				exit(2);
			}
			value = parse(second) / value;
		}
		if (numbers_add(numbers, value))
			exit(1);
	}
	if (!numbers->count) {
		fprintf(stderr, "stats: no numbers\n");
		exit(2);
	}
	qsort(numbers->items, numbers->count, sizeof(*numbers->items), compare);
}

/* Returns the smallest value that at least this share of the values do not exceed. */
static double quantile(const struct numbers *numbers, double share)
{
	size_t rank = (size_t)ceil(share * (double)numbers->count);

	return numbers->items[rank ? rank - 1 : 0];
}

static double median(const struct numbers *numbers)
{
	size_t half = numbers->count / 2;

	return numbers->count % 2 ? numbers->items[half] : (numbers->items[half - 1] + numbers->items[half]) / 2;
}

/*
 * Returns how many values at each end lie outside the sign test's interval of the median: the most that leave 95 %
 * confidence for any distribution. Below 6 values no such interval exists, and the whole range is taken.
 */
static size_t sign_test_outside(size_t count)
{
	double term = pow(0.5, (double)count), tail = term;
	size_t outside = 0;

	while (tail <= 0.025 && outside < count / 2) {
		outside++;
		term *= (double)(count - outside + 1) / (double)outside;
		tail += term;
	}
	return outside ? outside - 1 : 0;
}

/* Prints the median, its 95 % interval by the sign test, and the count. */
static void print_median(const struct numbers *numbers)
{
	size_t outside = sign_test_outside(numbers->count);

	printf("%.6g\t%.6g\t%.6g\t%zu\n", median(numbers), numbers->items[outside],
	       numbers->items[numbers->count - 1 - outside], numbers->count);
}

/* Returns Student's t for 95 % by degrees of freedom; from 30 on a sum within 0.1 % of it (Fisher's expansion). */
static double student_t(size_t freedom)
{
	static const double table[] = {
		0,     12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262,
		2.228, 2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093,
		2.086, 2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045,
	};

	return freedom < sizeof(table) / sizeof(*table) ? table[freedom] : 1.960 + 2.372 / (double)freedom;
}

/* Prints the geometric mean of positive numbers, its 95 % interval by Student's t on the logarithms, and the count. */
static void print_geomean(const struct numbers *numbers)
{
	double n = (double)numbers->count, sum = 0, squares = 0, mean, half;

	if (numbers->count < 2) {
		fprintf(stderr, "stats: an interval needs two pairs at least\n");
		exit(2);
	}
	for (size_t i = 0; i < numbers->count; i++)
		sum += log(numbers->items[i]);
	mean = sum / n;
	for (size_t i = 0; i < numbers->count; i++)
		squares += pow(log(numbers->items[i]) - mean, 2);
	half = student_t(numbers->count - 1) * sqrt(squares / (n - 1) / n);
	printf("%.6g\t%.6g\t%.6g\t%zu\n", exp(mean), exp(mean - half), exp(mean + half), numbers->count);
}

/* Prints mean, p50, p99, maximum and count. */
static void print_summary(const struct numbers *numbers)
{
	double sum = 0;

	for (size_t i = 0; i < numbers->count; i++)
		sum += numbers->items[i];
	printf("%.6g\t%.6g\t%.6g\t%.6g\t%zu\n", sum / (double)numbers->count, median(numbers), quantile(numbers, 0.99),
	       numbers->items[numbers->count - 1], numbers->count);
}

/* Prints Kolmogorov–Smirnov's D against the uniform distribution on [min, max], and the count. */
static void print_uniform(const struct numbers *numbers, double min, double max)
{
	double n = (double)numbers->count, distance = 0;

	for (size_t i = 0; i < numbers->count; i++) {
		double expected = fmin(1, fmax(0, (numbers->items[i] - min) / (max - min)));

		distance = fmax(distance, fmax(expected - (double)i / n, (double)(i + 1) / n - expected));
	}
	printf("%.4f\t%zu\n", distance, numbers->count);
}

int main(int argc, char **argv)
{
	_cleanup_(numbers_free) struct numbers numbers = {};

	if (argc == 2 && !strcmp(argv[1], "median")) {
		numbers_read(&numbers, 0);
		print_median(&numbers);
	} else if (argc == 2 && !strcmp(argv[1], "ratio")) {
		numbers_read(&numbers, 1);
		print_median(&numbers);
	} else if (argc == 2 && !strcmp(argv[1], "geomean")) {
		numbers_read(&numbers, 1);
		print_geomean(&numbers);
	} else if (argc == 2 && !strcmp(argv[1], "summary")) {
		numbers_read(&numbers, 0);
		print_summary(&numbers);
	} else if (argc == 4 && !strcmp(argv[1], "uniform")) {
		numbers_read(&numbers, 0);
		print_uniform(&numbers, parse(argv[2]), parse(argv[3]));
	} else {
		fprintf(stderr, "usage: stats median|ratio|geomean|summary|uniform MIN MAX <NUMBERS\n");
		return 2;
	}
	return 0;
}
