/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the analysis of samples, evidence and rows of trials. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "analysis/losses.h"
#include "analysis/outcome.h"
#include "analysis/summary.h"
#include "plan/status.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

#define MS NSEC_PER_MSEC

static const char *const probes[] = {"put", "get"};

static void add_sample(struct summary_samples *samples, const char *probe, uint64_t scheduled_ms, uint64_t latency_ms,
		       bool ok)
{
	const struct summary_sample sample = {
		.scheduled_ns = scheduled_ms * MS,
		.started_ns = scheduled_ms * MS,
		.latency_ns = latency_ms * MS,
		.probe = strcmp(probe, "put") ? 1 : 0,
		.ok = ok,
	};

	assert_int_equal(summary_add(samples, &sample), 0);
}

static json_t *make(const struct summary_samples *samples, const struct summary_times *times)
{
	return summary_make(samples, probes, ARRAY_SIZE(probes), times);
}

static const json_t *window(const json_t *summary, const char *probe, const char *name)
{
	return json_object_get(json_object_get(json_object_get(summary, "probes"), probe), name);
}

static void assert_window(const json_t *windows, json_int_t count, double availability, double p50, double p99,
			  double max)
{
	const struct {
		const char *key;
		double value;
	} wanted[] = {{"availability", availability}, {"p50_ms", p50}, {"p99_ms", p99}, {"max_ms", max}};

	assert_int_equal(json_integer_at(windows, "count"), count);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const json_t *value = json_object_get(windows, wanted[i].key);

		if (isnan(wanted[i].value) ? !json_is_null(value)
					   : fabs(json_number_value(value) - wanted[i].value) > 1e-9)
			fail_msg("%s is %f, not %f", wanted[i].key, json_number_value(value), wanted[i].value);
	}
}

static void test_percentile(void **state)
{
	double values[200];

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		values[i] = (double)(i + 1);
	assert_true(summary_percentile(values, 1, 50) == 1 && summary_percentile(values, 1, 99) == 1);
	assert_true(summary_percentile(values, 2, 50) == 1 && summary_percentile(values, 3, 50) == 2);
	assert_true(summary_percentile(values, 100, 99) == 99 && summary_percentile(values, 100, 100) == 100);
	assert_true(summary_percentile(values, 101, 99) == 100 && summary_percentile(values, 200, 99) == 198);
	assert_true(summary_percentile(values, 200, 1) == 2);
}

static void test_windows_by_schedule(void **state)
{
	const struct summary_times times = {100 * MS, 200 * MS, 300 * MS, 350 * MS, 400 * MS};
	_cleanup_json_ json_t *summary = NULL;
	struct summary_samples samples = {};

	add_sample(&samples, "put", 99, 1000, true); /* before healthy: in no window */
	add_sample(&samples, "put", 100, 1, true);
	add_sample(&samples, "put", 199, 500, true); /* ran when chaos began */
	add_sample(&samples, "put", 200, 3, true);
	add_sample(&samples, "put", 299, 1000, false);
	add_sample(&samples, "put", 300, 5, true);
	add_sample(&samples, "put", 400, 6, true);
	add_sample(&samples, "put", 401, 7, true); /* after the end */
	summary = make(&samples, &times);
	assert_window(window(summary, "put", "before"), 1, 1, 1, NAN, 1);
	assert_window(window(summary, "put", "during"), 3, 2.0 / 3, 3, NAN, 500);
	assert_window(window(summary, "put", "after"), 2, 1, 5, NAN, 6);
	assert_true(fabs(json_number_value(json_object_get(summary, "recovery_seconds")) - 0.05) < 1e-9);
	free(samples.items);
}

static void test_probes_apart(void **state)
{
	const struct summary_times times = {1, 1000 * MS, 2000 * MS, 0, 0};
	_cleanup_json_ json_t *summary = NULL;
	struct summary_samples samples = {};

	for (uint64_t i = 0; i < 100; i++) {
		add_sample(&samples, "put", 1 + i, 100 - i, true);
		add_sample(&samples, "get", 1 + i, 500, i % 4 != 0);
	}
	summary = make(&samples, &times);
	assert_window(window(summary, "put", "before"), 100, 1, 50, 99, 100);
	assert_window(window(summary, "get", "before"), 100, 0.75, 500, NAN, 500);
	assert_window(window(summary, "get", "during"), 0, NAN, NAN, NAN, NAN);
	assert_true(json_is_null(json_object_get(summary, "recovery_seconds")));
	free(samples.items);
}

