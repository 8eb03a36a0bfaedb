/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The output of `eval inject`: text for people, or one JSON event per line. */
#pragma once

#include <stdbool.h>

#include "chaos/fault.h"

struct inject_report {
	const struct fault_spec *spec;
	double seconds;
	bool json, interrupted;
	bool line_open; /* inject_report_holding has written a line without an end */
};

void inject_report_started(const struct inject_report *report, const char *engine);
/* True on a terminal: only there is inject_report_holding to be called. */
bool inject_report_redraws(const struct inject_report *report);
/* Rewrites the line that says how long the fault still holds and what it hit so far. */
void inject_report_holding(struct inject_report *report, const json_t *evidence, double seconds_left);
/* Prints what the fault did. Returns the exit code: EXIT_TRIALS if the fault hit nothing. */
int inject_report_reverted(struct inject_report *report, json_t *evidence);
