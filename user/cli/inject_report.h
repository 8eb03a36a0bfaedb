/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The output of `eval inject`: text for people, or one JSON event per line. */
#pragma once

#include <stdbool.h>

#include "chaos/fault.h"

struct inject_report {
	const struct fault_spec *spec;
	double seconds;
	bool json, interrupted;
};

void inject_report_started(const struct inject_report *report, const char *engine);
/* Prints what the fault did. Returns the exit code: EXIT_TRIALS if the fault hit nothing. */
int inject_report_reverted(const struct inject_report *report, json_t *evidence);
