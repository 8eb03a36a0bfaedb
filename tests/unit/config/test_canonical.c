/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the canonical form and its parts: old campaigns resume by its hash, so its bytes must not change. */
#include "unit_config.h"

#include <math.h>

#include "util/cleanup.h"

static char *canonical(const char *text)
{
	struct config *config = load_valid(text);
	char *result = config_canonical(config);

	config_free(config);
	return result;
}

static void assert_same_canonical(const char *a, const char *b)
{
	char *x = canonical(a), *y = canonical(b);

	assert_string_equal(x, y);
	free(x);
	free(y);
}

static void assert_other_canonical(const char *a, const char *b)
{
	char *x = canonical(a), *y = canonical(b);

	assert_string_not_equal(x, y);
	free(x);
	free(y);
}

static void canonical_leaves_out_what_changes_no_trial(void **state)
{
	assert_same_canonical(LAB LATENCY, "name: label\nparallel: 1\ncooldown_seconds: 3\n" LAB LATENCY);
	/* Only the value matters, not the level that it comes from or its spelling. */
	assert_same_canonical(LAB LATENCY, "defaults: {duration_seconds: 30.0, retries: 1}\n" LAB LATENCY);
	assert_same_canonical(LAB LATENCY, LATENCY LAB);
	/* tcp/22 is always protected. */
	assert_same_canonical(LAB LATENCY, "protect: []\n" LAB LATENCY);
	assert_same_canonical(LAB LATENCY, "protect: [tcp/22]\n" LAB LATENCY);
	assert_same_canonical(
		LAB LATENCY,
		LAB "chaos_types:\n  - params: {max_ms: 2.0, min_ms: 1, direction: egress}\n    type: latency\n");
}

static void canonical_has_what_changes_a_trial(void **state)
{
	assert_other_canonical(LAB LATENCY, "seed: 1\n" LAB LATENCY);
	assert_other_canonical("seed: 2\n" LAB LATENCY, "seed: 1\n" LAB LATENCY);
	assert_other_canonical(LAB LATENCY, "trials_per_combination: 2\n" LAB LATENCY);
	assert_other_canonical(LAB LATENCY, "include_baseline: true\n" LAB LATENCY);
	assert_other_canonical(LAB LATENCY, "protect: [udp/53]\n" LAB LATENCY);
	assert_other_canonical("protect: [tcp/22]\nallow: [ssh]\n" LAB LATENCY, "allow: [ssh]\n" LAB LATENCY);
	assert_other_canonical(LAB LATENCY, "allow: [gateway]\n" LAB LATENCY);
	assert_other_canonical(LAB LATENCY, "defaults: {duration_seconds: 31}\n" LAB LATENCY);
	assert_other_canonical(LAB LATENCY, "defaults: {target: n1}\n" LAB LATENCY);
	assert_other_canonical(LAB LATENCY, "defaults: {abort_if: x}\n" LAB LATENCY);
	assert_other_canonical(LAB LATENCY, "defaults: {expect: {availability_min: 0.9}}\n" LAB LATENCY);
	assert_other_canonical(LAB LATENCY,
			       LAB "chaos_types:\n  - {type: latency, params: {min_ms: 1, max_ms: 2.5}}\n");
	assert_other_canonical(LAB LATENCY, "subjects:\n  - name: lab\n    ready: x\n" LAB_NODES LATENCY);
	assert_other_canonical(LAB LATENCY, "subjects:\n  - name: lab2\n" LAB_NODES LATENCY);
}

#define SMALL "subjects:\n  - name: s\n    reset: none\n    nodes: [{name: n1, address: 10.0.0.1}]\n"
#define COMMANDS_NULL "\"cleanup\":null,\"fresh\":false,\"instances\":1,\"name\":\"s\","
#define N1 \
	"\"nodes\":[{\"addresses\":[\"10.0.0.1\"],\"cgroup\":null,\"data_dirs\":[],\"interface\":null,\"name\":" \
	"\"n1\"," \
	"\"netns\":null}],\"peers\":[],\"probes\":[],\"ready\":null,\"reset\":null,\"roles\":null,"
#define SETTINGS \
	"\"settings\":{\"availability_min\":null,\"duration_seconds\":30.0,\"p99_ms_max\":null," \
	"\"recover_within_seconds\":null,\"recovery_seconds\":30.0,\"retries\":1,\"warmup_seconds\":5.0}"

static void its_bytes_stay(void **state)
{
	_cleanup_free_ char *text = canonical("include_baseline: true\n" SMALL);

	assert_string_equal(
		text,
		"{\"allow\":[],\"format\":1,\"protect\":[\"tcp/22\"],\"seed\":null,\"subjects\":[{" COMMANDS_NULL N1
		"\"trials\":[{\"name\":\"baseline\"," SETTINGS "}],\"workload\":null}],"
		"\"trials_per_combination\":1}");
}

