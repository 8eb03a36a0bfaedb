/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the table of chaos types: what every type must say of itself, and what kernel features are said to be used for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "chaos/type.h"
#include "util/cleanup.h"

static void test_every_type_is_whole(void **state)
{
	size_t count = 0;

	for (const struct chaos_ops *ops = chaos_next(NULL); ops; ops = chaos_next(ops)) {
		count++;
		assert_ptr_equal(chaos_of_kind((unsigned int)count), ops);
		assert_ptr_equal(chaos_find(ops->name), ops);
		assert_int_equal(ops->kind, count);
		assert_non_null(ops->summary);
		assert_non_null(ops->prepare);
		assert_non_null(ops->activate);
		assert_non_null(ops->renew);
		assert_non_null(ops->stop);
		assert_non_null(ops->revert);
		assert_non_null(ops->evidence);
		assert_non_null(ops->free);
		assert_non_null(ops->requires);
		assert_non_null(ops->verb);
		assert_non_null(ops->nothing);
		assert_non_null(ops->describe);
		assert_non_null(ops->live);
		for (const struct chaos_requirement *row = ops->requires; row->feature; row++) {
			assert_true(!row->param == !row->value);
			/* A misspelt param or value would never be needed. */
			if (row->param) {
				const struct chaos_field *field = chaos_field_find(ops, row->param);
				json_t *value = NULL;

				assert_non_null(field);
				assert_int_equal(chaos_field_parse(field, row->value, &value, NULL), 0);
				json_decref(value);
			}
		}
	}
	assert_int_equal(count, EVAL_KIND_COUNT - 1);
	assert_null(chaos_find("netem"));
	assert_non_null(chaos_find("disk_pressure"));
	assert_null(chaos_of_kind(0));
	assert_null(chaos_of_kind((unsigned int)count + 1));
	assert_null(chaos_of_kind(UINT32_MAX));
}

static void test_uses_of_features(void **state)
{
	static const struct {
		enum feature_id feature;
		const char *uses;
	} wanted[] = {
		{FEATURE_BTF, "every engine"},
		{FEATURE_TCX, "latency, network_partition"},
		{FEATURE_CLSACT, "latency, network_partition where there is no tcx"},
		{FEATURE_XDP_LINK, "network_partition with engine: xdp"},
		{FEATURE_TAP, "latency with line: tap"},
		{FEATURE_SCH_FQ, "latency with line: fq"},
		{FEATURE_FMOD_RET, "disk_pressure with engine: hook, io_error with engine: bpf"},
		{FEATURE_GROWTH, "disk_pressure with engine: hook: overwriting goes on on a full disk"},
		{FEATURE_STATFS, "disk_pressure with engine: hook: df tells what is left"},
		{FEATURE_PRECONTENT, "disk_pressure with engine: precontent, disk_latency with engine: precontent or "
				     "operation: any or operation: write, io_error with engine: precontent, "
				     "io_hang with engine: precontent or operation: any or operation: write"},
	};
	char uses[512];

	assert_int_equal(ARRAY_SIZE(wanted), FEATURE_COUNT);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		chaos_feature_uses(uses, sizeof(uses), wanted[i].feature);
		assert_string_equal(uses, wanted[i].uses);
	}
}

static void test_descriptions(void **state)
{
	static const struct {
		const char *type, *evidence, *text;
	} cases[] = {
		{"latency", "{\"hit\": 3, \"seen\": 9, \"bytes\": 180}", "3 of 9 packets hit (180 bytes)"},
		{"network_partition", "{}", "0 of 0 packets hit (0 bytes)"},
		{"disk_pressure", "{\"hit\": 5, \"seen\": 9, \"bytes\": 180, \"statfs_shrunk\": 2, \"refused\": {}}",
		 "3 of 9 calls refused (180 bytes), 2 answers of statfs shrunk"},
		{"disk_pressure", "{\"hit\": 1, \"seen\": 1, \"bytes\": 4096}", "4096 bytes taken on 1 file system(s)"},
		{"disk_throttle",
		 "{\"hit\": 4, \"seen\": 9, \"bytes\": 512, \"limited_seconds\": 2.0, \"disks\": [{\"disk\": \"vda\", "
		 "\"done\": {\"read_bytes\": 20, \"write_bytes\": 1024}}]}",
		 "4 of 9 reads and writes at a limit (512 bytes); vda: 10 bytes/s read, 512 written"},
		{"io_error",
		 "{\"hit\": 1, \"seen\": 2, \"bytes\": 4096, \"applied\": {\"count\": 0, \"mean_us\": null}}",
		 "1 of 2 calls hit (4096 bytes)"},
		{"disk_stall", "{\"hit\": 2, \"seen\": 2, \"bytes\": 9, \"applied\": {\"mean_us\": 200000.0}}",
		 "2 of 2 calls hit (9 bytes), held for 200.0 ms on average"},
		{"disk_latency", "{\"hit\": 1, \"seen\": 2, \"bytes\": 9, \"applied\": {\"mean_us\": 20040.0}}",
		 "1 of 2 calls hit (9 bytes), held for 20.0 ms on average"},
	};
	char text[256];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *evidence = json_loads(cases[i].evidence, 0, NULL);

		chaos_find(cases[i].type)->describe(text, sizeof(text), evidence);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_type_is_whole),
		cmocka_unit_test(test_uses_of_features),
		cmocka_unit_test(test_descriptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
