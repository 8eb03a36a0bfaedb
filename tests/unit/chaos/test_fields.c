/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the table of chaos types and the parameters of the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "chaos/type.h"

static json_t *parse(const char *type, const char *field, const char *text)
{
	json_t *value = NULL;
	struct error err = {};

	if (chaos_field_parse(chaos_field_find(chaos_find(type), field), text, &value, &err)) {
		assert_int_equal(err.code, -EINVAL);
		assert_true(strlen(err.text) > 0);
		assert_null(value);
		return NULL;
	}
	return value;
}

static void assert_refused(const char *type, const char *field, const char *text)
{
	json_t *value = parse(type, field, text);

	if (value)
		fail_msg("%s %s took '%s'", type, field, text);
}

static void table_is_complete(void **state)
{
	for (const struct chaos_ops *ops = chaos_next(NULL); ops; ops = chaos_next(ops)) {
		for (const struct chaos_field *field = ops->fields; field->name; field++) {
			assert_non_null(field->help);
			assert_true(field->type != FIELD_CHOICE || field->choices);
			if (field->fallback) {
				json_t *value = json_loads(field->fallback, JSON_DECODE_ANY, NULL);

				assert_non_null(value);
				json_decref(value);
			}
		}
	}
}

static void numbers_are_exact(void **state)
{
	json_t *half = parse("latency", "min_ms", "0.5");

	assert_true(json_real_value(half) == 0.5);
	json_decref(half);
	assert_refused("latency", "min_ms", "50ms");
	assert_refused("latency", "min_ms", "-1");
	assert_refused("latency", "min_ms", "10000.1");
	assert_refused("latency", "min_ms", "nan");
	assert_refused("latency", "min_ms", "inf");
	assert_refused("latency", "min_ms", "0x1");
	assert_refused("latency", "min_ms", "");
}

static void choices_and_lists(void **state)
{
	json_t *ports = parse("latency", "ports", "2379,2380,20160-20170");
	json_t *direction = parse("latency", "direction", "both");

	assert_int_equal(json_array_size(ports), 3);
	assert_int_equal(json_integer_value(json_array_get(ports, 1)), 2380);
	assert_string_equal(json_string_value(json_array_get(ports, 2)), "20160-20170");
	assert_string_equal(json_string_value(direction), "both");
	json_decref(ports);
	json_decref(direction);
	assert_refused("latency", "direction", "up");
	direction = parse("latency", "direction", "in");
	assert_string_equal(json_string_value(direction), "ingress");
	json_decref(direction);
	direction = parse("network_partition", "direction", "egress");
	assert_string_equal(json_string_value(direction), "out");
	json_decref(direction);
	assert_refused("latency", "ports", "0");
	assert_refused("latency", "ports", "65536");
	assert_refused("latency", "ports", "80;81");
	assert_refused("latency", "ports", "");
	assert_refused("latency", "ports", "80,");
	assert_refused("latency", "ports", "-80");
	assert_refused("latency", "ports", " 80");
	assert_refused("latency", "ports", "80-");
	assert_refused("latency", "ports", "81-80");
	assert_refused("latency", "ports", "80-80");
	assert_refused("latency", "ports", "1-65536");
	assert_refused("latency", "ports", "1-2-3");
	assert_refused("latency", "ports", "80,,81");
	/* 2^32 + 80, and 2^64 + 80. */
	assert_refused("latency", "ports", "4294967376");
	assert_refused("latency", "ports", "18446744073709551696");
	assert_refused("latency", "ports", "80-4294967377");
	assert_refused("latency", "reorder", "yes");
	assert_refused("network_partition", "peers", "10.0.0.1");
}

static int check(const char *type, json_t *params, const char **field)
{
	const struct chaos_ops *ops = chaos_find(type);
	json_t *effective = chaos_defaults(ops);
	struct error err = {};
	int ret;

	json_object_update_new(effective, params);
	ret = ops->check(effective, field, &err);
	json_decref(effective);
	return ret;
}

static void fields_are_checked_against_each_other(void **state)
{
	const char *field = NULL;

	assert_int_equal(check("latency", json_pack("{s:f, s:f}", "min_ms", 1.5, "max_ms", 1.5), &field), 0);
	assert_int_equal(check("latency", json_pack("{s:f, s:f}", "min_ms", 2.0, "max_ms", 1.5), &field), -EINVAL);
	assert_string_equal(field, "min_ms");
	assert_int_equal(check("network_partition", json_pack("{s:s}", "engine", "xdp"), &field), 0);
	assert_int_equal(check("network_partition", json_pack("{s:s, s:s}", "engine", "xdp", "direction", "out"),
			       &field),
			 -EINVAL);
	assert_string_equal(field, "engine");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_complete),
		cmocka_unit_test(numbers_are_exact),
		cmocka_unit_test(choices_and_lists),
		cmocka_unit_test(fields_are_checked_against_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
