/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests comparisons of trials, also how often they claim what is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/compare.h"
#include "util/cleanup.h"
#include "util/json.h"

static const struct compare_options campaigns = {.smallest_effect = COMPARE_EFFECT_DEFAULT};
static const struct compare_options baseline = {.with_baseline = true, .smallest_effect = COMPARE_EFFECT_DEFAULT};

struct effects {
	double p50_ms, availability, outage_seconds, recovery_seconds; /* NAN: none */
};

static void add_trial(json_t *trials, const char *chaos, const char *status, const struct effects *effects)
{
	bool is_baseline = !strcmp(chaos, "baseline");
	json_t *window = json_pack("{s:o, s:n, s:f, s:f}", "p50_ms", json_number_or_null(effects->p50_ms), "p99_ms",
				   "availability", effects->availability, "outage_seconds", effects->outage_seconds);

	json_array_append_new(trials,
			      json_pack("{s:s, s:s, s:b, s:s, s:{s:{s:{s:o}}, s:o}}", "subject", "lab", "chaos", chaos,
					"baseline", is_baseline, "status", status, "summary", "probes", "put", "during",
					window, "recovery_seconds", json_number_or_null(effects->recovery_seconds)));
}

/* Trials of one chaos type, whose p50 goes up by `step` from trial to trial. */
static void add_trials(json_t *trials, const char *chaos, size_t count, double p50_ms, double step, double recovery)
{
	for (size_t i = 0; i < count; i++)
		add_trial(trials, chaos, "completed",
			  &(struct effects){p50_ms + step * (double)i, 1, 0, recovery + step * (double)i});
}

static const json_t *find(const json_t *comparisons, const char *chaos, const char *metric)
{
	const json_t *one;
	size_t i;

	json_array_foreach (comparisons, i, one)
		if (!strcmp(json_text_or(one, "chaos", ""), chaos) && !strcmp(json_text_or(one, "metric", ""), metric))
			return one;
	return NULL;
}

static const char *result(const json_t *comparisons, const char *chaos, const char *metric)
{
	return json_text_or(find(comparisons, chaos, metric), "result", "none");
}

static void test_with_the_baseline(void **state)
{
	_cleanup_json_ json_t *trials = json_array(), *all = NULL;
	const json_t *p50;

	add_trials(trials, "baseline", 5, 2, 0.1, NAN);
	add_trials(trials, "slow", 5, 100, 1, 1);
	add_trials(trials, "same", 5, 2.05, 0.1, 1);
	add_trials(trials, "rare", 3, 100, 1, 1);
	all = compare_trials(trials, trials, &baseline);
	p50 = find(all, "slow", "p50_ms");
	assert_string_equal(result(all, "slow", "p50_ms"), "worse");
	assert_true(fabs(json_number_value(json_object_get(p50, "shift")) - 99.8) < 1e-9);
	assert_true(json_number_value(json_object_get(p50, "low")) > 97);
	assert_true(json_number_value(json_object_get(p50, "effect")) > 40);
	assert_string_equal(result(all, "slow", "availability"), "same");
	assert_string_equal(result(all, "same", "p50_ms"), "open");
	assert_string_equal(result(all, "rare", "p50_ms"), "too few");
	assert_true(json_is_null(json_object_get(find(all, "rare", "p50_ms"), "p")));
	/* What the baseline does not have, or nobody, is not compared. */
	assert_null(find(all, "slow", "recovery_seconds"));
	assert_null(find(all, "slow", "p99_ms"));
	assert_null(find(all, "baseline", "p50_ms"));
	assert_true(compare_has_worse(all));
}

static void test_two_campaigns(void **state)
{
	_cleanup_json_ json_t *a = json_array(), *b = json_array(), *all = NULL, *reverse = NULL;

	add_trials(a, "slow", 6, 100, 0.1, 5);
	add_trials(b, "slow", 6, 104, 0.1, 1);
	add_trials(b, "new", 6, 104, 0.1, 1);
	add_trial(b, "slow", "failed", &(struct effects){1, 1, 0, 1});
	all = compare_trials(a, b, &campaigns);
	/* Significant, but 4 % is below the smallest effect. */
	assert_string_equal(result(all, "slow", "p50_ms"), "small");
	assert_string_equal(result(all, "slow", "recovery_seconds"), "better");
	assert_true(json_is_null(json_object_get(find(all, "slow", "recovery_seconds"), "probe")));
	assert_null(find(all, "new", "p50_ms"));
	assert_false(compare_has_worse(all));
	assert_int_equal(json_integer_at(json_object_get(find(all, "slow", "p50_ms"), "b"), "trials"), 6);
	assert_int_equal(json_integer_at(json_object_get(find(all, "slow", "p50_ms"), "b"), "left_out"), 1);
	reverse = compare_trials(b, a, &campaigns);
	assert_string_equal(result(reverse, "slow", "recovery_seconds"), "worse");
}

/* A number between 0 and 1, from a generator of our own, so that the simulation is the same everywhere. */
static double draw(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double)(*seed >> 11) / (double)(1ULL << 53);
}

/* Without any difference, at most 5 % of campaigns may claim one, whatever the metric. */
static void test_false_claims(void **state)
{
	const struct compare_options any = {.with_baseline = true};
	unsigned int claims = 0, total = 2000;
	uint64_t seed = 7;

	for (unsigned int i = 0; i < total; i++) {
		_cleanup_json_ json_t *trials = json_array(), *all = NULL;
		const json_t *one;
		bool claimed = false;
		size_t j;

		for (size_t trial = 0; trial < 12; trial++)
			add_trial(trials, trial % 2 ? "slow" : "baseline", "completed",
				  &(struct effects){exp(3 * draw(&seed)), draw(&seed), floor(4 * draw(&seed)), NAN});
		all = compare_trials(trials, trials, &any);
		json_array_foreach (all, j, one)
			claimed |= !strcmp(json_text_or(one, "result", ""), "worse") ||
				   !strcmp(json_text_or(one, "result", ""), "better");
		claims += claimed;
	}
	print_message("# false claims: %u of %u campaigns\n", claims, total);
	assert_true(claims > 0 && claims <= total / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_with_the_baseline),
		cmocka_unit_test(test_two_campaigns),
		cmocka_unit_test(test_false_claims),
	};

	return cmocka_run_group_tests_name("compare", tests, NULL, NULL);
}
