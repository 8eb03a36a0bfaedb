/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests what chaos types did over their trials. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdbool.h>

#include "analysis/effects.h"
#include "util/cleanup.h"
#include "util/json.h"

static void add(json_t *trials, const char *chaos, const char *verdict, double p50_ms)
{
	json_array_append_new(trials,
			      json_pack("{s:s, s:s, s:b, s:s, s:s, s:{s:{s:{s:{s:f}, s:{s:f, s:f, s:n}}}, s:f}}",
					"subject", "lab", "chaos", chaos, "baseline", 0, "status", "completed",
					"verdict", verdict, "summary", "probes", "put", "before", "p50_ms", 2.0,
					"during", "p50_ms", p50_ms, "availability", 0.5, "p99_ms", "recovery_seconds",
					p50_ms / 100));
}

static void assert_range(const json_t *effect, const char *key, double wanted_least, double wanted_most)
{
	double least, most;

	assert_true(effects_range(effect, key, &least, &most));
	assert_true(least == wanted_least && most == wanted_most);
}

static void test_effects(void **state)
{
	_cleanup_json_ json_t *trials = json_array(), *effects = NULL;
	const json_t *slow, *bare;
	double least, most;

	add(trials, "slow", "pass", 100);
	add(trials, "cut", "pass", 7);
	add(trials, "slow", "fail", 300);
	add(trials, "slow", "inconclusive", 200);
	json_array_append_new(trials, json_pack("{s:s, s:s, s:b, s:s}", "subject", "lab", "chaos", "slow", "baseline",
						0, "status", "failed"));
	effects = effects_make(trials);
	assert_int_equal(json_array_size(effects), 3);
	slow = json_array_get(effects, 0);
	assert_string_equal(json_text_or(slow, "chaos", ""), "slow");
	assert_string_equal(json_text_or(slow, "probe", ""), "put");
	assert_int_equal(json_integer_at(slow, "trials"), 3);
	assert_int_equal(json_integer_at(slow, "passed"), 2);
	assert_range(slow, "p50_ms", 100, 300);
	assert_range(slow, "before_p50_ms", 2, 2);
	assert_range(slow, "availability", 0.5, 0.5);
	assert_range(slow, "recovery_seconds", 1, 3);
	assert_false(effects_range(slow, "p99_ms", &least, &most));
	assert_range(json_array_get(effects, 1), "p50_ms", 7, 7);
	/* A trial without samples is told by itself. */
	bare = json_array_get(effects, 2);
	assert_true(json_is_null(json_object_get(bare, "probe")));
	assert_int_equal(json_integer_at(bare, "trials"), 1);
	assert_int_equal(json_integer_at(bare, "passed"), 0);
	assert_true(json_is_null(json_object_get(bare, "p50_ms")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_effects)};

	return cmocka_run_group_tests_name("effects", tests, NULL, NULL);
}
