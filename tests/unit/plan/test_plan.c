/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the plan: order, ids, hash, seeds, draws and the output of --dry-run. */
#include "unit_config.h"

#include "config/placeholder.h"
#include "plan/plan.h"
#include "util/hash.h"
#include "util/json.h"

#define NOON 1700000000000000000ULL /* 2023-11-14T22:13:20Z */
#define TWO_TYPES LATENCY "  - network_partition\n"

static struct plan *plan_of(const char *text, const uint64_t *seed)
{
	struct plan *plan = NULL;

	assert_int_equal(plan_new(&plan, load_valid(text), NOON, seed, NULL), 0);
	return plan;
}

static void plan_drop(struct plan *plan)
{
	struct config *config = (struct config *)plan->config;

	plan_free(plan);
	config_free(config);
}

static void sha256(void **state)
{
	char hex[SHA256_HEX_SIZE];

	/* FIPS 180-2, B.1. */
	sha256_hex(hex, "abc", 3);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void order_is_whole_rounds(void **state)
{
	static const char *const wanted[] = {
		"trial-lab-baseline-01",   "trial-lab-latency-02",   "trial-lab-network_partition-03",
		"trial-other-baseline-04", "trial-other-latency-05", "trial-other-network_partition-06",
		"trial-lab-baseline-07",   "trial-lab-latency-08",   "trial-lab-network_partition-09",
		"trial-other-baseline-10", "trial-other-latency-11", "trial-other-network_partition-12",
	};
	struct plan *plan = plan_of("trials_per_combination: 2\ninclude_baseline: true\n" LAB
				    "  - name: other\n" LAB_NODES TWO_TYPES,
				    NULL);

	assert_int_equal(plan->trial_count, 12);
	for (size_t i = 0; i < plan->trial_count; i++) {
		assert_string_equal(plan->trials[i].id, wanted[i]);
		assert_int_equal(plan->trials[i].index, i + 1);
		assert_int_equal(plan->trials[i].repetition, i / 6 + 1);
		assert_ptr_equal(plan->trials[i].subject, &plan->config->subjects[i / 3 % 2]);
	}
	assert_null(plan->trials[0].chaos);
	assert_null(plan->trials[0].params);
	assert_null(plan->trials[0].target);
	assert_string_equal(plan->trials[0].chaos_name, "baseline");
	assert_ptr_equal(plan->trials[1].chaos, &plan->config->chaos[0]);
	assert_string_equal(plan->trials[1].target, "random");
	plan_drop(plan);
}

static void ids_are_padded_to_the_plan(void **state)
{
	static const struct {
		unsigned int repetitions;
		const char *first, *last;
	} cases[] = {{9, "trial-lab-latency-1", "trial-lab-latency-9"},
		     {10, "trial-lab-latency-01", "trial-lab-latency-10"},
		     {1000, "trial-lab-latency-0001", "trial-lab-latency-1000"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1024];
		struct plan *plan;

		snprintf(text, sizeof(text), "trials_per_combination: %u\n%s", cases[i].repetitions, LAB LATENCY);
		plan = plan_of(text, NULL);
		assert_string_equal(plan->trials[0].id, cases[i].first);
		assert_string_equal(plan->trials[plan->trial_count - 1].id, cases[i].last);
		plan_drop(plan);
	}
}

static void ids_fit_the_kernel_side(void **state)
{
	struct plan *plan = plan_of(
		"trials_per_combination: 50000\nsubjects:\n  - name: abcdefghijklmnopqrstuvwxyz012345\n" LAB_NODES
		"chaos_types:\n  - {type: latency, name: ABCDEFGHIJKLMNOPQRSTUVWXYZ012345, "
		"params: {min_ms: 1, max_ms: 2}}\n  - network_partition\n",
		NULL);

	assert_int_equal(plan->trial_count, 100000);
	assert_true(strlen(plan->trials[0].id) < 96);
	assert_true(strlen(plan->campaign_id) < 64);
	plan_drop(plan);
}

static void campaign_id(void **state)
{
	struct plan *plan = plan_of(LAB LATENCY, NULL);
	char hex[SHA256_HEX_SIZE], wanted[64];

	sha256_hex(hex, plan->canonical, strlen(plan->canonical));
	assert_string_equal(plan->hash, hex);
	snprintf(wanted, sizeof(wanted), "campaign-20231114T221320Z-%.8s", hex);
	assert_string_equal(plan->campaign_id, wanted);
	plan_drop(plan);
}

static void assert_hashes(const char *a, const char *b, int same)
{
	struct plan *x = plan_of(a, NULL), *y = plan_of(b, NULL);

	assert_int_equal(!strcmp(x->hash, y->hash), same);
	plan_drop(x);
	plan_drop(y);
}

static void hash_is_stable(void **state)
{
	/* If this hash changes, unfinished campaigns no longer resume: raise CANONICAL_FORMAT deliberately. */
	struct plan *plan = plan_of(LAB LATENCY, NULL);

	assert_string_equal(plan->hash, "793d475bb1897ec9cf873635ebc2ba5ac8a82f16afe3735860b641e23254bf00");
	plan_drop(plan);
	assert_hashes(LAB LATENCY, LAB LATENCY, 1);
	assert_hashes(LAB LATENCY, "name: x\nparallel: 1\ncooldown_seconds: 9\n" LAB LATENCY, 1);
	assert_hashes(LAB LATENCY, LAB "chaos_types:\n  - {type: latency, params: {min_ms: 1, max_ms: 3}}\n", 0);
	assert_hashes(LAB LATENCY, "seed: 4\n" LAB LATENCY, 0);
}

static void seeds(void **state)
{
	const uint64_t resumed = 99;
	struct plan *given = plan_of("seed: 7\ntrials_per_combination: 3\n" LAB LATENCY, NULL);
	struct plan *again = plan_of("seed: 7\ntrials_per_combination: 3\n" LAB LATENCY, &resumed);
	struct plan *drawn = plan_of("trials_per_combination: 3\n" LAB LATENCY, NULL);
	struct plan *redrawn = plan_of("trials_per_combination: 3\n" LAB LATENCY, NULL);
	struct plan *taken = plan_of("trials_per_combination: 3\n" LAB LATENCY, &resumed);

	assert_true(given->seed == 7 && again->seed == 7 && taken->seed == 99);
	assert_true(drawn->seed != redrawn->seed && drawn->seed <= INT64_MAX);
	assert_string_equal(drawn->hash, redrawn->hash);
	for (size_t i = 0; i < 3; i++) {
		assert_true(given->trials[i].seed == again->trials[i].seed);
		assert_true(given->trials[i].seed != taken->trials[i].seed);
		assert_true(given->trials[i].seed <= INT64_MAX);
		assert_true(given->trials[i].seed != given->trials[(i + 1) % 3].seed);
	}
	plan_drop(given);
	plan_drop(again);
	plan_drop(drawn);
	plan_drop(redrawn);
	plan_drop(taken);
}

static void draws(void **state)
{
	unsigned int counts[3] = {0}, agreements = 0;

	for (uint64_t seed = 0; seed < 3000; seed++) {
		size_t drawn = plan_draw(seed, 0, 3);

		assert_true(drawn < 3);
		assert_int_equal(drawn, plan_draw(seed, 0, 3));
		counts[drawn]++;
		agreements += drawn == plan_draw(seed, 1, 3);
	}
	/* 1000 ± 5 standard deviations. */
	for (size_t i = 0; i < 3; i++)
		assert_in_range(counts[i], 870, 1130);
	assert_in_range(agreements, 870, 1130);
	assert_int_equal(plan_draw(5, 0, 1), 0);
	assert_int_equal(plan_draw(5, 0, 0), 0);
}

static void placeholders(void **state)
{
	struct config *config = load_valid(
		"subjects:\n  - name: lab\n    reset: none\n    instances: 3\n    nodes:\n"
		"      - name: n1\n        address: ['10.{instance}.0.1', '10.{instance}.{instance}.2:2379']\n"
		"        netns: '{subject}{instance}-{node}'\n        interface: 'e{instance}'\n"
		"        data_dir: '/run/{subject}/{instance}/{node}'\n        cgroup: '/{node}'\n"
		"include_baseline: true\n");
	const struct subject *subject = &config->subjects[0];
	struct node node = {0};

	assert_int_equal(node_expand(&node, &subject->nodes[0], subject, 2, NULL), 0);
	assert_string_equal(node.name, "n1");
	assert_int_equal(node.addresses.count, 2);
	assert_string_equal(node.addresses.items[0], "10.2.0.1");
	assert_string_equal(node.addresses.items[1], "10.2.2.2:2379");
	assert_null(node.addresses.items[2]);
	assert_string_equal(node.netns, "lab2-n1");
	assert_string_equal(node.interface, "e2");
	assert_string_equal(node.data_dirs.items[0], "/run/lab/2/n1");
	assert_string_equal(node.cgroup, "/n1");
	node_clear(&node);
	assert_null(node.name);
	config_free(config);
}

static char *printed(const struct plan *plan)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	plan_print(plan, &(struct plan_view){.parallel = 3}, out);
	fclose(out);
	return text;
}

