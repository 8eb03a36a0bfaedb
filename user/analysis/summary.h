/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The summary of a trial from its samples. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Monotonic ns, 0: it never came to that. */
struct summary_times {
	uint64_t healthy_ns;  /* before starts */
	uint64_t injected_ns; /* during starts */
	uint64_t reverted_ns; /* after starts */
	uint64_t recovered_ns;
	uint64_t ended_ns; /* after ends; 0: with the last sample */
};

/*
 * The trial's `summary` from its samples (rows as store_samples_add takes them), a new reference:
 * {"before": W, "during": W, "after": W, "probes": {NAME: {"before": W, …}}, "recovery_seconds": s or null}, W is
 * {"count", "good", "availability", "p50_ms", "p99_ms", "max_ms"}. A sample belongs to the window in which it was
 * scheduled, but one that chaos began under is during; latencies are those of the good samples; what there are too few
 * samples for is null (p99: fewer than 100). Where nothing was injected, all is before. NULL when out of memory.
 */
json_t *summary_make(const json_t *samples, const struct summary_times *times);

/*
 * Nearest rank: the smallest value that at least percent % of the values do not exceed, so always one that was
 * measured. values is sorted, count > 0, percent 1…100.
 */
double summary_percentile(const double *values, size_t count, unsigned int percent);
