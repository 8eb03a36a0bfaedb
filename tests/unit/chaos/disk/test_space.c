/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests how full a disk is reported to be, and which requests are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "chaos/disk/disk.h"
#include "chaos/type.h"

static uint64_t reserve(double percent, uint64_t leave, uint64_t available)
{
	struct disk_request request = {.fill_percent = percent, .leave_bytes = leave};
	uint64_t reserved = UINT64_MAX;
	struct error err = {};

	assert_int_equal(disk_reserve(&reserved, &request, available, "/data", &err), 0);
	return reserved;
}

static void reserve_is_of_what_is_available(void **state)
{
	assert_int_equal(reserve(90, 0, 1000), 900);
	assert_int_equal(reserve(100, 0, 123456789), 123456789);
	assert_int_equal(reserve(0.5, 0, 1000000), 5000);
	assert_int_equal(reserve(90, 0, 0), 0);
	assert_int_equal(reserve(100, 0, 1ULL << 50), 1ULL << 50);
	assert_int_equal(reserve(NAN, 0, 1000), 1000);
	assert_int_equal(reserve(NAN, 300, 1000), 700);
	assert_int_equal(reserve(NAN, 1000, 1000), 0);
}

static void more_than_there_is_cannot_stay(void **state)
{
	struct disk_request request = {.fill_percent = NAN, .leave_bytes = 1001};
	uint64_t reserved = 7;
	struct error err = {};

	assert_int_equal(disk_reserve(&reserved, &request, 1000, "/data", &err), -EINVAL);
	assert_int_equal(reserved, 7);
	assert_non_null(strstr(err.text, "leave_bytes is 1001, but only 1000 bytes are available at /data"));
}

/* Returns check()'s code for the defaults with these params; *field is the blamed field. */
static int check(json_t *params, const char **field)
{
	const struct chaos_ops *ops = chaos_find("disk_pressure");
	json_t *effective = chaos_defaults(ops);
	struct error err = {};
	int ret;

	json_object_update_new(effective, params);
	ret = ops->check(effective, field, &err);
	assert_true(!ret == !*err.text);
	json_decref(effective);
	return ret;
}

static void one_amount_is_needed(void **state)
{
	const char *field = "";

	assert_int_equal(check(json_pack("{s:f}", "fill_percent", 100.0), &field), 0);
	assert_int_equal(check(json_pack("{s:i}", "leave_bytes", 0), &field), 0);
	assert_int_equal(check(json_object(), &field), -EINVAL);
	assert_null(field);
	assert_int_equal(check(json_pack("{s:i}", "fill_percent", 0), &field), -EINVAL);
	assert_string_equal(field, "fill_percent");
	assert_int_equal(check(json_pack("{s:i, s:i}", "fill_percent", 5, "leave_bytes", 5), &field), -EINVAL);
	assert_string_equal(field, "fill_percent");
}

static void a_filled_disk_has_no_options(void **state)
{
	const char *field = NULL;

	assert_int_equal(check(json_pack("{s:i, s:s}", "fill_percent", 5, "engine", "fill"), &field), 0);
	assert_int_equal(check(json_pack("{s:i, s:s, s:s}", "fill_percent", 5, "engine", "fill", "errno", "EIO"),
			       &field),
			 -EINVAL);
	assert_string_equal(field, "errno");
	assert_int_equal(check(json_pack("{s:i, s:s, s:s}", "fill_percent", 5, "engine", "fill", "statfs", "off"),
			       &field),
			 -EINVAL);
	assert_string_equal(field, "statfs");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reserve_is_of_what_is_available),
		cmocka_unit_test(more_than_there_is_cannot_stay),
		cmocka_unit_test(one_amount_is_needed),
		cmocka_unit_test(a_filled_disk_has_no_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
