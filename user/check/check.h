/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What only the live host can tell of a plan, before anything is injected. All findings are logged in one go; what
 * holds only after a subject's reset is not looked at, which is said.
 */
#pragma once

#include <stdbool.h>

#include "kernel/features.h"
#include "plan/plan.h"

struct check {
	const struct plan *plan;
	const bool *runs;     /* per trial of the plan; NULL: all */
	const char *database; /* its path; NULL: not checked */
	bool tells_unchecked; /* log what could not be looked at before a reset */
	/* Set by check_host: */
	size_t errors, warnings;
	bool disk_is_full; /* the database's; one of the errors */
	bool has_features; /* some trial has chaos, and the kernel was asked */
	struct feature features[FEATURE_COUNT];
};

/* Call from the host's own network namespace, as root. Runs `ready` and the probes of subjects that are never reset. */
void check_host(struct check *check);
