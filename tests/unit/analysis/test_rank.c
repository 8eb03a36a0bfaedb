/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests rank statistics against SciPy: see tests/data/rank/make.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>

#include "analysis/rank.h"
#include "util/cleanup.h"

#define NUMBERS_MAX 64

static size_t read_numbers(double out[NUMBERS_MAX], const json_t *list)
{
	const json_t *value;
	size_t i;

	assert_true(json_array_size(list) <= NUMBERS_MAX);
	json_array_foreach (list, i, value)
		out[i] = json_number_value(value);
	return json_array_size(list);
}

static bool is_near(double got, const json_t *wanted)
{
	return json_is_null(wanted) ? isnan(got) : fabs(got - json_number_value(wanted)) < 1e-9;
}

static void test_reference(void **state)
{
	_cleanup_json_ json_t *reference = json_load_file("tests/data/rank/reference.json", 0, NULL);
	const json_t *sets = json_object_get(reference, "sets"), *set;
	size_t i;

	assert_int_equal(json_array_size(sets), 1000);
	json_array_foreach (sets, i, set) {
		double a[NUMBERS_MAX], b[NUMBERS_MAX];
		size_t a_count = read_numbers(a, json_object_get(set, "a"));
		size_t b_count = read_numbers(b, json_object_get(set, "b"));
		double p = rank_test(a, a_count, b, b_count);
		struct rank_shift shift = rank_shift(a, a_count, b, b_count);

		if (!is_near(p, json_object_get(set, "p")))
			fail_msg("set %zu: p is %.12f", i, p);
		if (!is_near(shift.estimate, json_object_get(set, "shift")) ||
		    !is_near(shift.low, json_object_get(set, "low")) ||
		    !is_near(shift.high, json_object_get(set, "high")))
			fail_msg("set %zu: shift is %f (%f to %f)", i, shift.estimate, shift.low, shift.high);
	}
}

static void test_holm(void **state)
{
	_cleanup_json_ json_t *reference = json_load_file("tests/data/rank/reference.json", 0, NULL);
	const json_t *tests = json_object_get(reference, "holm"), *test;
	double with_none[] = {0.01, NAN, 0.04}, none[] = {NAN};
	size_t i;

	assert_int_equal(json_array_size(tests), 100);
	json_array_foreach (tests, i, test) {
		double p[NUMBERS_MAX];
		size_t count = read_numbers(p, json_object_get(test, "p"));

		rank_holm(p, count);
		for (size_t j = 0; j < count; j++)
			assert_true(is_near(p[j], json_array_get(json_object_get(test, "adjusted"), j)));
	}
	rank_holm(with_none, 3);
	assert_true(fabs(with_none[0] - 0.02) < 1e-12 && isnan(with_none[1]) && fabs(with_none[2] - 0.04) < 1e-12);
	rank_holm(none, 1);
	assert_true(isnan(none[0]));
}

/* Just above the limit the approximation must agree with the exact value just below it. */
static void test_many(void **state)
{
	double a[RANK_EXACT_MAX + 1], b[RANK_EXACT_MAX + 1], exact, approximate;
	struct rank_shift shift;

	for (size_t i = 0; i <= RANK_EXACT_MAX; i++) {
		a[i] = (double)(i * 37 % 101);
		b[i] = (double)(i * 53 % 101) + 9;
	}
	exact = rank_test(a, RANK_EXACT_MAX, b, RANK_EXACT_MAX);
	approximate = rank_test(a, RANK_EXACT_MAX + 1, b, RANK_EXACT_MAX + 1);
	assert_true(exact > 0.001 && exact < 0.5 && fabs(exact - approximate) < 0.03);
	shift = rank_shift(a, RANK_EXACT_MAX + 1, b, RANK_EXACT_MAX + 1);
	assert_true(shift.low < shift.estimate && shift.estimate < shift.high);
}

static void test_few(void **state)
{
	const double one[] = {1}, three[] = {1, 2, 3}, far[] = {11, 12, 13}, same[] = {5, 5, 5, 5};
	struct rank_shift shift = rank_shift(three, 3, far, 3);

	assert_true(rank_test(one, 1, one, 0) == 1 && rank_test(one, 0, one, 1) == 1);
	assert_true(fabs(rank_test(three, 3, far, 3) - 0.1) < 1e-12);
	assert_true(shift.estimate == 10 && isnan(shift.low) && isnan(shift.high));
	assert_true(isnan(rank_shift(one, 1, one, 0).estimate));
	assert_true(rank_test(same, 4, same, 4) == 1);
	shift = rank_shift(same, 4, same, 4);
	assert_true(shift.estimate == 0 && shift.low == 0 && shift.high == 0);
}

static void test_trials_needed(void **state)
{
	/* z = 1.960 + 0.842, p = 0.7603 for one deviation: 7.849 / (6 * 0.0678). */
	assert_int_equal(rank_trials_needed(1, 1), 20);
	assert_int_equal(rank_trials_needed(-1, 1), 20);
	assert_int_equal(rank_trials_needed(10, 1), 6);
	assert_int_equal(rank_trials_needed(1, 0), 6);
	assert_int_equal(rank_trials_needed(0, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reference), cmocka_unit_test(test_holm),          cmocka_unit_test(test_many),
		cmocka_unit_test(test_few),       cmocka_unit_test(test_trials_needed),
	};

	return cmocka_run_group_tests_name("rank", tests, NULL, NULL);
}