static void dry_run_shows_every_trial(void **state)
{
	struct plan *plan = plan_of("seed: 7\nname: x\ninclude_baseline: true\n"
				    "defaults: {duration_seconds: 0.1, expect: {availability_min: 0.9}}\n"
				    "subjects:\n  - name: lab\n" LAB_NODES
				    "chaos_types:\n  - {type: latency, name: slow, target: leader, "
				    "params: {min_ms: 0.1, max_ms: 2}}\n",
				    NULL);
	char *text = printed(plan);

	for (size_t i = 0; i < plan->trial_count; i++)
		assert_non_null(strstr(text, plan->trials[i].id));
	assert_non_null(strstr(text, "seed 7 (from the file)"));
	assert_non_null(strstr(text, "slow (latency) on leader"));
	assert_non_null(strstr(text, "min_ms=0.1 max_ms=2"));
	assert_non_null(strstr(text, "direction=egress"));
	assert_non_null(strstr(text, "duration=0.1"));
	assert_non_null(strstr(text, "availability_min=0.9"));
	assert_non_null(strstr(text, "reset      true"));
	assert_non_null(strstr(text, "none (baseline)"));
	free(text);
	plan_drop(plan);
}

static void not_fresh_is_said(void **state)
{
	struct plan *plan =
		plan_of("subjects:\n  - {name: s, reset: none, nodes: [{name: a}]}\ninclude_baseline: true\n", NULL);
	char *text = printed(plan);

	assert_non_null(strstr(text, "fresh: no"));
	free(text);
	plan_drop(plan);
}

