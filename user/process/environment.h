/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The environment of the campaign file's commands. */
#pragma once

#include "util/error.h"

/* NULL leaves the variable unset. */
struct environment_values {
	unsigned int instance;
	const char *campaign, *trial, *subject, *target, *phase;
	const char *scope; /* see process/scope.h */
};

/* Our own environment with EVAL_INSTANCE … EVAL_PHASE set; one block, to be freed. NULL if out of memory. */
char **environment_build(const struct environment_values *values);
