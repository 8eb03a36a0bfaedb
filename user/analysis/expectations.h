/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Judges a trial's expectations by what was measured. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* NAN: not requested. */
struct expectations_asked {
	double availability_min; /* 0…1, during chaos */
	double p99_ms_max;
	double recover_within_seconds;
};

/*
 * Appends {"name", "asked", "measured": x or null, "ok": bool} to list for each requested expectation; summary is from
 * summary_make. Returns true if all are met; an expectation without a measurement is missed.
 */
bool expectations_judge(const struct expectations_asked *asked, const json_t *summary, json_t *list);
/* Writes "p99_ms_max 100 missed: 180.5, …" from such a list, or "" if all are met. */
void expectations_list_missed(char *out, size_t size, const json_t *list);
