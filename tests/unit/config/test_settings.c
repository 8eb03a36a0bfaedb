/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests how settings and parameters of the levels are merged, and which level a message points to. */
#include "unit_config.h"

#include <math.h>

static void zero_is_given_and_overrides(void **state)
{
	struct config *config = load_valid("defaults: {warmup_seconds: 7, retries: 4, expect: {p99_ms_max: 9}}\n"
					   "subjects:\n  - name: lab\n    warmup_seconds: 0\n    retries: 0\n    "
					   "expect: {p99_ms_max: 0}\n" LAB_NODES LATENCY);
	const struct settings *settings = &config_effective(config, 0, 0)->settings;

	assert_true(settings->warmup_seconds == 0);
	assert_int_equal(settings->retries, 0);
	assert_true(settings->expect.limits[EXPECT_P99] == 0);
	assert_true(isnan(settings->expect.limits[EXPECT_AVAILABILITY]));
	config_free(config);
}

/* Each combination owns and frees its copy. */
static void abort_if_is_copied_to_each(void **state)
{
	struct config *config = load_valid("defaults: {abort_if: {exec: x, timeout_seconds: 3}}\n" LAB
					   "  - name: other\n" LAB_NODES LATENCY);
	const struct command *first = &config_effective(config, 0, 0)->settings.abort_if;
	const struct command *second = &config_effective(config, 1, 0)->settings.abort_if;

	assert_string_equal(first->exec, "x");
	assert_string_equal(first->directory, config->directory);
	assert_true(first->timeout_seconds == 3);
	assert_string_equal(second->exec, "x");
	assert_ptr_not_equal(first->exec, second->exec);
	config_free(config);
}

static void a_level_speaks_for_its_subject_and_type_only(void **state)
{
	struct config *config = load_valid(
		"subjects:\n  - name: lab\n    duration_seconds: 2\n    params: {latency: {min_ms: 1}}\n" LAB_NODES
		"  - name: other\n    default_target: n2\n" LAB_NODES
		"chaos_types:\n  - {type: latency, params: {min_ms: 0, max_ms: 2}}\n"
		"  - {type: network_partition, target: n3, duration_seconds: 4}\n");

	assert_true(config_effective(config, 0, 0)->settings.duration_seconds == 2);
	assert_true(config_effective(config, 1, 0)->settings.duration_seconds == 30);
	assert_true(config_effective(config, 0, 1)->settings.duration_seconds == 4);
	assert_string_equal(config_effective(config, 0, 0)->target, "random");
	assert_string_equal(config_effective(config, 1, 0)->target, "n2");
	assert_string_equal(config_effective(config, 1, 1)->target, "n3");
	assert_null(json_object_get(config_effective(config, 0, 1)->params, "min_ms"));
	config_free(config);
}

/* Merging two lists would make a third that is not in the file. */
static void a_list_replaces_the_one_below(void **state)
{
	struct config *config = load_valid("defaults: {params: {latency: {peers: [n2, n3], ports: [1, 2]}}}\n" LAB
					   "chaos_types:\n  - {type: latency, target: n1, "
					   "params: {min_ms: 1, max_ms: 2, peers: n2}}\n");
	const json_t *params = config_effective(config, 0, 0)->params;

	assert_int_equal(json_array_size(json_object_get(params, "peers")), 1);
	assert_int_equal(json_array_size(json_object_get(params, "ports")), 2);
	config_free(config);
}

static void expectations_are_judged_by_the_sum(void **state)
{
	assert_accepted("defaults: {recovery_seconds: 10, expect: {recover_within_seconds: 10}}\n" LAB LATENCY);
	/* The message points to the strongest level with `expect`, even if another level has the wrong value. */
	assert_refused("defaults: {expect: {recover_within_seconds: 20}}\n" LAB
		       "chaos_types:\n  - {type: latency, recovery_seconds: 10, params: {min_ms: 1, max_ms: 2}}\n",
		       "1:20: error: recover_within_seconds (20) is more than recovery_seconds (10)");
	assert_refused("defaults: {expect: {recover_within_seconds: 20}}\n" LAB
		       "chaos_types:\n  - {type: latency, recovery_seconds: 10, expect: {p99_ms_max: 1}, "
		       "params: {min_ms: 1, max_ms: 2}}\n",
		       "12:51: error: recover_within_seconds (20) is more than recovery_seconds (10)");
}

/* The baseline's settings are not checked if it does not run. */
static void the_baseline_is_checked_where_it_runs(void **state)
{
#define ONLY_BASELINE_WRONG \
	"defaults: {recovery_seconds: 10, expect: {recover_within_seconds: 20}}\n" LAB \
	"chaos_types:\n  - {type: latency, recovery_seconds: 30, params: {min_ms: 1, max_ms: 2}}\n"
	assert_accepted(ONLY_BASELINE_WRONG);
	assert_refused("include_baseline: true\n" ONLY_BASELINE_WRONG,
		       "2:42: error: recover_within_seconds (20) is more than recovery_seconds (10)");
}

static void what_several_share_is_said_once(void **state)
{
	assert_refused("defaults: {recovery_seconds: 10, expect: {recover_within_seconds: 20}}\n" LAB
		       "  - name: other\n" LAB_NODES LATENCY "  - network_partition\n",
		       "1:42: error: recover_within_seconds (20)");
}

static void a_parameter_is_blamed_where_it_stands(void **state)
{
	assert_refused("defaults: {params: {latency: {min_ms: 5}}}\n" LAB
		       "chaos_types:\n  - type: latency\n    params:\n      max_ms: 2\n",
		       "1:39: error: min_ms (5) is greater than max_ms (2)");
	/* If no level gives the parameter, the message points to the chaos type. */
	assert_refused("defaults: {params: {latency: {min_ms: 5}}}\n" LAB "chaos_types:\n  - latency\n",
		       "12:5: error: latency needs the parameter 'max_ms'");
	/* A parameter with a wrong value is not reported as missing. */
	assert_refused(LAB "chaos_types:\n  - {type: latency, params: {min_ms: 5, max_ms: soon}}\n",
		       "11:49: error: 'max_ms' must be a number");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zero_is_given_and_overrides),
		cmocka_unit_test(abort_if_is_copied_to_each),
		cmocka_unit_test(a_level_speaks_for_its_subject_and_type_only),
		cmocka_unit_test(a_list_replaces_the_one_below),
		cmocka_unit_test(expectations_are_judged_by_the_sum),
		cmocka_unit_test(the_baseline_is_checked_where_it_runs),
		cmocka_unit_test(what_several_share_is_said_once),
		cmocka_unit_test(a_parameter_is_blamed_where_it_stands),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