static void json(void **state)
{
	struct plan *plan = plan_of("seed: 7\ninclude_baseline: true\n" LAB LATENCY, NULL);
	const bool runs[] = {true, true}, second[] = {false, true};
	json_t *object = plan_to_json(plan, &(struct plan_view){.runs = runs, .parallel = 3}),
	       *trials = json_object_get(object, "trials");
	json_t *baseline = json_array_get(trials, 0), *latency = json_array_get(trials, 1);

	assert_int_equal(json_array_size(trials), 2);
	assert_string_equal(json_string_value(json_object_get(object, "hash")), plan->hash);
	assert_int_equal(json_integer_at(object, "seed"), 7);
	assert_true(json_is_null(json_object_get(object, "label")));
	assert_true(json_is_true(json_object_get(baseline, "baseline")));
	assert_true(json_is_null(json_object_get(baseline, "params")));
	assert_true(json_is_null(json_object_get(baseline, "target")));
	assert_string_equal(json_string_value(json_object_get(latency, "id")), "trial-lab-latency-2");
	assert_string_equal(json_string_value(json_object_get(latency, "type")), "latency");
	assert_int_equal(json_integer_at(json_object_get(latency, "params"), "min_ms"), 1);
	assert_true(json_integer_at(latency, "seed") == (json_int_t)plan->trials[1].seed);
	assert_int_equal(json_integer_at(object, "parallel"), 3);
	json_decref(object);
	object = plan_to_json(plan, &(struct plan_view){.runs = second, .parallel = 1});
	trials = json_object_get(object, "trials");
	assert_int_equal(json_array_size(trials), 1);
	assert_int_equal(json_integer_at(object, "trial_count"), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(trials, 0), "id")), "trial-lab-latency-2");
	json_decref(object);
	plan_drop(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256),
		cmocka_unit_test(order_is_whole_rounds),
		cmocka_unit_test(ids_are_padded_to_the_plan),
		cmocka_unit_test(ids_fit_the_kernel_side),
		cmocka_unit_test(campaign_id),
		cmocka_unit_test(hash_is_stable),
		cmocka_unit_test(seeds),
		cmocka_unit_test(draws),
		cmocka_unit_test(placeholders),
		cmocka_unit_test(dry_run_shows_every_trial),
		cmocka_unit_test(not_fresh_is_said),
		cmocka_unit_test(json),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
