/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests confidence intervals against published values and exact sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "analysis/interval.h"
#include "util/cleanup.h"

static void test_shares(void **state)
{
	/* 81 of 263, 15 of 148: Newcombe 1998, table I, method 3. */
	static const struct {
		size_t good, count;
		double low, high;
	} cases[] = {
		{81, 263, 0.2552885198782742, 0.36620957698280004},
		{15, 148, 0.0623863995307363, 0.16048724172330803},
		{0, 10, 0, 0.2775327998628892},
		{1, 10, 0.017876213095072896, 0.4041500267952385},
		{5, 10, 0.236593090512564, 0.7634069094874361},
		{10, 10, 0.7224672001371107, 1},
		{0, 0, 0, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct interval interval = interval_of_share(cases[i].good, cases[i].count);

		if (fabs(interval.low - cases[i].low) > 1e-9 || fabs(interval.high - cases[i].high) > 1e-9)
			fail_msg("%zu of %zu: %f to %f", cases[i].good, cases[i].count, interval.low, interval.high);
	}
}

static void test_percentiles(void **state)
{
	/* By exact sums of the binomial distribution in rational numbers. */
	static const struct {
		size_t count;
		unsigned int percent;
		struct interval_ranks ranks;
	} cases[] = {
		{0, 50, {0, 0}},       {1, 50, {0, 0}},        {5, 50, {0, 0}},       {6, 50, {1, 6}},
		{10, 50, {2, 9}},      {36, 50, {12, 25}},     {400, 50, {180, 221}}, {1000, 50, {469, 532}},
		{1, 90, {0, 0}},       {5, 90, {3, 0}},        {35, 90, {28, 0}},     {36, 90, {29, 36}},
		{367, 90, {319, 342}}, {1000, 90, {881, 919}}, {1, 99, {1, 0}},       {100, 99, {97, 0}},
		{367, 99, {359, 0}},   {368, 99, {360, 368}},  {400, 99, {392, 400}}, {1000, 99, {983, 997}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct interval_ranks ranks = interval_of_percentile(cases[i].count, cases[i].percent);

		if (ranks.low != cases[i].ranks.low || ranks.high != cases[i].ranks.high)
			fail_msg("p%u of %zu: %zu to %zu", cases[i].percent, cases[i].count, ranks.low, ranks.high);
	}
}

/* Millions of samples must not take long, nor overflow. */
static void test_many(void **state)
{
	struct interval_ranks ranks = interval_of_percentile(10000000, 99);
	struct interval share = interval_of_share(9900000, 10000000);

	assert_in_range(ranks.low, 9899300, 9899500);
	assert_in_range(ranks.high, 9900500, 9900700);
	assert_true(share.low > 0.9899 && share.low < 0.99 && share.high > 0.99 && share.high < 0.9901);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("interval", tests, NULL, NULL);
}
