/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Compares trials with trials: those of two campaigns, or those under chaos with the baseline. The unit is the trial,
 * one number each, because samples within a trial depend on each other.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#define COMPARE_TRIALS_LEAST 4 /* in each group; 3 and 3 cannot have a p below 0.10 */
#define COMPARE_EFFECT_DEFAULT 0.1

struct compare_options {
	bool with_baseline;     /* a group's counterpart is the baseline of its subject, not the same chaos */
	double smallest_effect; /* a share of a's median: what is smaller does not count */
};

/*
 * a and b are arrays of trials' rows with subject, chaos, baseline, status and summary. Returns an array, a new
 * reference, NULL if out of memory: one object for each subject, chaos type, probe and metric of b that a has, too:
 * {"subject", "chaos", "probe": text or null, "metric": "p50_ms", "p99_ms", "availability", "outage_seconds" or
 * "recovery_seconds", "a": G, "b": G, "shift", "low", "high": b - a by Hodges and Lehmann, or null, "effect": shift as
 * a share of a's median, or null, "p", "p_adjusted": Mann-Whitney, and Holm over the metrics of a probe; null below 4 +
 * 4 trials, "result": R, "trials_needed": each side, for the smallest effect to show, or null}. G is {"trials",
 * "median", "min", "max", "left_out": trials that did not complete or have no such number}.
 *
 * R is "worse" or "better" if p_adjusted is at most 0.05 and the effect is at least the smallest one, "small" if only p
 * is, "open" if p is not, "same" if all trials have one number, "too few" if there are fewer than 4 + 4, which show
 * nothing.
 */
json_t *compare_trials(const json_t *a, const json_t *b, const struct compare_options *options);
/* The trials under chaos with their own baseline, by the default effect. */
json_t *compare_with_baseline(const json_t *trials);
/* True if an object's result is "worse". */
bool compare_has_worse(const json_t *comparisons);
