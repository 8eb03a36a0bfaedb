/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the fast reader of JSON: it agrees with jansson, or leaves the text to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/json_plain.h"

#define DOCUMENT \
	"{\"probes\": {\"put\": {\"before\": {\"count\": 120, \"p50_ms\": 2.125, \"p99_ms\": null}, \"errors\": " \
	"[{\"text\": \"exit 1: \\\"no\\\"\", \"count\": 3}]}}, \"low\": -1.5e-3, \"all\": [true, false, [], {}], " \
	"\"name\": \"a b\"}"

static json_t *read_by_both(const char *text, size_t size)
{
	json_t *plain = json_plain(text, size, NULL);
	_cleanup_json_ json_t *whole = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	if (plain && !(whole && json_equal(plain, whole)))
		fail_msg("it is not what jansson reads: %s", text);
	return plain;
}

static void what_is_plain(void **state)
{
	static const char *const texts[] = {
		"{}",          "[]",          " [ 1 , 2 ]\n",
		"0",           "-0",          "-12",
		"1.50",        "1e3",         "1E-3",
		"true",        "null",        "\"\"",
		"\"a\"",       "{\"\": 1}",   "{\"a\": 1, \"a\": 2}",
		"[[[[1]]]]",   "\"\x7f\"",    "123456789012345678",
		"-1.5",        "[1.0]",       "{\"a\":{\"b\":[]}}",
		"[null,null]", "[0.1,-0.25]", "\t{\"a\"\r\n:1}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_json_ json_t *value = read_by_both(texts[i], strlen(texts[i]));

		if (!value)
			fail_msg("not read: %s", texts[i]);
	}
}

static void what_is_left_to_jansson(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"{",
		"[1",
		"[1,]",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{a:1}",
		"01",
		"-",
		"1.",
		".5",
		"1e",
		"+1",
		"1e999",
		"nul",
		"nulls",
		"\"a",
		"\"\n\"",
		"\"\\n\"",
		"\"\xc3\xbc\"",
		"NaN",
		"0x10",
		"[1]]",
		"{} {}",
		"[1 2]",
		"}",
		"12345678901234567890",
		"Infinity",
		"'a'",
		"\"\\\"",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_null(read_by_both(texts[i], strlen(texts[i])));
	assert_null(json_plain("[1]\0", 4, NULL));
}

static void depth_is_limited(void **state)
{
	_cleanup_json_ json_t *shallow = NULL;
	char text[2001];

	memset(text, '[', 1000);
	memset(text + 1000, ']', 1000);
	text[2000] = '\0';
	assert_null(json_plain(text, 2000, NULL));
	text[1010] = '\0';
	shallow = read_by_both(text + 990, 20);
	assert_non_null(shallow);
}

static void members_are_left_out(void **state)
{
	static const char *const names[] = {"errors", "low", "all", NULL};
	_cleanup_json_ json_t *value = json_plain(DOCUMENT, strlen(DOCUMENT), names);
	_cleanup_json_ json_t *wanted = json_loads("{\"probes\": {\"put\": {\"before\": {\"count\": 120, \"p50_ms\": "
						   "2.125, \"p99_ms\": null}}}, \"name\": \"a b\"}",
						   0, NULL);

	assert_true(json_equal(value, wanted));
	/* The escapes in "errors" are no reason to leave the text to jansson, unless they are wanted. */
	assert_null(json_plain(DOCUMENT, strlen(DOCUMENT), NULL));
	assert_null(json_plain("{\"low\": \"\\", 9, names));
	assert_null(json_plain("{\"low\": \"a", 10, names));
	assert_null(json_plain("{\"low\": [[", 10, names));
}

/* Each byte in turn is replaced by each of these, and the text is cut off there. */
static void damaged_text(void **state)
{
	static const char bytes[] = "\0\"\\{}[],:-+.eE019 ntf\xc3\x1f";
	char text[] = "{\"a\": {\"b\": [1, -2.5e1, \"c\", null, true]}, \"d\": {}}";

	for (size_t i = 0; i + 1 < sizeof(text); i++) {
		char kept = text[i];

		for (size_t j = 0; j + 1 < sizeof(bytes); j++) {
			text[i] = bytes[j];
			json_decref(read_by_both(text, sizeof(text) - 1));
			json_decref(json_plain(text, sizeof(text) - 1, (const char *const[]){"a", NULL}));
		}
		text[i] = '\0';
		json_decref(read_by_both(text, i));
		text[i] = kept;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_plain),    cmocka_unit_test(what_is_left_to_jansson),
		cmocka_unit_test(depth_is_limited), cmocka_unit_test(members_are_left_out),
		cmocka_unit_test(damaged_text),
	};

	return cmocka_run_group_tests_name("json_plain", tests, NULL, NULL);
}
