/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/summary.h"

#include <string.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

#define P99_SAMPLES_MIN 100

enum window { WINDOW_BEFORE, WINDOW_DURING, WINDOW_AFTER, WINDOW_COUNT, WINDOW_NONE = -1 };

static const char *const window_names[WINDOW_COUNT] = {
	[WINDOW_BEFORE] = "before",
	[WINDOW_DURING] = "during",
	[WINDOW_AFTER] = "after",
};

static enum window window_of(const struct summary_times *times, const json_t *sample)
{
	uint64_t scheduled_ns = (uint64_t)json_integer_at(sample, "scheduled_ns");
	json_int_t started_ns = json_integer_at(sample, "started_at_ns");
	json_int_t latency_ns = json_integer_at(sample, "latency_ns");
	uint64_t end_ns = (started_ns ? (uint64_t)started_ns : scheduled_ns) + (uint64_t)latency_ns;

	if (scheduled_ns < times->healthy_ns || (times->ended_ns && scheduled_ns > times->ended_ns))
		return WINDOW_NONE;
	if (!times->injected_ns || end_ns < times->injected_ns)
		return WINDOW_BEFORE;
	return times->reverted_ns && scheduled_ns >= times->reverted_ns ? WINDOW_AFTER : WINDOW_DURING;
}

double summary_percentile(const double *values, size_t count, unsigned int percent)
{
	size_t rank = (count * percent + 99) / 100;

	return values[rank ? rank - 1 : 0];
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static json_t *number_if(size_t enough, double number)
{
	return enough ? json_real(number) : json_null();
}

/* latencies has room for every sample. A NULL probe means all probes. */
static json_t *summarize_window(const json_t *samples, const struct summary_times *times, enum window window,
				const char *probe, double *latencies)
{
	size_t count = 0, good = 0, i;
	const json_t *sample;

	json_array_foreach (samples, i, sample) {
		const char *name = json_string_value(json_object_get(sample, "probe"));

		if (window_of(times, sample) != window || (probe && (!name || strcmp(name, probe))))
			continue;
		count++;
		if (json_is_true(json_object_get(sample, "ok")))
			latencies[good++] = (double)json_integer_at(sample, "latency_ns") / (double)NSEC_PER_MSEC;
	}
	qsort(latencies, good, sizeof(*latencies), compare_doubles);
	return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o}", "count", (json_int_t)count, "good", (json_int_t)good,
			 "availability", number_if(count, (double)good / (double)(count ?: 1)), "p50_ms",
			 number_if(good, good ? summary_percentile(latencies, good, 50) : 0), "p99_ms",
			 number_if(good >= P99_SAMPLES_MIN, good ? summary_percentile(latencies, good, 99) : 0),
			 "max_ms", number_if(good, good ? latencies[good - 1] : 0));
}

static int add_windows(json_t *out, const json_t *samples, const struct summary_times *times, const char *probe,
		       double *latencies)
{
	for (enum window window = 0; window < WINDOW_COUNT; window++)
		if (json_object_set_new(out, window_names[window],
					summarize_window(samples, times, window, probe, latencies)))
			return -ENOMEM;
	return 0;
}

/* Adds a key for each probe that has samples, in the order of its first sample. */
static int add_probes(json_t *out, const json_t *samples, const struct summary_times *times, double *latencies)
{
	const json_t *sample;
	size_t i;

	json_array_foreach (samples, i, sample) {
		const char *probe = json_string_value(json_object_get(sample, "probe"));
		json_t *windows;

		if (!probe || json_object_get(out, probe))
			continue;
		windows = json_object();
		if (json_object_set_new(out, probe, windows) || add_windows(windows, samples, times, probe, latencies))
			return -ENOMEM;
	}
	return 0;
}

json_t *summary_make(const json_t *samples, const struct summary_times *times)
{
	_cleanup_free_ double *latencies = calloc(json_array_size(samples) + 1, sizeof(*latencies));
	_cleanup_json_ json_t *summary = json_object();
	json_t *probes = json_object(), *recovery = json_null();

	if (times->recovered_ns && times->reverted_ns && times->recovered_ns >= times->reverted_ns)
		recovery = json_real((double)(times->recovered_ns - times->reverted_ns) / (double)NSEC_PER_SEC);
	if (json_object_set_new(summary, "probes", probes) ||
	    json_object_set_new(summary, "recovery_seconds", recovery) || !latencies ||
	    add_windows(summary, samples, times, NULL, latencies) || add_probes(probes, samples, times, latencies))
		return NULL;
	return TAKE_PTR(summary);
}
