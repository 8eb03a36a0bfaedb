/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The command line of `eval inject TYPE`. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "chaos/type.h"
#include "cli/inject_target.h"

struct inject_options {
	const struct chaos_ops *ops; /* set by the caller; its fields become options */
	json_t *params;              /* effective; freed by the caller */
	struct inject_where where;
	double seconds;
	uint64_t seed;
	bool seed_given, json;
	FILE *problems; /* while parsing: a line per problem; NULL: none */
	char *problem_text;
	size_t problem_size;
};

/* Sets everything but ops. Returns an exit code, having logged what is missing; a wrong option exits the process. */
int inject_options_parse(struct inject_options *options, int argc, char **argv);
