/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the verdicts on a trial's expectations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "analysis/expectations.h"
#include "analysis/summary.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

#define MS NSEC_PER_MSEC

static const char *const judged[] = {"put", "get"};

static void assert_judged(const struct expectations *asked, const json_t *summary, enum trial_verdict verdict,
			  const char *text)
{
	_cleanup_json_ json_t *list = json_array();
	char said[1024];

	assert_int_equal(expectations_judge(asked, judged, ARRAY_SIZE(judged), summary, list), verdict);
	expectations_list(said, sizeof(said), list, verdict);
	if (verdict != VERDICT_PASS)
		assert_string_equal(said, text);
}

/* What the two probes measured during the fault, by the real summary: bad of count samples, of 1 to count ms. */
static json_t *measured(unsigned int put_bad, unsigned int get_bad, unsigned int count, bool recovers)
{
	const struct summary_times times = {1, 2, 10000 * MS, recovers ? 11500 * MS : 0, 0};
	struct summary_samples samples = {};
	json_t *summary;

	for (unsigned int i = 0; i < 2 * count; i++) {
		uint64_t at_ns = (1000 + 10 * (uint64_t)(i / 2)) * MS;
		const struct summary_sample sample = {.scheduled_ns = at_ns,
						      .started_ns = at_ns,
						      .latency_ns = (1 + i / 2) * MS,
						      .probe = i % 2,
						      .ok = i / 2 >= (i % 2 ? get_bad : put_bad)};

		assert_int_equal(summary_add(&samples, &sample), 0);
	}
	summary = summary_make(&samples, judged, ARRAY_SIZE(judged), &times);
	free(samples.items);
	return summary;
}

/* Asks for one expectation; for none with EXPECT_COUNT. */
static struct expectations ask(enum expectation expectation, double limit)
{
	struct expectations asked = {};

	for (enum expectation i = 0; i < EXPECT_COUNT; i++)
		asked.limits[i] = i == expectation ? limit : NAN;
	return asked;
}

static void test_expectations(void **state)
{
	const struct expectations none = ask(EXPECT_COUNT, 0), half = ask(EXPECT_AVAILABILITY, 0.5),
				  most = ask(EXPECT_AVAILABILITY, 0.9), all = ask(EXPECT_AVAILABILITY, 1),
				  soon = ask(EXPECT_RECOVERY, 2), sooner = ask(EXPECT_RECOVERY, 1),
				  outage = ask(EXPECT_OUTAGE, 0.5), errors = ask(EXPECT_ERRORS, 10);
	_cleanup_json_ json_t *good = measured(0, 0, 400, true), *bad = measured(357, 0, 400, true);
	_cleanup_json_ json_t *few = measured(0, 0, 3, false), *middling = measured(40, 0, 400, true);
	_cleanup_json_ json_t *empty = json_object();

	assert_judged(&none, good, VERDICT_PASS, "");
	assert_judged(&none, empty, VERDICT_PASS, "");
	assert_judged(&half, good, VERDICT_PASS, "");
	/* One probe alone is bad, which the other must not make up for. */
	assert_judged(&half, bad, VERDICT_FAIL,
		      "availability of put 10.75 % (8.079–14.17 of 400 samples), expected at least 50 %");
	assert_judged(&most, middling, VERDICT_INCONCLUSIVE,
		      "availability of put 90 % (86.67–92.57 of 400 samples), expected at least 90 %");
	assert_judged(&half, few, VERDICT_INCONCLUSIVE,
		      "availability of put 100 % (43.85–100 of 3 samples), expected at least 50 %; "
		      "availability of get 100 % (43.85–100 of 3 samples), expected at least 50 %");
	assert_judged(&half, empty, VERDICT_INCONCLUSIVE,
		      "availability of put unknown: no sample, expected at least 50 %; "
		      "availability of get unknown: no sample, expected at least 50 %");
	assert_judged(&all, few, VERDICT_PASS, "");
	assert_judged(&all, middling, VERDICT_FAIL,
		      "availability of put 90 % (86.67–92.57 of 400 samples), expected at least 100 %");
	assert_judged(&soon, good, VERDICT_PASS, "");
	assert_judged(&sooner, good, VERDICT_FAIL, "recovery 1.5 s, expected at most 1 s");
	assert_judged(&soon, few, VERDICT_FAIL, "recovery never, expected at most 2 s");
	assert_judged(&outage, bad, VERDICT_FAIL, "longest outage of put 3.57 s, expected at most 0.5 s");
	assert_judged(&outage, middling, VERDICT_PASS, "");
	assert_judged(&errors, middling, VERDICT_FAIL, "errors of put 40, expected at most 10");
}

