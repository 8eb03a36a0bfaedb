/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the shift within a trial: that it is found, and that its interval holds the truth as often as it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "analysis/bootstrap.h"

#define COUNT 200

static void a_shift_is_found(void **state)
{
	double before[COUNT], during[2 * COUNT];
	struct bootstrap_shift shift, again;

	for (size_t i = 0; i < COUNT; i++)
		before[i] = 1 + (double)(i * 7 % 11) / 100;
	for (size_t i = 0; i < (size_t)2 * COUNT; i++)
		during[i] = 31 + (double)(i * 7 % 11) / 100;
	shift = bootstrap_median_shift(before, COUNT, during, (size_t)2 * COUNT, 1);
	assert_true(fabs(shift.estimate - 30) < 1e-9);
	assert_true(shift.low <= 30 && shift.low > 29.9 && shift.high >= 30 && shift.high < 30.1);
	again = bootstrap_median_shift(before, COUNT, during, (size_t)2 * COUNT, 1);
	assert_true(again.low == shift.low && again.high == shift.high);
	assert_true(isnan(bootstrap_median_shift(before, BOOTSTRAP_LEAST - 1, during, COUNT, 1).estimate));
	assert_true(isnan(bootstrap_median_shift(before, COUNT, during, 0, 1).low));
	assert_false(isnan(bootstrap_median_shift(before, BOOTSTRAP_LEAST, during, BOOTSTRAP_LEAST, 1).high));
}

/* A million numbers take as long as 20,000. */
static void long_trials_are_thinned(void **state)
{
	size_t count = 1000003;
	double *numbers = calloc(count, sizeof(*numbers)), before[COUNT] = {};
	struct bootstrap_shift shift;

	for (size_t i = 0; i < count; i++)
		numbers[i] = 5;
	shift = bootstrap_median_shift(before, COUNT, numbers, count, 1);
	assert_true(shift.estimate == 5 && shift.low == 5 && shift.high == 5);
	free(numbers);
}

static double uniform(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double)(*state >> 11) / 9007199254740992.0 - 0.5;
}

/* A series in which each number keeps half of the one before it; its median is 0. */
static void fill(double *numbers, uint64_t *state)
{
	double last = 0;

	for (size_t i = 0; i < COUNT; i++)
		numbers[i] = last = 0.5 * last + uniform(state);
}

/*
 * Of such series an interval that takes samples as independent would hold the truth in 75 of 100 cases. Blocks of six
 * see most of the dependence, not all of it.
 */
static void the_interval_holds_the_truth(void **state)
{
	double before[COUNT], during[COUNT];
	uint64_t random = 7;
	int held = 0;

	for (int i = 0; i < 100; i++) {
		struct bootstrap_shift shift;

		fill(before, &random);
		fill(during, &random);
		for (size_t j = 0; j < COUNT; j++)
			during[j] += 3;
		shift = bootstrap_median_shift(before, COUNT, during, COUNT, (uint64_t)i);
		held += shift.low <= 3 && shift.high >= 3;
	}
	print_message("held in %d of 100\n", held);
	assert_in_range(held, 86, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shift_is_found),
		cmocka_unit_test(long_trials_are_thinned),
		cmocka_unit_test(the_interval_holds_the_truth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
