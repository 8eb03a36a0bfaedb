/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests JSON pointers, with the examples of RFC 6901. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "util/cleanup.h"
#include "util/json.h"

static void pointers_lead_to_values(void **state)
{
	static const struct {
		const char *pointer, *value; /* NULL: nothing */
	} cases[] = {
		{"/foo", "[\"bar\",\"baz\"]"},
		{"/foo/0", "\"bar\""},
		{"/", "0"},
		{"/a~1b", "1"},
		{"/c%d", "2"},
		{"/e^f", "3"},
		{"/ ", "7"},
		{"/m~0n", "8"},
		{"/deep/1/x", "null"},
		{"/foo/2", NULL},
		{"/foo/00", NULL},
		{"/foo/-", NULL},
		{"/foo/0/0", NULL},
		{"/foo/99999999999999999999999", NULL},
		{"/none", NULL},
		{"/foo/", NULL},
		{"foo", NULL},
	};
	_cleanup_json_ json_t *document = json_loads("{\"foo\": [\"bar\", \"baz\"], \"\": 0, \"a/b\": 1, \"c%d\": 2, "
						     "\"e^f\": 3, \" \": 7, \"m~n\": 8, \"deep\": [1, {\"x\": null}]}",
						     0, NULL);

	assert_ptr_equal(json_at_pointer(document, ""), document);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const json_t *value = json_at_pointer(document, cases[i].pointer);
		_cleanup_free_ char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

		if (!cases[i].value)
			assert_null(value);
		else
			assert_string_equal(text, cases[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pointers_lead_to_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
