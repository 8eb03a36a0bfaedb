/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Summarises a trial's samples. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* CLOCK_MONOTONIC, ns; 0: the trial did not get that far. */
struct summary_times {
	uint64_t healthy_ns;  /* start of "before" */
	uint64_t injected_ns; /* start of "during" */
	uint64_t reverted_ns; /* start of "after" */
	uint64_t recovered_ns;
	uint64_t ended_ns; /* end of "after"; 0: the last sample */
};

/*
 * Returns the trial's `summary` from its samples (rows as store_samples_add takes them), a new reference; NULL if out
 * of memory: {"before": W, "during": W, "after": W, "probes": {NAME: {"before": W, …}}, "recovery_seconds": s or null},
 * where W is {"count", "good", "availability", "p50_ms", "p99_ms", "max_ms"}. A sample belongs to the window in which
 * it was scheduled; a sample still running at the injection belongs to "during". Latencies are those of good samples. A
 * value with too few samples is null (p99: fewer than 100 good). Without an injection all samples are "before".
 */
json_t *summary_make(const json_t *samples, const struct summary_times *times);

/*
 * Nearest rank: the smallest value that at least percent % of the values do not exceed; always a measured value. values
 * is sorted, count > 0, percent 1…100.
 */
double summary_percentile(const double *values, size_t count, unsigned int percent);
