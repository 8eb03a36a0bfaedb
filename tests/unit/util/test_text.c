/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text that grows, near misses, control characters and UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/text.h"

static void test_append_stops_at_the_end(void **state)
{
	char out[8] = "";

	text_append(out, sizeof(out), "%s", "abc");
	text_append(out, sizeof(out), "%s%d", ", ", 1);
	assert_string_equal(out, "abc, 1");
	text_append(out, sizeof(out), "%s", "234");
	assert_string_equal(out, "abc, 12");
	text_append(out, sizeof(out), "%s", "more");
	assert_string_equal(out, "abc, 12");
}

static void test_plural(void **state)
{
	assert_string_equal(text_plural(0), "s");
	assert_string_equal(text_plural(1), "");
	assert_string_equal(text_plural(2), "s");
	assert_string_equal(text_plural(-1), "s");
}

static void test_nearest(void **state)
{
	static const char *const known[] = {"warmup_seconds", "duration_seconds", "retries", "target"};

	assert_string_equal(text_nearest("retrys", known, ARRAY_SIZE(known)), "retries");
	assert_string_equal(text_nearest("tagret", known, ARRAY_SIZE(known)), "target");
	assert_string_equal(text_nearest("warmup", known, ARRAY_SIZE(known)), "warmup_seconds");
	assert_null(text_nearest("colour", known, ARRAY_SIZE(known)));
	assert_null(text_nearest("", known, ARRAY_SIZE(known)));
}

static void test_names(void **state)
{
	assert_true(text_is_name("n1", 64));
	assert_true(text_is_name("a.b_c-d", 7));
	assert_false(text_is_name("a.b_c-d", 6));
	assert_false(text_is_name("", 64));
	assert_false(text_is_name("-n", 64));
	assert_false(text_is_name("a/b", 64));
}

static void test_control_characters(void **state)
{
	assert_false(text_has_control("plain, \xc3\xbc"));
	assert_true(text_has_control("a\tb"));
	assert_true(text_has_control("\x1b[2J"));
	assert_true(text_has_control("\x7f"));
	assert_true(text_has_control("\xc2\x9b"));
}

static void test_utf8(void **state)
{
	assert_int_equal(text_utf8_length("a", 1), 1);
	assert_int_equal(text_utf8_length("\xc3\xbc", 2), 2);
	assert_int_equal(text_utf8_length("\xe2\x82\xac", 3), 3);
	assert_int_equal(text_utf8_length("\xf0\x9f\x98\x80", 4), 4);
	/* Overlong, a surrogate, above U+10FFFF, cut off. */
	assert_int_equal(text_utf8_length("\xc0\x80", 2), 0);
	assert_int_equal(text_utf8_length("\xed\xa0\x80", 3), 0);
	assert_int_equal(text_utf8_length("\xf4\x90\x80\x80", 4), 0);
	assert_int_equal(text_utf8_length("\xe2\x82", 2), 0);
	assert_true(text_utf8_is_cut("\xe2\x82", 2));
	assert_false(text_utf8_is_cut("\xff", 1));
}

static void test_cut_is_not_inside_a_character(void **state)
{
	assert_int_equal(text_cut("abc", 5), 3);
	assert_int_equal(text_cut("abcdef", 5), 5);
	assert_int_equal(text_cut("abcd\xc3\xbc", 5), 4);
}

static void test_shortening_keeps_both_ends(void **state)
{
	static const struct {
		const char *text;
		size_t characters;
		const char *shortened;
	} cases[] = {
		{"abc", 3, "abc"},
		{"trial-lab-latency-0001", 12, "trial-..0001"},
		{"trial-lab-latency-0001", 2, ".."},
		{"trial-lab-latency-0001", 3, "..1"},
		{"\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x96\x81xyz", 6, "\xc3\xa4\xc3\xb6..yz"},
		{"", 2, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[32];

		snprintf(text, sizeof(text), "%s", cases[i].text);
		text_shorten(text, cases[i].characters);
		assert_string_equal(text, cases[i].shortened);
	}
}

static void test_characters(void **state)
{
	assert_int_equal(text_characters("a\xc3\xa4\xe2\x96\x81", 6), 3);
	assert_int_equal(text_start("a\xc3\xa4\xe2\x96\x81z", 2), 3);
	assert_int_equal(text_start("a\xc3\xa4\xe2\x96\x81z", 3), 6);
	assert_int_equal(text_start("ab", 5), 2);
	assert_int_equal(text_start("ab", 0), 0);
}

static void test_wrap(void **state)
{
	static const struct {
		const char *text;
		size_t width;
		const char *wrapped;
	} cases[] = {
		{"one two three", 0, "one two three"},
		{"one two three", 13, "one two three"},
		{"one two three", 12, "one two\n  three"},
		{"one two three", 7, "one two\n  three"},
		{"  one  two", 8, "  one\n    two"},
		{"a\n\n  b c d\n", 5, "a\n\n  b c\n    d\n"},
		{"a-very-long-word and", 6, "a-very-long-word\n  and"},
		{"and a-very-long-word", 8, "and a-very-long-word"},
		{"é é é é", 7, "é é é é"},
		{"", 5, ""},
		{"trailing  ", 9, "trailing"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *wrapped = text_wrap(cases[i].text, cases[i].width);

		assert_string_equal(wrapped, cases[i].wrapped);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append_stops_at_the_end),
		cmocka_unit_test(test_plural),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_cut_is_not_inside_a_character),
		cmocka_unit_test(test_shortening_keeps_both_ends),
		cmocka_unit_test(test_characters),
		cmocka_unit_test(test_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