static json_t *parse(const char *text)
{
	_cleanup_free_ char *result = canonical(text);

	return json_loads(result, 0, NULL);
}

static const json_t *first_subject(const json_t *root)
{
	return json_array_get(json_object_get(root, "subjects"), 0);
}

static void the_baseline_is_there_where_it_runs(void **state)
{
	_cleanup_json_ json_t *without = parse(LAB LATENCY), *with = parse("include_baseline: true\n" LAB LATENCY);
	const json_t *trials = json_object_get(first_subject(with), "trials");

	assert_int_equal(json_array_size(json_object_get(first_subject(without), "trials")), 1);
	assert_int_equal(json_array_size(trials), 2);
	assert_null(json_object_get(json_array_get(trials, 1), "target"));
	assert_null(json_object_get(json_array_get(trials, 1), "params"));
}

static void params_are_the_effective_ones(void **state)
{
	_cleanup_json_ json_t *root = parse("defaults: {params: {latency: {protocol: udp}}, target: n2}\n" LAB LATENCY);
	const json_t *trial = json_array_get(json_object_get(first_subject(root), "trials"), 0);
	const json_t *params = json_object_get(trial, "params");

	assert_string_equal(json_string_value(json_object_get(trial, "target")), "n2");
	assert_string_equal(json_string_value(json_object_get(params, "protocol")), "udp");
	assert_string_equal(json_string_value(json_object_get(params, "direction")), "egress");
	assert_int_equal(json_integer_value(json_object_get(params, "max_ms")), 2);
}

/* A moved campaign keeps its hash; placeholders are expanded later. */
static void commands_have_no_folder_and_nodes_their_placeholders(void **state)
{
	_cleanup_free_ char *text =
		canonical("subjects:\n  - name: lab\n    ready: {exec: a, timeout_seconds: 2}\n" LAB_NODES LATENCY);

	assert_null(strstr(text, "/tmp"));
	assert_non_null(strstr(text, "\"ready\":{\"exec\":\"a\",\"timeout_seconds\":2.0}"));
	assert_non_null(strstr(text, "\"reset\":{\"exec\":\"true\",\"timeout_seconds\":0.0}"));
	assert_non_null(strstr(text, "\"10.77.{instance}.3\""));
}

static void protect_is_what_is_protected_in_the_end(void **state)
{
	_cleanup_free_ char *more = canonical("protect: [udp/53, tcp/22]\n" SMALL "include_baseline: true\n");
	_cleanup_free_ char *lifted = canonical("protect: [udp/53]\nallow: [ssh]\n" SMALL "include_baseline: true\n");

	assert_non_null(strstr(more, "\"protect\":[\"tcp/22\",\"udp/53\"]"));
	assert_non_null(strstr(lifted, "\"protect\":[\"udp/53\"]"));
	assert_non_null(strstr(lifted, "\"allow\":[\"ssh\"]"));
}

static void assert_dumped(json_t *value, const char *wanted)
{
	_cleanup_json_ json_t *owned = value;
	_cleanup_free_ char *text = json_dumps(owned, JSON_COMPACT | JSON_ENCODE_ANY);

	assert_string_equal(text, wanted);
}

/* The database and the plan are not sorted; they keep the order of the parts. */
static void parts_keep_their_order(void **state)
{
	const struct settings settings = {.warmup_seconds = 1,
					  .duration_seconds = 2.5,
					  .retries = 3,
					  .expect.limits = {0.5, NAN, NAN, NAN, NAN, NAN, 4}};
	const struct command none = {0};
	struct strings list = {0};

	assert_dumped(settings_to_json(&settings),
		      "{\"warmup_seconds\":1.0,\"duration_seconds\":2.5,\"recovery_seconds\":0.0,\"retries\":3}");
	assert_dumped(expectations_to_json(&settings),
		      "{\"availability_min\":0.5,\"p99_ms_max\":null,\"recover_within_seconds\":4.0}");
	assert_dumped(command_to_json(&none), "null");
	assert_true(strings_append(&list, "b") && strings_append(&list, "a") && strings_append(&list, NULL));
	assert_dumped(strings_to_json(&list), "[\"b\",\"a\"]");
	strings_clear(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(canonical_leaves_out_what_changes_no_trial),
		cmocka_unit_test(canonical_has_what_changes_a_trial),
		cmocka_unit_test(its_bytes_stay),
		cmocka_unit_test(the_baseline_is_there_where_it_runs),
		cmocka_unit_test(params_are_the_effective_ones),
		cmocka_unit_test(commands_have_no_folder_and_nodes_their_placeholders),
		cmocka_unit_test(protect_is_what_is_protected_in_the_end),
		cmocka_unit_test(parts_keep_their_order),
	};

	return cmocka_run_group_tests_name("canonical", tests, NULL, NULL);
}
