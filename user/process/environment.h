/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a command of the campaign file finds in its environment. */
#pragma once

#include "util/error.h"

/* NULL: the variable is absent. */
struct environment_values {
	unsigned int instance;
	const char *campaign, *trial, *subject, *target, *phase;
	const char *scope; /* see process/scope.h */
};

/* Our own environment with EVAL_INSTANCE … EVAL_PHASE as given; one block, to be freed. NULL: no memory. */
char **environment_build(const struct environment_values *values);
