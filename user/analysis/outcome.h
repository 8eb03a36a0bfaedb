/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The outcome of trials and campaigns, from their rows. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/error.h"

/* True if the trial completed and its verdict is not "fail". */
bool outcome_passed(const json_t *trial);
/* Writes in one line why a trial did not succeed. Returns the text's length; 0 if there is nothing to explain. */
int outcome_reason(char *out, size_t size, const json_t *trial);

/* Returns EXIT_OK if every trial passed, otherwise EXIT_TRIALS. */
enum exit_code outcome_exit_code(const json_t *trials);
/* Returns {STATUS: number of trials}, a new reference. */
json_t *outcome_count(const json_t *trials);
/* Writes "completed 8, failed 1; verdict fail 2" from {"planned": n, …, "verdict_fail": n, "verdict_inconclusive": n};
 * returns out. */
const char *outcome_progress(char *out, size_t size, const json_t *counts);
