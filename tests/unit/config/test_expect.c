/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests what is expected of single probes, and the final checks. */
#include "unit_config.h"

#include <math.h>

#define PROBES "    probes: [{name: put, exec: x}, {name: get, exec: x}]\n"
#define PUT_LATENCY "chaos_types:\n  - type: latency\n    target: n1\n    params: {min_ms: 1, max_ms: 2}\n    expect: "

static void a_probe_of_its_own_goes_first(void **state)
{
	struct config *config = load_valid(
		"defaults: {expect: {availability_min: 0.5, p99_ms_max: 9, probes: {put: {p99_ms_max: 7}}}}\n"
		"subjects:\n  - name: lab\n" PROBES LAB_MEMBERS PUT_LATENCY
		"{p99_ms_max: 8, probes: {put: {availability_min: 0.25}, get: {errors_max: 0}}}\n");
	const struct expectations *expect = &config_effective(config, 0, 0)->settings.expect;

	assert_true(expectation_limit(expect, "put", EXPECT_AVAILABILITY) == 0.25);
	assert_true(expectation_limit(expect, "put", EXPECT_P99) == 7);
	assert_true(isnan(expectation_limit(expect, "put", EXPECT_ERRORS)));
	assert_true(expectation_limit(expect, "get", EXPECT_AVAILABILITY) == 0.5);
	assert_true(expectation_limit(expect, "get", EXPECT_P99) == 8);
	assert_true(expectation_limit(expect, "get", EXPECT_ERRORS) == 0);
	config_free(config);
}

/* A default may speak of a probe that only one of the subjects has. */
static void a_probe_belongs_to_its_subject(void **state)
{
	struct config *config =
		load_valid("defaults: {expect: {probes: {put: {errors_max: 3}}}}\n"
			   "subjects:\n  - name: lab\n" PROBES LAB_MEMBERS "  - name: other\n" LAB_NODES LATENCY);

	assert_true(expectation_limit(&config_effective(config, 0, 0)->settings.expect, "put", EXPECT_ERRORS) == 3);
	assert_null(config_effective(config, 1, 0)->settings.expect.probes);
	config_free(config);
}

static void checks_are_copied_to_each(void **state)
{
	struct config *config = load_valid("defaults: {expect: {checks: [{exec: a}, {name: sums, exec: b, "
					   "timeout_seconds: 3}]}}\n" LAB "  - name: other\n" LAB_NODES LATENCY);
	const struct settings *first = &config_effective(config, 0, 0)->settings;
	const struct settings *second = &config_effective(config, 1, 0)->settings;

	assert_int_equal(first->check_count, 2);
	assert_string_equal(first->checks[0].name, "1");
	assert_string_equal(first->checks[0].command.exec, "a");
	assert_true(first->checks[0].command.timeout_seconds == 30);
	assert_string_equal(first->checks[1].name, "sums");
	assert_string_equal(first->checks[1].command.directory, config->directory);
	assert_true(first->checks[1].command.timeout_seconds == 3);
	assert_string_equal(second->checks[1].command.exec, "b");
	assert_ptr_not_equal(first->checks[1].command.exec, second->checks[1].command.exec);
	config_free(config);
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *expect, *problem;
	} cases[] = {
		{"{probes: {putt: {errors_max: 1}}}", "no subject has a probe 'putt'; did you mean 'put'?"},
		{"{probes: {zzzzzzzz: {errors_max: 1}}}", "known are put, get"},
		{"{probes: {put: {error_max: 1}}}", "did you mean 'errors_max'?"},
		{"{probes: {put: {availability_min: 2}}}", "'availability_min'"},
		{"{probes: {put: {recover_within_seconds: 2}}}", "it is the trial's: write it in 'expect' itself"},
		{"{probes: {put: 3}}", "what is expected of a probe must be a mapping"},
		{"{probes: [put]}", "'probes' in expect must be a mapping of probes"},
		{"{checks: x}", "'checks' must be a list"},
		{"{checks: [{name: a}]}", "a check needs the key 'exec'"},
		{"{checks: [{name: a, exec: x}, {name: a, exec: x}]}", "two of the checks are named 'a'"},
		{"{metrics: x}", "'metrics' must be a list"},
		{"{metrics: [{series: up, min: 1}]}", "no subject has the series 'up' in its 'metrics'"},
		{"{metrics: [{series: up}]}", "give what is expected: 'min', 'max' or 'change_max'"},
		{"{metrics: [{series: up, min: 2, max: 1}]}", "'min' (2) is above 'max' (1)"},
		{"{metrics: [{series: up, change_max: -1}]}", "'change_max' must be between 0 and 1000"},
		{"{metrics: [{min: 1}]}", "'series'"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[4096];

		snprintf(text, sizeof(text), "subjects:\n  - name: lab\n" PROBES LAB_MEMBERS PUT_LATENCY "%s\n",
			 cases[i].expect);
		assert_refused_for(text, cases[i].problem);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_probe_of_its_own_goes_first),
		cmocka_unit_test(a_probe_belongs_to_its_subject),
		cmocka_unit_test(checks_are_copied_to_each),
		cmocka_unit_test(what_is_wrong_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
