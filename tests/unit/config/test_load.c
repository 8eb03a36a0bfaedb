/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests decoding and precedence; tests/cli/validate.sh tests wrong files. */
#include "unit_config.h"

#include <math.h>

#include "util/text.h"

static const struct effective *first(const struct config *config)
{
	return config_effective(config, 0, 0);
}

static double param(const struct effective *effective, const char *name)
{
	return json_number_value(json_object_get(effective->params, name));
}

static void built_in_defaults(void **state)
{
	struct config *config = load_valid(LAB LATENCY);
	const struct effective *effective = first(config);

	assert_int_equal(config->trials_per_combination, 1);
	assert_int_equal(config->parallel, 1);
	assert_true(config->cooldown_seconds == 0);
	assert_false(config->include_baseline);
	assert_false(config->seed_given);
	assert_null(config->name);
	assert_int_equal(config->protect.count, 0);
	assert_null(config->allow.items[0]);
	assert_true(effective->settings.warmup_seconds == 5 && effective->settings.duration_seconds == 30 &&
		    effective->settings.recovery_seconds == 30);
	assert_int_equal(effective->settings.retries, 1);
	assert_true(isnan(effective->settings.expect.limits[EXPECT_AVAILABILITY]));
	assert_string_equal(effective->target, "random");
	assert_string_equal(json_string_value(json_object_get(effective->params, "direction")), "egress");
	assert_string_equal(config->chaos[0].name, "latency");
	assert_true(config->subjects[0].fresh);
	assert_int_equal(config->subjects[0].instances, 1);
	config_free(config);
}

static void each_level_overrides_the_one_below(void **state)
{
	struct config *config = load_valid(
		"defaults:\n  warmup_seconds: 1\n  duration_seconds: 1\n  recovery_seconds: 11\n  retries: 4\n"
		"  target: n1\n  expect: {availability_min: 0.5, p99_ms_max: 9}\n"
		"  abort_if: {exec: below, timeout_seconds: 3}\n"
		"  params: {latency: {min_ms: 1, max_ms: 8, direction: both}}\n"
		"subjects:\n  - name: lab\n    duration_seconds: 2\n    recovery_seconds: 12\n    default_target: n2\n"
		"    expect: {availability_min: 0.6}\n    params: {latency: {min_ms: 2, protocol: tcp}}\n" LAB_NODES
		"chaos_types:\n  - type: latency\n    recovery_seconds: 13\n    target: n3\n    expect: "
		"{availability_min: 0.7}\n"
		"    params: {min_ms: 3}\n    abort_if: above\n"
		"  - latency\n");
	const struct effective *own = first(config), *shared = config_effective(config, 0, 1);
	const struct effective *baseline = config_effective(config, 0, 2);

	assert_true(own->settings.warmup_seconds == 1);
	assert_true(own->settings.duration_seconds == 2);
	assert_true(own->settings.recovery_seconds == 13);
	assert_int_equal(own->settings.retries, 4);
	assert_true(own->settings.expect.limits[EXPECT_AVAILABILITY] == 0.7);
	assert_true(own->settings.expect.limits[EXPECT_P99] == 9);
	assert_string_equal(own->settings.abort_if.exec, "above");
	assert_true(own->settings.abort_if.timeout_seconds == 0);
	assert_string_equal(shared->settings.abort_if.exec, "below");
	assert_string_equal(baseline->settings.abort_if.exec, "below");
	assert_string_equal(own->target, "n3");
	assert_true(param(own, "min_ms") == 3 && param(own, "max_ms") == 8);
	assert_string_equal(json_string_value(json_object_get(own->params, "direction")), "both");
	assert_string_equal(json_string_value(json_object_get(own->params, "protocol")), "tcp");
	assert_string_equal(shared->target, "n2");
	assert_true(param(shared, "min_ms") == 2);
	assert_true(shared->settings.recovery_seconds == 12 &&
		    shared->settings.expect.limits[EXPECT_AVAILABILITY] == 0.6);
	assert_null(baseline->target);
	assert_null(baseline->params);
	assert_true(baseline->settings.duration_seconds == 2);
	config_free(config);
}

static void defaults_target_is_the_weakest(void **state)
{
	struct config *config = load_valid("defaults: {target: n3}\n" LAB LATENCY);

	assert_string_equal(first(config)->target, "n3");
	assert_null(config->chaos[0].target);
	assert_null(config->subjects[0].default_target);
	config_free(config);
}

