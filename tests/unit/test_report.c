/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "report/report.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

#define MS ((json_int_t)NSEC_PER_MSEC)

static void add_sample(json_t *samples, const char *probe, json_int_t scheduled_ms, json_int_t latency_ms, bool ok)
{
	json_array_append_new(samples, json_pack("{s:s, s:I, s:I, s:b}", "probe", probe, "scheduled_ns",
						 scheduled_ms * MS, "latency_ns", latency_ms * MS, "ok", ok));
}

static const json_t *window(const json_t *summary, const char *probe, const char *name)
{
	if (probe)
		summary = json_object_get(json_object_get(summary, "probes"), probe);
	return json_object_get(summary, name);
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
	assert_true(report_percentile(values, 1, 50) == 1 && report_percentile(values, 1, 99) == 1);
	assert_true(report_percentile(values, 2, 50) == 1 && report_percentile(values, 3, 50) == 2);
	assert_true(report_percentile(values, 100, 99) == 99 && report_percentile(values, 100, 100) == 100);
	assert_true(report_percentile(values, 101, 99) == 100 && report_percentile(values, 200, 99) == 198);
	assert_true(report_percentile(values, 200, 1) == 2);
}

static void test_windows_by_schedule(void **state)
{
	const struct report_times times = {100 * MS, 200 * MS, 300 * MS, 350 * MS, 400 * MS};
	_cleanup_json_ json_t *samples = json_array(), *summary = NULL;

	add_sample(samples, "put", 99, 1000, true); /* before healthy: in no window */
	add_sample(samples, "put", 100, 1, true);
	add_sample(samples, "put", 199, 500, true); /* chaos began under it */
	add_sample(samples, "put", 200, 3, true);
	add_sample(samples, "put", 299, 1000, false);
	add_sample(samples, "put", 300, 5, true);
	add_sample(samples, "put", 400, 6, true);
	add_sample(samples, "put", 401, 7, true); /* after the end */
	summary = report_summarize(samples, &times);
	assert_window(window(summary, NULL, "before"), 1, 1, 1, NAN, 1);
	assert_window(window(summary, NULL, "during"), 3, 2.0 / 3, 3, NAN, 500);
	assert_window(window(summary, "put", "after"), 2, 1, 5, NAN, 6);
	assert_true(fabs(json_number_value(json_object_get(summary, "recovery_seconds")) - 0.05) < 1e-9);
}

static void test_probes_apart_and_in_total(void **state)
{
	const struct report_times times = {1, 1000 * MS, 2000 * MS, 0, 0};
	_cleanup_json_ json_t *samples = json_array(), *summary = NULL;

	for (int i = 0; i < 100; i++) {
		add_sample(samples, "put", 1 + i, 100 - i, true);
		add_sample(samples, "get", 1 + i, 500, i % 4 != 0);
	}
	summary = report_summarize(samples, &times);
	assert_window(window(summary, "put", "before"), 100, 1, 50, 99, 100);
	assert_window(window(summary, "get", "before"), 100, 0.75, 500, NAN, 500);
	assert_window(window(summary, NULL, "before"), 200, 0.875, 88, 500, 500);
	assert_window(window(summary, "get", "during"), 0, NAN, NAN, NAN, NAN);
	assert_true(json_is_null(json_object_get(summary, "recovery_seconds")));
}

static void test_phases_that_never_came(void **state)
{
	_cleanup_json_ json_t *samples = json_array(), *baseline = NULL, *cut_short = NULL, *none = NULL,
			      *empty = json_array();
	const struct report_times no_chaos = {10 * MS, 0, 0, 0, 90 * MS}, no_revert = {10 * MS, 50 * MS, 0, 0, 90 * MS};

	for (int i = 0; i < 10; i++)
		add_sample(samples, "put", 10 * i, 2, i != 9);
	baseline = report_summarize(samples, &no_chaos);
	assert_window(window(baseline, NULL, "before"), 9, 8.0 / 9, 2, NAN, 2);
	assert_window(window(baseline, NULL, "during"), 0, NAN, NAN, NAN, NAN);
	cut_short = report_summarize(samples, &no_revert);
	assert_window(window(cut_short, NULL, "before"), 4, 1, 2, NAN, 2);
	assert_window(window(cut_short, NULL, "during"), 5, 0.8, 2, NAN, 2);
	assert_window(window(cut_short, NULL, "after"), 0, NAN, NAN, NAN, NAN);
	none = report_summarize(empty, &no_revert);
	assert_window(window(none, NULL, "during"), 0, NAN, NAN, NAN, NAN);
	assert_int_equal(json_object_size(json_object_get(none, "probes")), 0);
}

