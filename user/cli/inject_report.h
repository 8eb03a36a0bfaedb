/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What `eval inject` prints: text for people, or a JSON event a line. */
#pragma once

#include <stdbool.h>

#include "chaos/fault.h"

struct inject_report {
	const struct fault_spec *spec;
	double seconds;
	bool json, interrupted;
};

void inject_report_started(const struct inject_report *report, const char *engine);
/* Says what the fault did and returns the exit code: a fault that touched nothing is not a success. */
int inject_report_reverted(const struct inject_report *report, json_t *evidence);
