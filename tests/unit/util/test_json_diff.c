/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the differences between two JSON values: their paths and named elements. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/json_diff.h"

static void add(const char *path, const json_t *before, const json_t *after, void *data)
{
	_cleanup_free_ char *old = before ? json_dumps(before, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	_cleanup_free_ char *new = after ? json_dumps(after, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	fprintf(data, "%s:%s>%s;", path, old ? old : "-", new ? new : "-");
}

static void assert_diff(const char *before_text, const char *after_text, size_t count, const char *wanted)
{
	_cleanup_json_ json_t *before = json_loads(before_text, JSON_DECODE_ANY, NULL);
	_cleanup_json_ json_t *after = json_loads(after_text, JSON_DECODE_ANY, NULL);
	_cleanup_free_ char *found = NULL;
	size_t size;
	FILE *out = open_memstream(&found, &size);

	assert_non_null(before);
	assert_non_null(after);
	assert_int_equal(json_diff(before, after, add, out), count);
	fclose(out);
	assert_string_equal(found, wanted);
}

static void test_paths(void **state)
{
	assert_diff("{\"a\":1}", "{\"a\":1}", 0, "");
	assert_diff("{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":1,\"c\":3}}", 1, "a.c:2>3;");
	assert_diff("{\"a\":1}", "{\"b\":2}", 2, "a:1>-;b:->2;");
	assert_diff("{\"a\":[1,2]}", "{\"a\":[1,3,4]}", 2, "a[1]:2>3;a[2]:->4;");
	assert_diff("{\"a\":1}", "{\"a\":\"1\"}", 1, "a:1>\"1\";");
}

static void test_named_elements(void **state)
{
	/* A new first element does not make the other elements differ. */
	assert_diff("{\"s\":[{\"name\":\"x\",\"v\":1},{\"name\":\"y\",\"v\":2}]}",
		    "{\"s\":[{\"name\":\"w\"},{\"name\":\"x\",\"v\":1},{\"name\":\"y\",\"v\":3}]}", 2,
		    "s[y].v:2>3;s[w]:->{\"name\":\"w\"};");
	/* A changed order counts as one difference. */
	assert_diff("{\"s\":[{\"name\":\"x\"},{\"name\":\"y\"}]}", "{\"s\":[{\"name\":\"y\"},{\"name\":\"x\"}]}", 1,
		    "s:[{\"name\":\"x\"},{\"name\":\"y\"}]>[{\"name\":\"y\"},{\"name\":\"x\"}];");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_named_elements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