static void test_only_bad_samples(void **state)
{
	const struct report_times times = {1, 2, 0, 0, 0};
	_cleanup_json_ json_t *samples = json_array(), *summary = NULL;

	for (int i = 0; i < 150; i++)
		add_sample(samples, "put", 10 + i, 1000, false);
	summary = report_summarize(samples, &times);
	assert_window(window(summary, "put", "during"), 150, 0, NAN, NAN, NAN);
}

static void test_cells(void **state)
{
	static const struct {
		const char *(*format)(char out[REPORT_CELL_SIZE], const json_t *value);
		double value;
		const char *text;
	} cases[] = {
		{report_percent, 1, "100 %"},
		{report_percent, 0.998, "99.8 %"},
		{report_percent, 0.99999, "99.9 %"},
		{report_percent, 0, "0.0 %"},
		{report_percent, 0.0001, "<0.1 %"},
		{report_percent, 0.29, "29.0 %"},
		{report_milliseconds, 2.14, "2.1 ms"},
		{report_milliseconds, 0.256, "0.26 ms"},
		{report_milliseconds, 9.96, "10 ms"},
		{report_milliseconds, 50.25, "50 ms"},
		{report_milliseconds, 999.6, "1.0 s"},
		{report_milliseconds, 1450, "1.4 s"},
		{report_milliseconds, 120000, "120 s"},
		{report_milliseconds, 0, "0.00 ms"},
		{report_seconds, 1.3, "1.30 s"},
		{report_seconds, 12.34, "12.3 s"},
		{report_count, 0, "0"},
		{report_count, 99999, "99999"},
		{report_count, 123456, "123.5k"},
		{report_count, 1234567, "1.2M"},
		{report_count, 99.96e6, "100.0M"},
		{report_count, 5e12, "5.0T"},
	};
	char cell[REPORT_CELL_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *value = json_real(cases[i].value);

		assert_string_equal(cases[i].format(cell, value), cases[i].text);
	}
	assert_string_equal(report_percent(cell, NULL), "-");
	assert_string_equal(report_milliseconds(cell, json_null()), "-");
}

static json_t *trial_row(const char *id, const char *status, const char *verdict)
{
	return json_pack("{s:s, s:s, s:s}", "id", id, "status", status, "verdict", verdict);
}

static char *print_table(const json_t *trials)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	report_table(out, trials);
	fclose(out);
	return text;
}

static void test_table(void **state)
{
	_cleanup_json_ json_t *trials = json_array();
	_cleanup_free_ char *text = NULL;
	json_t *trial = trial_row("trial-lab-latency-0001", "completed", "pass");

	json_object_set_new(trial, "evidence", json_pack("{s:i}", "hit", 1234));
	json_object_set_new(trial, "summary",
			    json_pack("{s:{s:f, s:f, s:n}, s:{s:f, s:f, s:f}, s:{s:f, s:f, s:n}, s:f}", "before",
				      "availability", 1.0, "p50_ms", 2.1, "p99_ms", "during", "availability", 0.998,
				      "p50_ms", 103.0, "p99_ms", 180.0, "after", "availability", 1.0, "p50_ms", 2.0,
				      "p99_ms", "recovery_seconds", 1.25));
	json_array_append_new(trials, trial);
	trial = trial_row("trial-lab-latency-0002", "failed", "none");
	json_object_set_new(trial, "error_stage", json_string("ready"));
	json_object_set_new(trial, "error_text", json_string("not \033[31mready\nin time"));
	json_array_append_new(trials, trial);
	json_array_append_new(trials, trial_row("trial-lab-latency-0003", "void", "none"));
	trial = trial_row("trial-lab-latency-0004", "completed", "fail");
	json_object_set_new(trial, "expectations",
			    json_pack("[{s:s, s:f, s:f, s:b}]", "name", "availability_min", "asked", 0.9, "measured",
				      0.5, "ok", 0));
	json_array_append_new(trials, trial);
	json_array_append_new(trials, trial_row("trial-lab-latency-0005", "completed", "fail"));
	text = print_table(trials);
	assert_string_equal(
		text, "                                            availability         p50                   p99\n"
		      "trial                   status     verdict  before during after  before during  "
		      "after  before during after  recover  hits\n"
		      "trial-lab-latency-0001  completed  pass      100 % 99.8 % 100 %  2.1 ms 103 ms "
		      "2.0 ms       - 180 ms     -   1.25 s  1234\n"
		      "trial-lab-latency-0002  failed     -             -      -     -       -      -  "
		      "    -       -      -     -        -     -\n"
		      "    failed in ready: not ?[31mready\n"
		      "    in time\n"
		      "trial-lab-latency-0003  void       -             -      -     -       -      -  "
		      "    -       -      -     -        -     -\n"
		      "    void: the evidence shows no hit\n"
		      "trial-lab-latency-0004  completed  fail          -      -     -       -      -  "
		      "    -       -      -     -        -     -\n"
		      "    availability_min 0.9 missed: 0.5\n"
		      "trial-lab-latency-0005  completed  fail          -      -     -       -      -  "
		      "    -       -      -     -        -     -\n"
		      "    did not recover in time\n");
}