static void decimals_are_exact(void **state)
{
	struct config *config = load_valid("cooldown_seconds: .25\nseed: 9223372036854775807\n" LAB
					   "chaos_types:\n  - {type: latency, params: {min_ms: 0.5, max_ms: 1.5e1}}\n");

	assert_true(param(first(config), "min_ms") == 0.5);
	assert_true(json_is_integer(json_object_get(first(config)->params, "max_ms")));
	assert_true(param(first(config), "max_ms") == 15);
	assert_true(config->cooldown_seconds == 0.25);
	assert_true(config->seed_given && config->seed == INT64_MAX);
	config_free(config);
}

static void lists_may_be_one_value(void **state)
{
	struct config *config = load_valid(
		"protect: udp/53\nallow: gateway\n" LAB
		"chaos_types:\n  - {type: latency, params: {min_ms: 1, max_ms: 2, peers: n2, ports: 2379}}\n"
		"  - {type: latency, params: {min_ms: 1, max_ms: 2, peers: all, ports: [1, 65535, 20160-20170]}}\n");
	const json_t *one = first(config)->params, *all = config_effective(config, 0, 1)->params;

	assert_string_equal(config->protect.items[0], "udp/53");
	assert_null(config->protect.items[1]);
	assert_string_equal(config->allow.items[0], "gateway");
	assert_string_equal(json_string_value(json_array_get(json_object_get(one, "peers"), 0)), "n2");
	assert_int_equal(json_integer_value(json_array_get(json_object_get(one, "ports"), 0)), 2379);
	assert_string_equal(json_string_value(json_object_get(all, "peers")), "all");
	assert_int_equal(json_array_size(json_object_get(all, "ports")), 3);
	assert_string_equal(json_string_value(json_array_get(json_object_get(all, "ports"), 2)), "20160-20170");
	config_free(config);
}

static void repeated_types_are_numbered(void **state)
{
	struct config *config =
		load_valid("defaults: {params: {latency: {min_ms: 1, max_ms: 1}}}\n" LAB
			   "chaos_types:\n  - latency\n  - {type: latency, name: latency-2}\n  - latency\n"
			   "  - network_partition\n  - latency\n");

	assert_string_equal(config->chaos[0].name, "latency");
	assert_string_equal(config->chaos[1].name, "latency-2");
	assert_string_equal(config->chaos[2].name, "latency-3");
	assert_string_equal(config->chaos[3].name, "network_partition");
	assert_string_equal(config->chaos[4].name, "latency-4");
	config_free(config);
}

static void commands(void **state)
{
	struct config *config = load_valid(
		"subjects:\n  - name: s\n    reset: none\n    ready: {exec: a b, timeout_seconds: 2.5}\n"
		"    cleanup: |\n      one\n      two ${instance}\n    nodes: [{name: n1}]\ninclude_baseline: true\n");
	const struct subject *subject = &config->subjects[0];

	assert_false(subject->fresh);
	assert_null(subject->reset.exec);
	assert_string_equal(subject->ready.exec, "a b");
	assert_true(subject->ready.timeout_seconds == 2.5);
	assert_string_equal(subject->cleanup.exec, "one\ntwo ${instance}\n");
	assert_true(subject->cleanup.timeout_seconds == 0);
	assert_true(subject->cleanup.directory[0] == '/');
	assert_string_equal(subject->cleanup.directory, config->directory);
	assert_null(subject->workload.exec);
	assert_non_null(subject->nodes[0].addresses.items);
	assert_null(subject->nodes[0].addresses.items[0]);
	config_free(config);
}

static void empty_cgroup_is_none(void **state)
{
	struct config *config =
		load_valid("subjects:\n  - name: s\n    reset: none\n    nodes: [{name: n1, cgroup: ''}]\n"
			   "include_baseline: true\n");

	assert_null(config->subjects[0].nodes[0].cgroup);
	config_free(config);
}

static void subject_files(void **state)
{
	struct config *config = NULL;
	struct error err = {0};

	assert_int_equal(config_load(&config, "tests/data/good/harness.yaml", CONFIG_TO_READ, stderr, &err), 0);
	assert_int_equal(config->subject_count, 1);
	assert_string_equal(config->subjects[0].name, "tikv");
	assert_false(config->subjects[0].fresh);
	assert_string_equal(first(config)->target, "tikv-1");
	assert_int_equal(config->trials_per_combination, 3);
	assert_true(config->cooldown_seconds == 10 && config->include_baseline);
	assert_non_null(strstr(config->subjects[0].ready.directory, "/tests/data/good/subjects"));
	assert_string_equal(config->subjects[0].place.file, "tests/data/good/subjects/tikv.yaml");
	assert_int_equal(config->subjects[0].nodes[1].place.line, 9);
	assert_true(config->path[0] == '/');
	assert_non_null(strstr(config->path, "/tests/data/good/harness.yaml"));
	config_free(config);
}

