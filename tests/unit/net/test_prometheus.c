/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the reading of Prometheus text: whole, in parts of any size, and of nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/prometheus.h"

static const char text[] = "# HELP requests_total \"All\" requests\\n{a=\"b\"} 1\n"
			   "# TYPE requests_total counter\n"
			   "requests_total{type=\"write\",status=\"ok\"} 100\n"
			   "requests_total{type=\"write\",status=\"err\"} 7 1700000000000\n"
			   "requests_total{type=\"read\",status=\"ok\",} 40\n"
			   "requests_total_other 9\n"
			   "# TYPE depth gauge\n"
			   "depth 2.5e3\n"
			   "# TYPE wait_seconds histogram\n"
			   "wait_seconds_bucket{le=\"0.1\"} 3\n"
			   "wait_seconds_bucket{le=\"+Inf\"} 5\n"
			   "wait_seconds_sum 0.75\n"
			   "wait_seconds_count 5\n"
			   "# TYPE told_total gauge\n"
			   "told_total 8\n"
			   "# TYPE open counter\n"
			   "open_total 11 # {trace=\"x\"} 1 2\n"
			   "untyped_count 4\n"
			   "untyped 6\n"
			   "odd{path=\"a\\\\b\\\"c}\\n d\" , x = \"\" } 12\n"
			   "broken{path=\"a} 13\n"
			   "broken{path=b} 13\n"
			   "broken 13x14\n"
			   "nothing NaN\n"
			   "endless +Inf\n"
			   "process_start_time_seconds 1700000000.25\r\n"
			   "last 17";

static const struct {
	const char *selector;
	size_t matched;
	double value;
	bool is_counter;
} wanted[] = {
	{"requests_total", 3, 147, true},
	{"requests_total{type=\"write\"}", 2, 107, true},
	{"requests_total{type=\"write\", status!=\"ok\"}", 1, 7, true},
	{"requests_total { status = \"ok\" , type =~ \"w.*|r.*\" }", 2, 140, true},
	{"requests_total{status!~\"e.*\"}", 2, 140, true},
	{"requests_total{status=~\"e\"}", 0, 0, false},
	{"requests_total{none=\"\"}", 3, 147, true},
	{"requests_total{none=\"x\"}", 0, 0, false},
	{"requests_total{}", 3, 147, true},
	{"depth", 1, 2500, false},
	{"wait_seconds_sum", 1, 0.75, true},
	{"wait_seconds_bucket{le=\"+Inf\"}", 1, 5, true},
	{"told_total", 1, 8, false},
	{"open_total", 1, 11, true},
	{"untyped_count", 1, 4, true},
	{"untyped", 1, 6, false},
	{"odd{path=\"a\\\\b\\\"c}\\n d\"}", 1, 12, false},
	{"broken", 1, 13, false},
	{"nothing", 0, 0, false},
	{"endless", 0, 0, false},
	{"last", 0, 0, false},
	{"great", 0, 0, false},
	{"requests", 0, 0, false},
	{"rate(told_total)", 1, 8, true},
	{"rate(requests_total{type=\"read\"})", 1, 40, true},
};
#define WANTED (sizeof(wanted) / sizeof(*wanted))

static void check_all(const struct prometheus *scan)
{
	for (size_t i = 0; i < WANTED; i++) {
		struct prometheus_value found = prometheus_get(scan, i);

		if (found.matched != wanted[i].matched || found.value != wanted[i].value ||
		    found.is_counter != wanted[i].is_counter)
			fail_msg("%s: %zu series, %g, counter: %d", wanted[i].selector, found.matched, found.value,
				 found.is_counter);
	}
	assert_true(prometheus_started(scan) == 1700000000.25);
}

static void wanted_series_are_found_in_parts_of_any_size(void **state)
{
	char *selectors[WANTED];

	for (size_t i = 0; i < WANTED; i++)
		selectors[i] = (char *)wanted[i].selector;
	for (size_t size = 1; size < sizeof(text); size = size < 70 ? size + 1 : size * 2) {
		struct prometheus *scan;

		assert_int_equal(prometheus_new(&scan, selectors, WANTED, NULL), 0);
		for (size_t at = 0; at < sizeof(text) - 1; at += size) {
			size_t left = sizeof(text) - 1 - at;

			prometheus_feed(scan, text + at, size < left ? size : left);
		}
		check_all(scan);
		prometheus_free(scan);
	}
}

/* A line without an end is passed over, not kept. */
static void a_long_line_is_passed_over(void **state)
{
	char *selectors[] = {(char *)"up"}, *line = malloc(200000);
	struct prometheus *scan;

	memset(line, 'x', 200000);
	assert_int_equal(prometheus_new(&scan, selectors, 1, NULL), 0);
	for (int i = 0; i < 50; i++)
		prometheus_feed(scan, line, 200000);
	prometheus_feed(scan, "\nup 1\n", 6);
	assert_int_equal(prometheus_get(scan, 0).matched, 1);
	prometheus_free(scan);
	free(line);
}

static void nonsense_is_no_selector(void **state)
{
	static const char *const cases[] = {
		"",          "1up",        "up{",        "up}",          "up{a}",       "up{a=}",
		"up{a=\"b}", "up{a=\"b\"", "up{=\"b\"}", "up{a=\"b\"}}", "up 1",        "rate(up",
		"rate()",    "rate(up{)",  "rate(up) ",  "up{a=~\"(\"}", "up{a>\"b\"}", "up{a=\"b\" c=\"d\"}"};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = {};

		if (!prometheus_check(cases[i], &err))
			fail_msg("taken: %s", cases[i]);
		assert_true(*err.text);
	}
	assert_int_equal(prometheus_check("a:b_c9{d=\"\",}", NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wanted_series_are_found_in_parts_of_any_size),
		cmocka_unit_test(a_long_line_is_passed_over),
		cmocka_unit_test(nonsense_is_no_selector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