static void test_phases_that_never_came(void **state)
{
	_cleanup_json_ json_t *baseline = NULL, *cut_short = NULL, *none = NULL;
	struct summary_samples samples = {}, empty = {};
	const struct summary_times no_chaos = {10 * MS, 0, 0, 0, 90 * MS},
				   no_revert = {10 * MS, 50 * MS, 0, 0, 90 * MS};

	for (uint64_t i = 0; i < 10; i++)
		add_sample(&samples, "put", 10 * i, 2, i != 9);
	baseline = make(&samples, &no_chaos);
	assert_window(window(baseline, "put", "before"), 9, 8.0 / 9, 2, NAN, 2);
	assert_window(window(baseline, "put", "during"), 0, NAN, NAN, NAN, NAN);
	cut_short = make(&samples, &no_revert);
	assert_window(window(cut_short, "put", "before"), 4, 1, 2, NAN, 2);
	assert_window(window(cut_short, "put", "during"), 5, 0.8, 2, NAN, 2);
	assert_window(window(cut_short, "put", "after"), 0, NAN, NAN, NAN, NAN);
	none = make(&empty, &no_revert);
	assert_int_equal(json_object_size(json_object_get(none, "probes")), 0);
	free(samples.items);
}

static void test_only_bad_samples(void **state)
{
	const struct summary_times times = {1, 2, 0, 0, 0};
	_cleanup_json_ json_t *summary = NULL;
	struct summary_samples samples = {};

	for (uint64_t i = 0; i < 150; i++)
		add_sample(&samples, "put", 10 + i, 1000, false);
	summary = make(&samples, &times);
	assert_window(window(summary, "put", "during"), 150, 0, NAN, NAN, NAN);
	free(samples.items);
}

/* Bad samples at these multiples of 10 ms; good ones at all others up to 100. */
static json_t *with_bad(const uint64_t *bad, size_t count, uint64_t bad_ms)
{
	const struct summary_times times = {1, 200 * MS, 600 * MS, 0, 0};
	struct summary_samples samples = {};
	json_t *summary;

	/* Backwards: samples are recorded as they end. */
	for (uint64_t i = 100; i > 0; i--) {
		bool ok = true;

		for (size_t j = 0; j < count; j++)
			ok &= bad[j] != i;
		add_sample(&samples, "put", 10 * i, ok ? 2 : bad_ms, ok);
	}
	summary = make(&samples, &times);
	free(samples.items);
	return summary;
}

static void assert_outage(const json_t *summary, const char *name, double seconds)
{
	const json_t *outage = json_object_get(window(summary, "put", name), "outage_seconds");

	if (fabs(json_number_value(outage) - seconds) > 1e-9)
		fail_msg("%s: %f, not %f", name, json_number_value(outage), seconds);
}

static void test_outages(void **state)
{
	static const uint64_t two[] = {30, 31, 32, 40, 41}, across[] = {58, 59, 60, 61}, end[] = {99, 100},
			      before[] = {5};
	_cleanup_json_ json_t *none = with_bad(NULL, 0, 5), *longest = with_bad(two, 5, 5);
	_cleanup_json_ json_t *crossing = with_bad(across, 4, 5), *open = with_bad(end, 2, 25);
	_cleanup_json_ json_t *earlier = with_bad(before, 1, 5), *instant = with_bad(two, 1, 0);
	const json_t *put = json_object_get(json_object_get(longest, "probes"), "put");

	assert_outage(none, "during", 0);
	/* From the first bad one to the next good one. */
	assert_outage(longest, "during", 0.03);
	assert_outage(longest, "after", 0);
	assert_true(fabs(json_number_value(json_object_get(put, "first_bad_seconds")) - 0.1) < 1e-9);
	/* It counts where it starts. */
	assert_outage(crossing, "during", 0.04);
	assert_outage(crossing, "after", 0);
	/* Nothing good follows: to the last one's end. */
	assert_outage(open, "after", 0.035);
	assert_outage(earlier, "before", 0.01);
	put = json_object_get(json_object_get(earlier, "probes"), "put");
	assert_true(json_is_null(json_object_get(put, "first_bad_seconds")));
	/* A probe that could not be started. */
	assert_outage(instant, "during", 0.01);
}

static void test_percentiles_need_samples(void **state)
{
	const struct summary_times times = {1, 0, 0, 0, 0};
	struct summary_samples samples = {};

	for (uint64_t i = 1; i <= 100; i++) {
		_cleanup_json_ json_t *summary = NULL;
		const json_t *before;

		add_sample(&samples, "put", i, i, true);
		if (i != 1 && i != 9 && i != 10 && i != 99 && i != 100)
			continue;
		summary = make(&samples, &times);
		before = window(summary, "put", "before");
		assert_false(json_is_null(json_object_get(before, "p50_ms")));
		assert_int_equal(json_is_null(json_object_get(before, "p90_ms")), i < 10);
		assert_int_equal(json_is_null(json_object_get(before, "p99_ms")), i < 100);
		if (i == 100)
			assert_true(json_number_value(json_object_get(before, "p90_ms")) == 90);
	}
	free(samples.items);
}