static void refusal_leaves_out_alone(void **state)
{
	struct config *config = (struct config *)0x1;
	struct error err = {0};
	FILE *null = fopen("/dev/null", "w");

	assert_int_equal(config_load(&config, "tests/data/bad/many.yaml", CONFIG_TO_READ, null, &err), -EINVAL);
	assert_int_equal(config_load(&config, "/nonexistent/x.yaml", CONFIG_TO_READ, null, &err), -ENOENT);
	assert_int_equal(config_load(&config, "/tmp", CONFIG_TO_READ, null, &err), -EISDIR);
	assert_ptr_equal(config, (struct config *)0x1);
	assert_non_null(strstr(err.text, "/tmp"));
	fclose(null);
}

static void warnings_do_not_refuse(void **state)
{
	struct loaded loaded = load_text("parallel: 5\n" LAB LATENCY);

	assert_int_equal(loaded.code, 0);
	assert_non_null(strstr(loaded.problems, ":1:11: warning: parallel is 5, but the subjects have 1 instance"));
	loaded_free(&loaded);
}

static void shared_ip_warns_latency_and_refuses_partition(void **state)
{
#define SHARED \
	"subjects:\n  - name: s\n    reset: none\n    nodes:\n      - {name: a, address: '10.0.0.1:1'%s}\n" \
	"      - {name: b, address: '10.0.0.1:2'}\nchaos_types:\n  - {type: %s, target: a%s}\n"
	char text[512];
	struct loaded loaded;

	snprintf(text, sizeof(text), SHARED, "", "latency", ", params: {min_ms: 1, max_ms: 2}");
	loaded = load_text(text);
	assert_int_equal(loaded.code, 0);
	assert_non_null(strstr(loaded.problems, "warning: latency may target node 'a', which shares its IP with 'b'"));
	loaded_free(&loaded);
	snprintf(text, sizeof(text), SHARED, "", "network_partition", "");
	loaded = load_text(text);
	assert_int_equal(loaded.code, -EINVAL);
	loaded_free(&loaded);
	snprintf(text, sizeof(text), SHARED, ", cgroup: /a", "network_partition", "");
	loaded = load_text(text);
	assert_string_equal(loaded.problems, "");
	loaded_free(&loaded);
}

static void nearest(void **state)
{
	static const char *const known[] = {"warmup_seconds", "retries", "target", "default_target", "min_ms"};

	assert_string_equal(text_nearest("retires", known, 5), "retries");
	assert_string_equal(text_nearest("warmup", known, 5), "warmup_seconds");
	assert_string_equal(text_nearest("Target", known, 5), "target");
	assert_string_equal(text_nearest("minms", known, 5), "min_ms");
	assert_null(text_nearest("colour", known, 5));
	assert_null(text_nearest("", known, 5));
	assert_null(text_nearest("x", known, 0));
}

static void names(void **state)
{
	assert_true(text_is_name("a", 1));
	assert_true(text_is_name("9-a_b.C", 32));
	assert_false(text_is_name("ab", 1));
	assert_false(text_is_name("", 32));
	assert_false(text_is_name(".hidden", 32));
	assert_false(text_is_name("-option", 32));
	assert_false(text_is_name("a/b", 32));
	assert_false(text_is_name("a b", 32));
	assert_false(text_is_name("\xc3\xa9", 32));
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	text_print("a\x1b[31m\nb\xc2\x9b"
		   "c\xc3\xa9\x7f",
		   out);
	fclose(out);
	assert_string_equal(text, "a?[31m\\nb?c\xc3\xa9?");
	assert_true(text_has_control("\xc2\x85"));
	assert_false(text_has_control("\xc3\x85 x"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(built_in_defaults),
		cmocka_unit_test(each_level_overrides_the_one_below),
		cmocka_unit_test(defaults_target_is_the_weakest),
		cmocka_unit_test(decimals_are_exact),
		cmocka_unit_test(lists_may_be_one_value),
		cmocka_unit_test(repeated_types_are_numbered),
		cmocka_unit_test(commands),
		cmocka_unit_test(empty_cgroup_is_none),
		cmocka_unit_test(subject_files),
		cmocka_unit_test(refusal_leaves_out_alone),
		cmocka_unit_test(warnings_do_not_refuse),
		cmocka_unit_test(shared_ip_warns_latency_and_refuses_partition),
		cmocka_unit_test(nearest),
		cmocka_unit_test(names),
		cmocka_unit_test(control_characters_do_not_reach_the_terminal),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
