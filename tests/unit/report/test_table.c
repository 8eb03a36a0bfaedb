/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests how results are printed: cells, the table, histograms and untrusted text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "report/report.h"
#include "util/cleanup.h"

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

	report_table(out, -1, trials);
	fclose(out);
	return text;
}

static void test_table(void **state)
{
	_cleanup_json_ json_t *trials = json_array();
	_cleanup_free_ char *text = NULL;
	json_t *trial = trial_row("trial-lab-latency-0001", "completed", "pass");

	json_object_set_new(trial, "evidence", json_pack("{s:i}", "hit", 1234));
	json_object_set_new(
		trial, "summary",
		json_pack("{s:{s:{s:{s:f, s:f, s:n}, s:{s:f, s:f, s:f}, s:{s:f, s:f, s:n, s:i}}, s:{}}, s:f}", "probes",
			  "put", "before", "availability", 1.0, "p50_ms", 2.1, "p99_ms", "during", "availability",
			  0.998, "p50_ms", 103.0, "p99_ms", 180.0, "after", "availability", 1.0, "p50_ms", 2.0,
			  "p99_ms", "good", 40, "get", "recovery_seconds", 1.25));
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
	trial = trial_row("trial-lab-latency-0005", "completed", "fail");
	json_object_set_new(trial, "summary", json_pack("{s:n}", "recovery_seconds"));
	json_array_append_new(trials, trial);
	text = print_table(trials);
	assert_string_equal(text, "                                                   availabil"
				  "ity         p50                   p99\n"
				  "trial                   status     verdict  probe  before du"
				  "ring after  before during  after  before during after  recover  hits\n"
				  "trial-lab-latency-0001  completed  pass     put     100 % 99"
				  ".8 % 100 %  2.1 ms 103 ms 2.0 ms       - 180 ms  <100   1.25 s  1234\n"
				  "                                            get         -   "
				  "   -     -       -      -      -       -      -     -               \n"
				  "trial-lab-latency-0002  failed     -        -           -   "
				  "   -     -       -      -      -       -      -     -        -     -\n"
				  "    failed in ready: not ?[31mready\n"
				  "    in time\n"
				  "trial-lab-latency-0003  void       -        -           -   "
				  "   -     -       -      -      -       -      -     -        -     -\n"
				  "    void: the evidence shows no hit\n"
				  "trial-lab-latency-0004  completed  fail     -           -   "
				  "   -     -       -      -      -       -      -     -        -     -\n"
				  "    availability 50 %, expected at least 90 %\n"
				  "trial-lab-latency-0005  completed  fail     -           -   "
				  "   -     -       -      -      -       -      -     -        -     -\n"
				  "    stuck: did not recover in time\n");
}

static void test_loss_is_noted(void **state)
{
	_cleanup_json_ json_t *trials = json_array();
	_cleanup_free_ char *table = NULL;
	json_t *trial = trial_row("trial-lab-latency-0001", "completed", "pass");

	json_object_set_new(trial, "evidence",
			    json_pack("{s:i, s:[{s:{s:{s:i}}}]}", "hit", 9, "devices", "egress", "line", "line_dropped",
				      5));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells),         cmocka_unit_test(test_table),
		cmocka_unit_test(test_loss_is_noted), cmocka_unit_test(test_table_fits),
		cmocka_unit_test(test_histogram),     cmocka_unit_test(test_text_cannot_drive_the_terminal),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
