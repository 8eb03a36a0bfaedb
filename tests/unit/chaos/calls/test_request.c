/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests which calls and files a request is about: draws, counts, globs, errnos, and what excludes each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "chaos/calls/calls.h"
#include "util/cleanup.h"
#include "util/clock.h"

static size_t count_hits(const struct calls_request *request, uint64_t calls)
{
	uint64_t delay_ns;
	size_t hits = 0;

	for (uint64_t n = 0; n < calls; n++)
		hits += calls_draw(request, n, &delay_ns);
	return hits;
}

static void test_share_of_calls(void **state)
{
	struct calls_request request = {.percent = 100, .seed = 7};

	assert_int_equal(count_hits(&request, 1000), 1000);
	request.percent = 25;
	assert_in_range(count_hits(&request, 100000), 24500, 25500);
	request.percent = 0.1;
	assert_in_range(count_hits(&request, 100000), 60, 140);
}

static void test_every_and_first(void **state)
{
	struct calls_request every = {.every = 3, .percent = 100}, first = {.first = 2, .percent = 100};
	static const bool wanted_every[] = {false, false, true, false, false, true},
			  wanted_first[] = {true, true, false, false, false, false};
	uint64_t delay_ns;

	for (uint64_t n = 0; n < ARRAY_SIZE(wanted_every); n++) {
		assert_int_equal(calls_draw(&every, n, &delay_ns), wanted_every[n]);
		assert_int_equal(calls_draw(&first, n, &delay_ns), wanted_first[n]);
	}
}

static void test_delays_are_of_the_seed(void **state)
{
	struct calls_request request = {.min_ns = NSEC_PER_MSEC, .max_ns = 10 * NSEC_PER_SEC, .percent = 50, .seed = 1};
	struct calls_request other = request;
	uint64_t a_ns, b_ns, c_ns, same = 0, sum_ns = 0;

	other.seed = 2;
	for (uint64_t n = 0; n < 10000; n++) {
		assert_int_equal(calls_draw(&request, n, &a_ns), calls_draw(&request, n, &b_ns));
		calls_draw(&other, n, &c_ns);
		assert_int_equal(a_ns, b_ns);
		assert_in_range(a_ns, request.min_ns, request.max_ns);
		same += a_ns == c_ns;
		sum_ns += a_ns;
	}
	assert_true(same < 10);
	assert_in_range(sum_ns / 10000, 4800 * NSEC_PER_MSEC, 5200 * NSEC_PER_MSEC);
}

static void test_globs(void **state)
{
	static const struct {
		const char *glob, *path;
		bool matches;
	} cases[] = {
		{"*.log", "/data/a.log", true},
		{"*.log", "/data/deep/er/a.log", true},
		{"*.log", "/data/a.log.old", false},
		{"a.lo[fg]", "/data/a.log", true},
		{"wal/*", "/data/wal/1", true},
		{"wal/*", "/data/wal/1/2", false},
		{"wal/*", "/data/db/wal/1", false},
		{"*/wal/*", "/data/db/wal/1", true},
		{"db", "/data/db", true},
		/* Another mount namespace calls the folder by another path: the end decides. */
		{"wal/*", "/var/lib/tikv/wal/1", true},
		{"wal/*", "/var/lib/tikv/db/wal/1", true},
		{"wal/*", "/var/lib/tikv/walk/1", false},
		{"*.log", "/var/lib/tikv/a.log", true},
		/* A file that is gone, or has no path. */
		{"*", "", true},
		{"wal/*", "", false},
	};
	static const char *const roots[] = {"/other", "/data"};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *globs = json_pack("[s, s]", "nothing-like-it", cases[i].glob);

		if (calls_file_matches(globs, roots, ARRAY_SIZE(roots), cases[i].path) != cases[i].matches)
			fail_msg("%s on %s", cases[i].glob, cases[i].path);
	}
}

static void test_the_root_folder_itself(void **state)
{
	static const char *const root[] = {"/"};
	_cleanup_json_ json_t *globs = json_pack("[s]", "etc/*");

	assert_true(calls_file_matches(globs, root, 1, "/etc/passwd"));
	assert_false(calls_file_matches(globs, root, 1, "/srv/etc/passwd"));
}

static void test_errnos(void **state)
{
	for (size_t i = 0; calls_errnos[i]; i++) {
		int number = calls_errno(calls_errnos[i]);

		assert_string_equal(strerrorname_np(number), calls_errnos[i]);
		/* An answer has eight bits for it. */
		assert_in_range(number, 1, 255);
	}
	assert_int_equal(calls_errno("ENOENT"), 0);
	assert_int_equal(calls_errno(""), 0);
}

static void test_checks(void **state)
{
	static const struct {
		const char *params, *field, *text;
	} cases[] = {
		{"{}", NULL, NULL},
		{"{\"percent\": 0.5}", NULL, NULL},
		{"{\"percent\": 0}", "percent", "percent must be above 0"},
		{"{\"percent\": 5, \"every\": 2}", "every", "percent and every exclude each other"},
		{"{\"every\": 5, \"first\": 2}", "first", "every and first exclude each other"},
		{"{\"engine\": \"permission\", \"operation\": \"read\"}", NULL, NULL},
		{"{\"engine\": \"permission\", \"operation\": \"any\"}", "engine",
		 "engine: permission has reads only: it needs operation: read"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *params = json_loads(cases[i].params, 0, NULL);
		const char *field = NULL;
		struct error err = {};

		assert_int_equal(calls_check(params, &field, &err), cases[i].text ? -EINVAL : 0);
		assert_string_equal(err.text, cases[i].text ?: "");
		if (cases[i].field)
			assert_string_equal(field, cases[i].field);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_share_of_calls),
		cmocka_unit_test(test_every_and_first),
		cmocka_unit_test(test_delays_are_of_the_seed),
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_the_root_folder_itself),
		cmocka_unit_test(test_errnos),
		cmocka_unit_test(test_checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
