/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Summarises a trial's samples. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
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

/* 32 bytes, because a trial of days keeps all of its samples. */
struct summary_sample {
	uint64_t scheduled_ns, started_ns; /* CLOCK_MONOTONIC */
	uint64_t latency_ns;
	uint32_t probe; /* index in the list of names */
	bool ok;
};

struct summary_samples {
	struct summary_sample *items;
	size_t count, room;
};

/* Returns 0 or -ENOMEM. */
int summary_add(struct summary_samples *samples, const struct summary_sample *sample);

enum summary_window { WINDOW_BEFORE, WINDOW_DURING, WINDOW_AFTER, WINDOW_COUNT, WINDOW_NONE = -1 };
/* "before", "during", "after": the keys in a summary. */
extern const char *const summary_window_names[WINDOW_COUNT];
/*
 * The one rule for a phase's edge, also for the phase that is recorded with a sample. "during": its end is not before
 * the injection, and it was scheduled before the revert. "after": it was scheduled at the revert or later. "before":
 * all others since the subject was healthy. Without an injection all are "before". Call once the sample has ended.
 */
enum summary_window summary_window(const struct summary_times *times, const struct summary_sample *sample);

/*
 * Returns the trial's `summary` from its samples, a new reference; NULL if out of memory: {"probes": {NAME: P},
 * "intervals": {NAME: {"before": I, "during": I, "after": I}}, "shifts": {NAME: {"p50_ms": how far the median during
 * the fault is above that before, "low", "high": see analysis/bootstrap.h}} of those with enough good samples,
 * "recovery_seconds": s or null}, where P, of each probe with samples, is {"before": W, "during": W, "after": W,
 * "first_bad_seconds": from the injection to the first bad sample, or null}, W is {"count", "good", "availability":
 * 0…1, "p50_ms", "p90_ms", "p99_ms", "max_ms", "outage_seconds"}, and I, for those in W that have one, {"availability":
 * [low, high], "p50_ms": [low or null, high or null], …}: see analysis/interval.h. Latencies are those of good samples;
 * a percentile with too few of them (p90: 10, p99: 100) is null. An outage is the time from a bad sample to the next
 * good one, or to the end of the last; the longest one that starts in the window counts.
 */
json_t *summary_make(const struct summary_samples *samples, const char *const *probes, size_t probe_count,
		     const struct summary_times *times);

/*
 * Nearest rank: the smallest value that at least percent % of the values do not exceed; always a measured value. values
 * is sorted, count > 0, percent 1…100.
 */
double summary_percentile(const double *values, size_t count, unsigned int percent);

/* Calls visit with each probe of a trial's `summary` and its windows; once with NULL and NULL if it has none. */
typedef void (*summary_visit)(const json_t *trial, const char *probe, const json_t *windows, void *data);
void summary_each_probe(const json_t *trial, summary_visit visit, void *data);
