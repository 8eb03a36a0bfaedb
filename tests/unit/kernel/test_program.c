/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the names of programs: the first word says what a program does, on which "drops before delays" relies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <bpf/libbpf.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

static bool says_what_it_does(const char *name)
{
	static const char *const words[] = {"drop", "delay", "line", "learn", "probe"};
	size_t length = strcspn(name, "_");

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i]) == length && !strncmp(name, words[i], length))
			return true;
	return false;
}

static size_t check_object(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;
	size_t count = 0;

	assert_non_null(object);
	bpf_object__for_each_program(program, object)
	{
		enum bpf_prog_type type = bpf_program__type(program);

		if (type != BPF_PROG_TYPE_SCHED_CLS && type != BPF_PROG_TYPE_XDP)
			continue;
		if (!says_what_it_does(bpf_program__name(program)))
			fail_msg("%s: %s", path, bpf_program__name(program));
		/* The kernel keeps 15 characters of a name. */
		assert_in_range(strlen(bpf_program__name(program)), 1, 15);
		count++;
	}
	bpf_object__close(object);
	return count;
}

static void test_every_program_on_packets(void **state)
{
	const char *build = getenv("BUILD") ?: "build";
	size_t count = 0;
	glob_t found;
	char all[256];

	snprintf(all, sizeof(all), "%s/bpf/*.bpf.o", build);
	assert_int_equal(glob(all, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		count += check_object(found.gl_pathv[i]);
	globfree(&found);
	assert_in_range(count, 10, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_program_on_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
