/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How trials and campaigns ended, from their rows. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/error.h"

/* The trial came to its end, and met what was asked of it. */
bool outcome_passed(const json_t *trial);
/* Why a trial is no success, in one line; its length, 0 for a trial that needs no reason. */
int outcome_reason(char *out, size_t size, const json_t *trial);

/* EXIT_OK where each of the trials passed, else EXIT_TRIALS. */
enum exit_code outcome_exit_code(const json_t *trials);
/* {STATUS: how many of the trials}, a new reference. */
json_t *outcome_count(const json_t *trials);
/* "completed 8, failed 1; verdict fail 2" from {"planned": n, …, "total": n}; returns out. */
const char *outcome_progress(char *out, size_t size, const json_t *counts);
