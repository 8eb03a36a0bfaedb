/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the environment of the campaign file's commands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "process/environment.h"
#include "process/scope.h"
#include "util/cleanup.h"

/* Counts the variables with that name; *value is the value of the last. */
static size_t count_of(char *const *environment, const char *name, const char **value)
{
	size_t length = strlen(name), count = 0;

	*value = NULL;
	for (size_t i = 0; environment[i]; i++) {
		if (strncmp(environment[i], name, length) || environment[i][length] != '=')
			continue;
		*value = environment[i] + length + 1;
		count++;
	}
	return count;
}

static void assert_variable(char *const *environment, const char *name, const char *wanted)
{
	const char *value;

	assert_int_equal(count_of(environment, name, &value), wanted ? 1 : 0);
	if (wanted)
		assert_string_equal(value, wanted);
}

static int empty_environment(void **state)
{
	static char *nothing[] = {NULL};

	environ = nothing;
	return 0;
}

static void all_values(void **state)
{
	struct environment_values values = {
		.instance = 4294967295,
		.campaign = "campaign-1",
		.trial = "trial-lab-latency-02",
		.subject = "lab",
		.target = "n1,n2",
		.phase = "hold",
		.scope = "eval-1",
	};
	_cleanup_free_ char **environment = NULL;

	setenv("PATH", "/bin", 1);
	environment = environment_build(&values);
	assert_non_null(environment);
	assert_variable(environment, "PATH", "/bin");
	assert_variable(environment, "EVAL_INSTANCE", "4294967295");
	assert_variable(environment, "EVAL_CAMPAIGN", "campaign-1");
	assert_variable(environment, "EVAL_TRIAL", "trial-lab-latency-02");
	assert_variable(environment, "EVAL_SUBJECT", "lab");
	assert_variable(environment, "EVAL_TARGET", "n1,n2");
	assert_variable(environment, "EVAL_PHASE", "hold");
	assert_variable(environment, SCOPE_VARIABLE, "eval-1");
}

/* eval may run inside a command of another eval. */
static void the_outer_ones_are_gone(void **state)
{
	struct environment_values values = {.campaign = "inner"};
	_cleanup_free_ char **environment = NULL;

	setenv("EVAL_CAMPAIGN", "outer", 1);
	setenv("EVAL_TARGET", "outer", 1);
	setenv("EVAL_INSTANCE", "7", 1);
	setenv(SCOPE_VARIABLE, "outer", 1);
	/* Similar names that are not eval's own. */
	setenv("EVAL_TARGETS", "mine", 1);
	setenv("EVAL_PHAS", "mine", 1);
	setenv("EVAL_DB", "", 1);
	environment = environment_build(&values);
	assert_non_null(environment);
	assert_variable(environment, "EVAL_CAMPAIGN", "inner");
	assert_variable(environment, "EVAL_INSTANCE", "0");
	assert_variable(environment, "EVAL_TARGET", NULL);
	assert_variable(environment, "EVAL_PHASE", NULL);
	assert_variable(environment, SCOPE_VARIABLE, NULL);
	assert_variable(environment, "EVAL_TARGETS", "mine");
	assert_variable(environment, "EVAL_PHAS", "mine");
	assert_variable(environment, "EVAL_DB", "");
	/* This process's environment is unchanged. */
	assert_string_equal(getenv("EVAL_CAMPAIGN"), "outer");
}

static void an_empty_value_is_no_absent_one(void **state)
{
	struct environment_values values = {.target = "", .phase = "reset"};
	_cleanup_free_ char **environment = environment_build(&values);
	size_t count = 0;

	assert_non_null(environment);
	assert_variable(environment, "EVAL_TARGET", "");
	assert_variable(environment, "EVAL_PHASE", "reset");
	while (environment[count])
		count++;
	assert_int_equal(count, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(all_values, empty_environment),
		cmocka_unit_test_setup(the_outer_ones_are_gone, empty_environment),
		cmocka_unit_test_setup(an_empty_value_is_no_absent_one, empty_environment),
	};

	/* Which the tests take from the environment, as any. */
	if (getenv("CMOCKA_MESSAGE_OUTPUT"))
		cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
