/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A moment in a record: its text and its monotonic companion name the same moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/moment.h"

static uint64_t realtime_of(const char *text)
{
	struct tm tm = {};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	unsigned int micros = 0;

	assert_non_null(rest);
	assert_int_equal(sscanf(rest, ".%6uZ", &micros), 1);
	return (uint64_t)timegm(&tm) * NSEC_PER_SEC + micros * NSEC_PER_USEC;
}

static void test_set(void **state)
{
	_cleanup_json_ json_t *columns = json_object();

	assert_int_equal(moment_set(columns, "started_at", 1795470203123456789ULL, 42), 0);
	assert_string_equal(json_text_or(columns, "started_at", ""), "2026-11-23T21:43:23.123456Z");
	assert_int_equal(json_integer_at(columns, "started_at_monotonic_ns"), 42);
	assert_int_equal(json_object_size(columns), 2);
}

static void test_add_is_in_the_past(void **state)
{
	uint64_t now_ns = clock_monotonic_ns(), then_ns = now_ns - 5 * NSEC_PER_SEC;
	uint64_t from_ns = clock_realtime_ns() - 5 * NSEC_PER_SEC;
	_cleanup_json_ json_t *columns = json_object();
	uint64_t at_ns;

	moment_add(columns, "ended_at", then_ns);
	at_ns = realtime_of(json_text_or(columns, "ended_at", ""));
	assert_int_equal(json_integer_at(columns, "ended_at_monotonic_ns"), then_ns);
	/* The clocks are read one after the other, on a host that may be busy. */
	assert_in_range(at_ns, from_ns - NSEC_PER_SEC, from_ns + NSEC_PER_SEC);
}

static void test_now(void **state)
{
	_cleanup_json_ json_t *message = json_object();
	uint64_t before_ns = clock_monotonic_ns();

	moment_add_now(message);
	assert_in_range(json_integer_at(message, "monotonic_ns"), before_ns, clock_monotonic_ns());
	assert_true(realtime_of(json_text_or(message, "at", "")) <= clock_realtime_ns());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_add_is_in_the_past),
		cmocka_unit_test(test_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
