/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What each chaos type did to each probe, over its trials. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/*
 * From trials' rows with subject, chaos, baseline, status, verdict and summary. An array, a new reference, NULL if out
 * of memory: an object for each subject, chaos type and probe, in the order of the trials: {"subject", "chaos",
 * "probe": NAME or null if there is none, "baseline": bool, "trials", "passed", "outages": numbers of trials, "outages"
 * of those in which samples were bad under the fault, "availability", "p50_ms", "p99_ms", "outage_seconds": R, under
 * the fault, "before_p50_ms": R, "recovery_seconds": R}, where R is [least, most] over the trials that have such a
 * number, or null.
 */
json_t *effects_make(const json_t *trials);
/* The member's [least, most]. False if it is null. */
bool effects_range(const json_t *effect, const char *key, double *least, double *most);
