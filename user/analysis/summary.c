/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/summary.h"

#include <errno.h>

#include "util/array.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

#define SAMPLES_FIRST 256
/* The windows of all probes together. */
#define ALL_PROBES UINT32_MAX

_Static_assert(sizeof(struct summary_sample) == 32, "a sample's size");

static const char *const window_names[WINDOW_COUNT] = {
	[WINDOW_BEFORE] = "before",
	[WINDOW_DURING] = "during",
	[WINDOW_AFTER] = "after",
};

int summary_add(struct summary_samples *samples, const struct summary_sample *sample)
{
	struct summary_sample *items =
		array_reserve(samples->items, samples->count, &samples->room, SAMPLES_FIRST, sizeof(*items));

	if (!items)
		return -ENOMEM;
	samples->items = items;
	items[samples->count++] = *sample;
	return 0;
}

enum summary_window summary_window(const struct summary_times *times, const struct summary_sample *sample)
{
	if (sample->scheduled_ns < times->healthy_ns || (times->ended_ns && sample->scheduled_ns > times->ended_ns))
		return WINDOW_NONE;
	if (!times->injected_ns || sample->started_ns + sample->latency_ns < times->injected_ns)
		return WINDOW_BEFORE;
	return times->reverted_ns && sample->scheduled_ns >= times->reverted_ns ? WINDOW_AFTER : WINDOW_DURING;
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

/* latencies has room for every sample. */
static json_t *summarize_window(const struct summary_samples *samples, const struct summary_times *times,
				enum summary_window window, uint32_t probe, double *latencies)
{
	size_t count = 0, good = 0;

	for (size_t i = 0; i < samples->count; i++) {
		const struct summary_sample *sample = &samples->items[i];

		if (summary_window(times, sample) != window || (probe != ALL_PROBES && sample->probe != probe))
			continue;
		count++;
		if (sample->ok)
			latencies[good++] = (double)sample->latency_ns / (double)NSEC_PER_MSEC;
	}
	qsort(latencies, good, sizeof(*latencies), compare_doubles);
	return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o}", "count", (json_int_t)count, "good", (json_int_t)good,
			 "availability", number_if(count, (double)good / (double)(count ?: 1)), "p50_ms",
			 number_if(good, good ? summary_percentile(latencies, good, 50) : 0), "p99_ms",
			 number_if(good >= SUMMARY_P99_SAMPLES, good ? summary_percentile(latencies, good, 99) : 0),
			 "max_ms", number_if(good, good ? latencies[good - 1] : 0));
}

static int add_windows(json_t *out, const struct summary_samples *samples, const struct summary_times *times,
		       uint32_t probe, double *latencies)
{
	for (enum summary_window window = 0; window < WINDOW_COUNT; window++)
		if (json_object_set_new(out, window_names[window],
					summarize_window(samples, times, window, probe, latencies)))
			return -ENOMEM;
	return 0;
}

static bool has_samples(const struct summary_samples *samples, uint32_t probe)
{
	for (size_t i = 0; i < samples->count; i++)
		if (samples->items[i].probe == probe)
			return true;
	return false;
}

json_t *summary_make(const struct summary_samples *samples, const char *const *probes, size_t probe_count,
		     const struct summary_times *times)
{
	_cleanup_free_ double *latencies = calloc(samples->count + 1, sizeof(*latencies));
	_cleanup_json_ json_t *summary = json_object();
	json_t *of_probes = json_object(), *recovery = json_null();

	if (times->recovered_ns && times->reverted_ns && times->recovered_ns >= times->reverted_ns)
		recovery = json_real((double)(times->recovered_ns - times->reverted_ns) / (double)NSEC_PER_SEC);
	if (json_object_set_new(summary, "probes", of_probes) ||
	    json_object_set_new(summary, "recovery_seconds", recovery) || !latencies ||
	    add_windows(summary, samples, times, ALL_PROBES, latencies))
		return NULL;
	for (uint32_t i = 0; i < probe_count; i++) {
		json_t *windows = has_samples(samples, i) ? json_object() : NULL;

		if (windows && (json_object_set_new(of_probes, probes[i], windows) ||
				add_windows(windows, samples, times, i, latencies)))
			return NULL;
	}
	return TAKE_PTR(summary);
}
