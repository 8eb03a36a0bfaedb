/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Expectations: what was asked of a trial, against what was measured. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* NAN: not asked. */
struct expectations_asked {
	double availability_min; /* 0…1, during chaos */
	double p99_ms_max;
	double recover_within_seconds;
};

/*
 * Appends to list {"name", "asked", "measured": x or null, "ok": bool} for each that is asked; summary as summary_make
 * makes it. Returns whether all are met: one that nothing was measured for is missed.
 */
bool expectations_judge(const struct expectations_asked *asked, const json_t *summary, json_t *list);
/* "p99_ms_max 100 missed: 180.5, …" from such a list; "" where all are met. */
void expectations_list_missed(char *out, size_t size, const json_t *list);
