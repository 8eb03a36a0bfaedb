/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The command line of `eval inject TYPE`. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "chaos/type.h"
#include "cli/inject_target.h"

struct inject_options {
	const struct chaos_ops *ops; /* set by the caller: its fields are options, too */
	json_t *params;              /* effective; freed by the caller */
	struct inject_where where;
	double seconds;
	uint64_t seed;
	bool seed_given, json;
};

/* Sets all but ops. An exit code after printing why not; a wrong option ends the process. */
int inject_options_parse(struct inject_options *options, int argc, char **argv);
