/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests in which phase values of metrics count, and how they are judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "analysis/metrics.h"
#include "util/json.h"

#define SECOND 1000000000ULL

static const struct summary_times times = {.healthy_ns = 10 * SECOND,
					   .injected_ns = 20 * SECOND,
					   .reverted_ns = 30 * SECOND,
					   .ended_ns = 40 * SECOND};

static void add(struct metric_list *list, const char *source, const char *series, double at, double value, bool is_rate)
{
	enum summary_window window;

	assert_int_equal(metrics_add(list, &times,
				     &(struct metric_value){.source = source,
							    .series = series,
							    .since_ns = (uint64_t)((at - 1) * SECOND),
							    .at_ns = (uint64_t)(at * SECOND),
							    .value = value,
							    .is_rate = is_rate},
				     &window),
			 0);
}

static const json_t *window_of(const json_t *summary, const char *source, const char *series, const char *window)
{
	return json_object_get(json_object_get(json_object_get(json_object_get(summary, source), "series"), series),
			       window);
}

static void a_rate_over_an_edge_counts_nowhere(void **state)
{
	struct metric_list list = {};
	json_t *summary;
	const json_t *window;

	for (int at = 12; at < 39; at++) {
		double rate = at < 20 ? 100 : at < 31 ? 40 : 80;

		/* The first after each edge is of both sides. */
		add(&list, "a", "n_total", at + 0.5, at == 20 || at == 30 ? 1e6 : rate, true);
		add(&list, "a", "depth", at + 0.5, at, false);
	}
	add(&list, "b", "n_total", 5, 1, true);
	summary = metrics_summarize(&list);
	window = window_of(summary, "a", "n_total", "before");
	assert_true(json_number_at(window, "mean") == 100 && json_integer_at(window, "count") == 8);
	window = window_of(summary, "a", "n_total", "during");
	assert_true(json_number_at(window, "max") == 40 && json_integer_at(window, "count") == 9);
	window = window_of(summary, "a", "n_total", "after");
	assert_true(json_number_at(window, "min") == 80 && json_integer_at(window, "count") == 8);
	window = window_of(summary, "a", "depth", "during");
	assert_true(json_number_at(window, "min") == 20 && json_number_at(window, "max") == 29);
	assert_true(json_number_at(window, "mean") == 24.5);
	/* Before the subject was healthy. */
	window = window_of(summary, "b", "n_total", "before");
	assert_true(json_is_null(json_object_get(window, "mean")) && json_integer_at(window, "count") == 0);
	json_decref(summary);
	metrics_clear(&list);
}

static void each_source_is_judged_by_itself(void **state)
{
	struct metric_list list = {};
	json_t *asked =
		json_pack("[{s:s, s:f, s:f}, {s:s, s:s, s:f}, {s:s, s:f}]", "series", "depth", "min", 1.0, "max", 5.0,
			  "series", "depth", "source", "b", "change_max", 0.5, "series", "none", "min", 0.0);
	json_t *summary, *judged = json_array();
	static const char *const said[] = {
		"lowest value of depth of a 2, expected at least 1",
		"highest value of depth of a 4, expected at most 5",
		"lowest value of depth of b 0, expected at least 1",
		"highest value of depth of b 9, expected at most 5",
		"change of depth of b 125 % (from 2 to 4.5), expected at most 50 %",
		"lowest value of none unknown: no value, expected at least 0",
	};
	static const char *const verdicts[] = {"pass", "pass", "fail", "fail", "fail", "inconclusive"};

	add(&list, "a", "depth", 15, 3, false);
	add(&list, "a", "depth", 21, 2, false);
	add(&list, "a", "depth", 22, 4, false);
	add(&list, "b", "depth", 15, 2, false);
	add(&list, "b", "depth", 21, 0, false);
	add(&list, "b", "depth", 22, 9, false);
	summary = metrics_summarize(&list);
	assert_int_equal(metrics_judge(asked, summary, judged), VERDICT_FAIL);
	assert_int_equal(json_array_size(judged), 6);
	for (size_t i = 0; i < 6; i++) {
		char text[256];

		assert_true(metrics_describe(text, sizeof(text), json_array_get(judged, i)));
		assert_string_equal(text, said[i]);
		assert_string_equal(json_text_or(json_array_get(judged, i), "verdict", ""), verdicts[i]);
	}
	json_decref(judged);
	json_decref(asked);
	json_decref(summary);
	metrics_clear(&list);
}

static void a_change_from_nothing_is_open(void **state)
{
	json_t *asked = json_pack("[{s:s, s:f}]", "series", "n", "change_max", 0.5), *judged = json_array();
	json_t *summary = json_pack("{s:{s:{s:{s:s, s:{s:i, s:f}, s:{s:i, s:f}}}}}", "a", "series", "n", "kind", "rate",
				    "before", "count", 3, "mean", 0.0, "during", "count", 3, "mean", 2.0);
	char text[256];

	assert_int_equal(metrics_judge(asked, summary, judged), VERDICT_INCONCLUSIVE);
	assert_true(metrics_describe(text, sizeof(text), json_array_get(judged, 0)));
	assert_string_equal(text, "change of n of a unknown: it was 0 before, expected at most 50 %");
	assert_false(metrics_describe(text, sizeof(text), summary));
	json_decref(judged);
	json_decref(asked);
	json_decref(summary);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rate_over_an_edge_counts_nowhere),
		cmocka_unit_test(each_source_is_judged_by_itself),
		cmocka_unit_test(a_change_from_nothing_is_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