static void test_loss(void **state)
{
	static const char one[] = "{'hit': 9, 'devices': [{'egress': {'failed': 2, 'line': {'line_dropped': 1}}}, "
				  "{'egress': {'failed': 0}, 'ingress': {'line': {'line_dropped': 4}}}]}";
	_cleanup_json_ json_t *clean = json_pack("{s:i, s:[{s:{s:i}}]}", "hit", 1, "devices", "egress", "failed", 0);
	_cleanup_json_ json_t *evidence = NULL, *all = NULL;
	_cleanup_free_ char *json = strdup(one);
	char text[256];

	for (char *c = json; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	evidence = json_loads(json, 0, NULL);
	assert_int_equal(losses_describe(text, sizeof(text), clean), 0);
	assert_int_equal(losses_describe(text, sizeof(text), NULL), 0);
	assert_true(losses_describe(text, sizeof(text), evidence) > 0);
	assert_string_equal(text, "the line dropped 5 packets: chaos was loss, not only delay; 2 packets matched but "
				  "passed untouched");
	all = json_pack("{s:i, s:{s:O, s:O}}", "hit", 18, "targets", "n1", evidence, "n2", evidence);
	losses_describe(text, sizeof(text), all);
	assert_memory_equal(text, "the line dropped 10 packets", 27);
}

static json_t *evidence_with(const char *text)
{
	return text ? json_pack("{s:[{s:i, s:s}], s:[]}", "losses", "count", 3, "text", text, "notes")
		    : json_pack("{s:[], s:[]}", "losses", "notes");
}

/* The counters are not looked at where a type has told its losses, or that there is none. */
static void test_loss_as_the_type_tells_it(void **state)
{
	_cleanup_json_ json_t *one = evidence_with("3 packets came twice"), *none = evidence_with(NULL);
	_cleanup_json_ json_t *both = json_pack("{s:{s:O, s:O}}", "targets", "n1", one, "n2", none);
	char text[256];

	json_object_set_new(none, "devices", json_pack("[{s:{s:i}}]", "egress", "failed", 2));
	losses_describe(text, sizeof(text), one);
	assert_string_equal(text, "3 packets came twice");
	assert_int_equal(losses_describe(text, sizeof(text), none), 0);
	losses_describe(text, sizeof(text), both);
	assert_string_equal(text, "n1: 3 packets came twice");
}

static json_t *row_of(const char *status, const char *verdict, const char *stage, const char *text)
{
	return json_pack("{s:s?, s:s?, s:s?, s:s?}", "status", status, "verdict", verdict, "error_stage", stage,
			 "error_text", text);
}

static void test_reason(void **state)
{
	static const struct {
		const char *status, *verdict, *stage, *text, *reason;
		bool passed;
	} cases[] = {
		{"completed", "pass", NULL, NULL, "", true},
		{"completed", "none", NULL, NULL, "", true},
		{"completed", NULL, NULL, NULL, "", true},
		{"completed", "fail", NULL, NULL, "verdict fail", false},
		{"completed", "inconclusive", NULL, NULL, "verdict inconclusive", true},
		{"failed", "none", "ready", "no answer", "failed in ready: no answer", false},
		{"failed", "none", "ready", NULL, "failed in ready, no text recorded", false},
		{"failed", "none", NULL, NULL, "failed, no text recorded", false},
		{"void", "none", NULL, NULL, "void: the evidence shows no hit", false},
		{"void", "none", "check", "nothing", "void in check: nothing", false},
		{"interrupted", "none", NULL, NULL, "", false},
		{"interrupted", "none", NULL, "stopped by a signal", "interrupted: stopped by a signal", false},
		{"planned", "none", NULL, NULL, "", false},
		{"of the future", "none", NULL, "why", "of the future: why", false},
		{"of the future", "none", NULL, NULL, "", false},
		{NULL, NULL, NULL, NULL, "", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *row = row_of(cases[i].status, cases[i].verdict, cases[i].stage, cases[i].text);
		char reason[128];

		assert_int_equal(outcome_reason(reason, sizeof(reason), row), strlen(cases[i].reason));
		assert_string_equal(reason, cases[i].reason);
		assert_int_equal(outcome_passed(row), cases[i].passed);
	}
}

static void test_reason_of_a_failed_verdict(void **state)
{
	_cleanup_json_ json_t *row = row_of("completed", "fail", NULL, NULL);
	char reason[128];

	/* A trial's row and an attempt's both have the summary. */
	json_object_set_new(row, "summary", json_pack("{s:f}", "recovery_seconds", 1.5));
	outcome_reason(reason, sizeof(reason), row);
	assert_string_equal(reason, "verdict fail");
	json_object_set_new(row, "summary", json_pack("{s:n}", "recovery_seconds"));
	outcome_reason(reason, sizeof(reason), row);
	assert_string_equal(reason, "stuck: did not recover in time");
	/* As records before schema 3 have it. */
	json_object_set_new(row, "expectations",
			    json_pack("[{s:s, s:f, s:f, s:b}, {s:s, s:f, s:f, s:b}]", "name", "availability_min",
				      "asked", 0.5, "measured", 0.75, "ok", 1, "name", "p99_ms_max", "asked", 0.5,
				      "measured", 0.75, "ok", 0));
	outcome_reason(reason, sizeof(reason), row);
	assert_string_equal(reason, "p99 0.75 ms, expected at most 0.5 ms");
	json_object_set_new(row, "summary", json_pack("{s:n, s:b}", "recovery_seconds", "stuck", 1));
	outcome_reason(reason, sizeof(reason), row);
	assert_string_equal(reason, "p99 0.75 ms, expected at most 0.5 ms; stuck: did not recover in time");
}

static void test_exit_code(void **state)
{
	static const struct {
		const char *status, *verdict;
		enum exit_code code;
	} cases[] = {
		{"completed", "pass", EXIT_OK},       {"completed", "none", EXIT_OK},
		{"completed", "fail", EXIT_TRIALS},   {"completed", "inconclusive", EXIT_OK},
		{"failed", "none", EXIT_TRIALS},      {"void", "none", EXIT_TRIALS},
		{"interrupted", "none", EXIT_TRIALS}, {"of the future", "x", EXIT_TRIALS},
	};
	_cleanup_json_ json_t *none = json_array();

	assert_int_equal(outcome_exit_code(none), EXIT_OK);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *trials = json_array(), *counts = NULL;

		json_array_append_new(trials, row_of("completed", "pass", NULL, NULL));
		json_array_append_new(trials, row_of(cases[i].status, cases[i].verdict, NULL, NULL));
		assert_int_equal(outcome_exit_code(trials), cases[i].code);
		counts = outcome_count(trials);
		assert_int_equal(json_integer_at(counts, cases[i].status), 1 + !strcmp(cases[i].status, "completed"));
	}
}

static void test_status_names(void **state)
{
	for (enum trial_status status = 0; status < STATUS_COUNT; status++)
		assert_int_equal(status_find(status_name(status)), status);
	for (enum trial_verdict verdict = 0; verdict < VERDICT_COUNT; verdict++)
		assert_int_equal(verdict_find(verdict_name(verdict)), verdict);
	assert_int_equal(status_find(""), STATUS_COUNT);
	assert_int_equal(status_find("Failed"), STATUS_COUNT);
	assert_int_equal(verdict_find("passed"), VERDICT_COUNT);
	assert_true(status_is_final(STATUS_COMPLETED) && status_is_final(STATUS_FAILED) &&
		    status_is_final(STATUS_VOID));
	assert_false(status_is_final(STATUS_PLANNED) || status_is_final(STATUS_RUNNING) ||
		     status_is_final(STATUS_INTERRUPTED) || status_is_final(STATUS_COUNT));
}

static void test_progress(void **state)
{
	_cleanup_json_ json_t *counts = json_pack("{s:i, s:i, s:i, s:i, s:i}", "planned", 2, "completed", 8, "void", 0,
						  "total", 10, "verdict_fail", 1);
	char text[64], little[12];

	assert_string_equal(outcome_progress(text, sizeof(text), counts), "completed 8, planned 2; verdict fail 1");
	assert_int_equal(strlen(outcome_progress(little, sizeof(little), counts)), sizeof(little) - 1);
	assert_string_equal(outcome_progress(text, sizeof(text), NULL), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percentile),
		cmocka_unit_test(test_windows_by_schedule),
		cmocka_unit_test(test_probes_apart),
		cmocka_unit_test(test_phases_that_never_came),
		cmocka_unit_test(test_only_bad_samples),
		cmocka_unit_test(test_outages),
		cmocka_unit_test(test_percentiles_need_samples),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_loss_as_the_type_tells_it),
		cmocka_unit_test(test_reason),
		cmocka_unit_test(test_reason_of_a_failed_verdict),
		cmocka_unit_test(test_exit_code),
		cmocka_unit_test(test_status_names),
		cmocka_unit_test(test_progress),
	};

	return cmocka_run_group_tests_name("analysis", tests, NULL, NULL);
}
