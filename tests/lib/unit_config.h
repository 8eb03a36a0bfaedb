/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Loads a campaign file from text, in a temporary folder. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/load.h"

struct loaded {
	struct config *config; /* NULL: refused */
	char *problems;
	int code;
};

static inline struct loaded load_text(const char *text)
{
	char folder[] = "/tmp/eval-config.XXXXXX", path[64];
	struct loaded loaded = {0};
	struct error err = {0};
	size_t size;
	FILE *problems = open_memstream(&loaded.problems, &size), *file;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/c.yaml", folder);
	file = fopen(path, "w");
	fputs(text, file);
	fchmod(fileno(file), 0644);
	fclose(file);
	loaded.code = config_load(&loaded.config, path, CONFIG_TO_RUN, problems, &err);
	fclose(problems);
	unlink(path);
	rmdir(folder);
	return loaded;
}

static inline void loaded_free(struct loaded *loaded)
{
	config_free(loaded->config);
	free(loaded->problems);
}

static inline struct config *load_valid(const char *text)
{
	struct loaded loaded = load_text(text);

	if (loaded.code)
		fail_msg("refused: %s", loaded.problems);
	free(loaded.problems);
	return loaded.config;
}

/* Asserts that there is no error and no warning. */
static inline void assert_accepted(const char *text)
{
	struct loaded loaded = load_text(text);

	assert_string_equal(loaded.problems, "");
	assert_int_equal(loaded.code, 0);
	loaded_free(&loaded);
}

/* Asserts that the only message is the file's path and then problem: "LINE:COLUMN: error: what". */
static inline void assert_one_problem(const char *text, int code, const char *problem)
{
	struct loaded loaded = load_text(text);
	const char *said = strstr(loaded.problems, ".yaml:");

	assert_int_equal(loaded.code, code);
	assert_non_null(said);
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
	said += strlen(".yaml:");
	if (strncmp(said, problem, strlen(problem)))
		fail_msg("said: %swanted: %s", said, problem);
	loaded_free(&loaded);
}

static inline void assert_refused(const char *text, const char *problem)
{
	assert_one_problem(text, -EINVAL, problem);
}

/* Asserts that it is refused, and that this is among the messages. */
static inline void assert_refused_for(const char *text, const char *problem)
{
	struct loaded loaded = load_text(text);

	assert_int_equal(loaded.code, -EINVAL);
	if (!strstr(loaded.problems, problem))
		fail_msg("said: %swanted: %s", loaded.problems, problem);
	loaded_free(&loaded);
}

/* Three nodes and their defaults, to which a test adds its own lines. */
#define LAB_MEMBERS \
	"    reset: 'true'\n    roles: echo n1\n    nodes:\n" \
	"      - {name: n1, address: '10.77.{instance}.1'}\n      - {name: n2, address: '10.77.{instance}.2'}\n" \
	"      - {name: n3, address: '10.77.{instance}.3'}\n"
#define LAB_NODES "    probes: [{name: p, exec: 'true'}]\n" LAB_MEMBERS
#define LAB "subjects:\n  - name: lab\n" LAB_NODES
#define LATENCY "chaos_types:\n  - {type: latency, params: {min_ms: 1, max_ms: 2}}\n"