static void test_loss(void **state)
{
	static const char one[] = "{'hit': 9, 'devices': [{'egress': {'failed': 2, 'line': {'line_dropped': 1}}}, "
				  "{'egress': {'failed': 0}, 'ingress': {'line': {'line_dropped': 4}}}]}";
	_cleanup_json_ json_t *clean = json_pack("{s:i, s:[{s:{s:i}}]}", "hit", 1, "devices", "egress", "failed", 0);
	_cleanup_json_ json_t *trials = json_array(), *evidence = NULL, *all = NULL;
	_cleanup_free_ char *table = NULL, *json = strdup(one);
	json_t *trial = trial_row("trial-lab-latency-0001", "completed", "pass");
	char text[256];

	for (char *c = json; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	evidence = json_loads(json, 0, NULL);
	assert_int_equal(report_loss(text, sizeof(text), clean), 0);
	assert_int_equal(report_loss(text, sizeof(text), NULL), 0);
	assert_true(report_loss(text, sizeof(text), evidence) > 0);
	assert_string_equal(text, "the line dropped 5 packets: chaos was loss, not only delay; 2 packets matched but "
				  "passed untouched");
	all = json_pack("{s:i, s:{s:O, s:O}}", "hit", 18, "targets", "n1", evidence, "n2", evidence);
	report_loss(text, sizeof(text), all);
	assert_memory_equal(text, "the line dropped 10 packets", 27);
	json_object_set(trial, "evidence", evidence);
	json_array_append_new(trials, trial);
	table = print_table(trials);
	assert_non_null(strstr(table, "\n    the line dropped 5 packets"));
}

static void test_table_fits(void **state)
{
	_cleanup_json_ json_t *trials = json_array();
	_cleanup_free_ char *text = NULL;
	json_t *trial = trial_row("trial-a-subject-with-a-very-long-name-and-chaos-with-another-one-0001",
				  "interrupted", "none");

	json_object_set_new(trial, "evidence", json_pack("{s:i}", "hit", 123456));
	json_array_append_new(trials, trial);
	json_array_append_new(trials, trial_row("trial-a-subject-with-a-very-long-name-and-chaos-with-another-one-0002",
						"completed", "pass"));
	text = print_table(trials);
	for (const char *line = text; *line; line = strchr(line, '\n') + 1)
		assert_in_range(strcspn(line, "\n"), 1, 140);
	assert_non_null(strstr(text, "trial-a-subject"));
	assert_non_null(strstr(text, "-0001 "));
	assert_non_null(strstr(text, "-0002 "));
}

static void test_histogram(void **state)
{
	_cleanup_json_ json_t *histogram = json_pack("{s:[i, i, i, i, i]}", "log2_us", 0, 0, 20, 0, 1);
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	report_histogram(out, histogram, "  ");
	report_histogram(out, NULL, "  ");
	fclose(out);
	assert_string_equal(text, "   0.00 ms … 0.01 ms  |########################################| 20\n"
				  "   0.01 ms … 0.02 ms  |                                        | 0\n"
				  "   0.02 ms … 0.03 ms  |##                                      | 1\n");
}

static void test_text_cannot_drive_the_terminal(void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	report_text(out,
		    "a\x1b[2J\tb\r\x7f\xc2\x9b"
		    "31m\nü",
		    "> ");
	fclose(out);
	assert_string_equal(text, "a?[2J\tb???31m\n> ü");
}

static void test_progress(void **state)
{
	_cleanup_json_ json_t *counts = json_pack("{s:i, s:i, s:i, s:i, s:i}", "planned", 2, "completed", 8, "void", 0,
						  "total", 10, "verdict_fail", 1);
	char text[64], little[12];

	assert_string_equal(report_progress(text, sizeof(text), counts), "completed 8, planned 2; verdict fail 1");
	assert_int_equal(strlen(report_progress(little, sizeof(little), counts)), sizeof(little) - 1);
	assert_string_equal(report_progress(text, sizeof(text), NULL), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percentile),
		cmocka_unit_test(test_windows_by_schedule),
		cmocka_unit_test(test_probes_apart_and_in_total),
		cmocka_unit_test(test_phases_that_never_came),
		cmocka_unit_test(test_only_bad_samples),
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_table_fits),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_text_cannot_drive_the_terminal),
		cmocka_unit_test(test_progress),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