static void test_expected_percentiles(void **state)
{
	const struct expectations p50 = ask(EXPECT_P50, 205), p50_low = ask(EXPECT_P50, 100),
				  p50_high = ask(EXPECT_P50, 300), p99 = ask(EXPECT_P99, 1000),
				  p99_low = ask(EXPECT_P99, 10);
	_cleanup_json_ json_t *enough = measured(0, 0, 400, true), *few = measured(0, 0, 40, true);
	_cleanup_json_ json_t *all_bad = measured(40, 40, 40, true);

	assert_judged(&p50_high, enough, VERDICT_PASS, "");
	assert_judged(&p50_low, enough, VERDICT_FAIL,
		      "p50 of put 200 ms (180–221 of 400 samples), expected at most 100 ms; "
		      "p50 of get 200 ms (180–221 of 400 samples), expected at most 100 ms");
	assert_judged(&p50, enough, VERDICT_INCONCLUSIVE,
		      "p50 of put 200 ms (180–221 of 400 samples), expected at most 205 ms; "
		      "p50 of get 200 ms (180–221 of 400 samples), expected at most 205 ms");
	assert_judged(&p99, enough, VERDICT_PASS, "");
	/* Forty samples may confirm that a p99 is too high, but not that it is low enough. */
	assert_judged(&p99, few, VERDICT_INCONCLUSIVE,
		      "p99 of put at least 38 ms (40 samples), expected at most 1000 ms; "
		      "p99 of get at least 38 ms (40 samples), expected at most 1000 ms");
	assert_judged(&p99_low, few, VERDICT_FAIL,
		      "p99 of put at least 38 ms (40 samples), expected at most 10 ms; "
		      "p99 of get at least 38 ms (40 samples), expected at most 10 ms");
	assert_judged(&p99, all_bad, VERDICT_FAIL,
		      "p99 of put unknown: no good sample, expected at most 1000 ms; "
		      "p99 of get unknown: no good sample, expected at most 1000 ms");
}

static void test_what_is_recorded(void **state)
{
	struct expectations both = ask(EXPECT_AVAILABILITY, 0.5);
	_cleanup_json_ json_t *summary = measured(0, 0, 400, true), *list = json_array();
	const json_t *first, *last;

	both.limits[EXPECT_RECOVERY] = 2;
	assert_int_equal(expectations_judge(&both, judged, 1, summary, list), VERDICT_PASS);
	assert_int_equal(json_array_size(list), 2);
	first = json_array_get(list, 0);
	assert_string_equal(json_text_or(first, "name", ""), "availability_min");
	assert_string_equal(json_text_or(first, "probe", ""), "put");
	assert_string_equal(json_text_or(first, "verdict", ""), "pass");
	assert_true(json_number_value(json_object_get(first, "asked")) == 0.5);
	assert_true(json_number_value(json_object_get(first, "measured")) == 1);
	assert_true(json_number_value(json_object_get(first, "low")) > 0.99);
	assert_true(json_number_value(json_object_get(first, "high")) == 1);
	assert_int_equal(json_integer_at(first, "samples"), 400);
	last = json_array_get(list, 1);
	assert_true(json_is_null(json_object_get(last, "probe")));
	assert_true(json_number_value(json_object_get(last, "measured")) == 1.5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expectations),
		cmocka_unit_test(test_expected_percentiles),
		cmocka_unit_test(test_what_is_recorded),
	};

	return cmocka_run_group_tests_name("expectations", tests, NULL, NULL);
}
