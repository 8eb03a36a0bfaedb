/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Judges a trial's expectations by what was measured. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/expect.h"
#include "plan/status.h"

/*
 * Appends {"name", "probe": text or null, "asked", "measured": x or null, "low", "high": the interval's ends or null,
 * "samples": n, "verdict"} to list for each requested expectation; those of a probe once for each of the probe_count
 * names. summary is from summary_make.
 *
 * "pass" and "fail" if the whole 95 % interval is on one side of what was asked, "inconclusive" if it is not, or if
 * there are too few samples for its end. Outage, errors and recovery are as measured, without an interval; so is an
 * availability of 1, which asks for the samples themselves. Without a sample in the fault a probe's are inconclusive;
 * no recovery is a fail. Returns VERDICT_FAIL if one failed, else VERDICT_INCONCLUSIVE if one is that, else
 * VERDICT_PASS.
 */
enum trial_verdict expectations_judge(const struct expectations *asked, const char *const *probes, size_t probe_count,
				      const json_t *summary, json_t *list);

/*
 * Appends {"name": "check", "check": its name, "result": "exit 1: …", "verdict"} and the other members as null to list.
 * Returns the verdict.
 */
enum trial_verdict expectations_add_check(json_t *list, const char *check, bool good, const char *result);

/* Also of records before schema 3, which have "ok": bool instead. VERDICT_COUNT if it has neither. */
enum trial_verdict expectation_verdict(const json_t *expectation);
/* "availability of put 10.6 % (8.2–13.7), expected at least 90 %", from an entry of such a list, also of older records.
 */
void expectation_describe(char *out, size_t size, const json_t *expectation);
/* Describes those with this verdict, joined by "; "; "" if there are none. */
void expectations_list(char *out, size_t size, const json_t *list, enum trial_verdict verdict);
