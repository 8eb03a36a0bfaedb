/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/summary.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/bootstrap.h"
#include "analysis/interval.h"
#include "analysis/rank.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

#define SAMPLES_FIRST 256

_Static_assert(sizeof(struct summary_sample) == 32, "a sample's size");

const char *const summary_window_names[WINDOW_COUNT] = {
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

static json_t *number_if(bool enough, double number)
{
	return enough ? json_real(number) : json_null();
}

static void add_percentile(json_t *window, json_t *intervals, const double *latencies, size_t good,
			   unsigned int percent)
{
	struct interval_ranks ranks = interval_of_percentile(good, percent);
	/* The share above it must be a sample at least; of a median's, one is enough. */
	bool enough = percent == 50 ? good : good >= 100 / (100 - percent);
	char key[16];

	snprintf(key, sizeof(key), "p%u_ms", percent);
	json_object_set_new(window, key, number_if(enough, enough ? summary_percentile(latencies, good, percent) : 0));
	json_object_set_new(intervals, key,
			    json_pack("[o, o]", number_if(ranks.low, ranks.low ? latencies[ranks.low - 1] : 0),
				      number_if(ranks.high, ranks.high ? latencies[ranks.high - 1] : 0)));
}

static const unsigned int percents[] = {50, 90, 99};

/* From the first bad sample to the next good one, or to the end of the last; counted where it starts. */
static double longest_outage(const struct summary_sample *samples, size_t count, const struct summary_times *times,
			     enum summary_window window)
{
	uint64_t longest_ns = 0;

	for (size_t i = 0; i < count; i++) {
		const struct summary_sample *first = &samples[i], *last;
		uint64_t end_ns;

		if (first->ok)
			continue;
		while (i + 1 < count && !samples[i + 1].ok)
			i++;
		last = &samples[i];
		end_ns = i + 1 < count ? samples[i + 1].scheduled_ns : last->started_ns + last->latency_ns;
		if (summary_window(times, first) == window && end_ns - first->scheduled_ns > longest_ns)
			longest_ns = end_ns - first->scheduled_ns;
	}
	return (double)longest_ns / (double)NSEC_PER_SEC;
}

/* Collects the latencies of good samples in the window, in the order of time. *seen: how many samples it has in all. */
static size_t collect_good(const struct summary_sample *samples, size_t count, const struct summary_times *times,
			   enum summary_window window, double *latencies, size_t *seen)
{
	size_t good = 0;

	*seen = 0;
	for (size_t i = 0; i < count; i++) {
		if (summary_window(times, &samples[i]) != window)
			continue;
		(*seen)++;
		if (samples[i].ok)
			latencies[good++] = (double)samples[i].latency_ns / (double)NSEC_PER_MSEC;
	}
	return good;
}

/* Of one probe's samples. latencies has room for all of them; the window's intervals are added to intervals. */
static json_t *summarize_window(const struct summary_sample *samples, size_t count, const struct summary_times *times,
				enum summary_window window, double *latencies, json_t *all_intervals)
{
	size_t seen, good = collect_good(samples, count, times, window, latencies, &seen);
	struct interval share;
	json_t *out, *intervals;

	rank_sort(latencies, good);
	share = interval_of_share(good, seen);
	intervals = json_pack("{s:[f, f]}", "availability", share.low, share.high);
	out = json_pack("{s:I, s:I, s:o, s:o, s:o}", "count", (json_int_t)seen, "good", (json_int_t)good,
			"availability", number_if(seen, (double)good / (double)(seen ?: 1)), "max_ms",
			number_if(good, good ? latencies[good - 1] : 0), "outage_seconds",
			number_if(seen, longest_outage(samples, count, times, window)));
	json_object_set_new(all_intervals, summary_window_names[window], intervals);
	for (size_t i = 0; i < ARRAY_SIZE(percents); i++)
		add_percentile(out, intervals, latencies, good, percents[i]);
	return out;
}

static int compare_schedules(const void *a, const void *b)
{
	const struct summary_sample *x = a, *y = b;

	return (x->scheduled_ns > y->scheduled_ns) - (x->scheduled_ns < y->scheduled_ns);
}

/* Seconds from the injection to the schedule of the first bad sample that it can have hit. */
static json_t *first_bad(const struct summary_sample *samples, size_t count, const struct summary_times *times)
{
	for (size_t i = 0; i < count; i++) {
		enum summary_window window = summary_window(times, &samples[i]);
		uint64_t at_ns = samples[i].scheduled_ns;

		if (!samples[i].ok && (window == WINDOW_DURING || window == WINDOW_AFTER))
			return json_real(at_ns < times->injected_ns
						 ? 0
						 : (double)(at_ns - times->injected_ns) / (double)NSEC_PER_SEC);
	}
	return json_null();
}

/* latencies has room for count numbers. NULL: too few samples. */
static json_t *shift_of(const struct summary_sample *own, size_t count, const struct summary_times *times,
			uint32_t probe, double *latencies)
{
	size_t seen, before = collect_good(own, count, times, WINDOW_BEFORE, latencies, &seen);
	size_t during = collect_good(own, count, times, WINDOW_DURING, latencies + before, &seen);
	struct bootstrap_shift shift = bootstrap_median_shift(latencies, before, latencies + before, during, probe + 1);

	if (isnan(shift.estimate))
		return NULL;
	return json_pack("{s:f, s:f, s:f}", "p50_ms", shift.estimate, "low", shift.low, "high", shift.high);
}

/*
 * own and latencies have room for every sample; the intervals are added to intervals, *shift is set if there is one.
 * NULL if the probe has no samples, or out of memory.
 */
static json_t *summarize_probe(const struct summary_samples *samples, const struct summary_times *times, uint32_t probe,
			       struct summary_sample *own, double *latencies, json_t *intervals, json_t **shift)
{
	size_t count = 0;
	json_t *out;

	for (size_t i = 0; i < samples->count; i++)
		if (samples->items[i].probe == probe)
			own[count++] = samples->items[i];
	if (!count)
		return NULL;
	qsort(own, count, sizeof(*own), compare_schedules);
	out = json_object();
	for (enum summary_window window = 0; window < WINDOW_COUNT; window++)
		json_object_set_new(out, summary_window_names[window],
				    summarize_window(own, count, times, window, latencies, intervals));
	json_object_set_new(out, "first_bad_seconds", first_bad(own, count, times));
	*shift = shift_of(own, count, times, probe, latencies);
	return out;
}

json_t *summary_make(const struct summary_samples *samples, const char *const *probes, size_t probe_count,
		     const struct summary_times *times)
{
	_cleanup_free_ double *latencies = calloc(samples->count + 1, sizeof(*latencies));
	_cleanup_free_ struct summary_sample *own = calloc(samples->count + 1, sizeof(*own));
	_cleanup_json_ json_t *summary = json_object();
	json_t *of_probes = json_object(), *intervals = json_object(), *recovery = json_null();
	json_t *shifts = json_object();

	if (times->recovered_ns && times->reverted_ns && times->recovered_ns >= times->reverted_ns)
		recovery = json_real((double)(times->recovered_ns - times->reverted_ns) / (double)NSEC_PER_SEC);
	if (json_object_set_new(summary, "probes", of_probes) || json_object_set_new(summary, "intervals", intervals) ||
	    json_object_set_new(summary, "shifts", shifts) ||
	    json_object_set_new(summary, "recovery_seconds", recovery) || !latencies || !own)
		return NULL;
	for (uint32_t i = 0; i < probe_count; i++) {
		_cleanup_json_ json_t *own_intervals = json_object();
		json_t *shift = NULL;
		json_t *windows = summarize_probe(samples, times, i, own, latencies, own_intervals, &shift);

		if (windows && (json_object_set_new(of_probes, probes[i], windows) ||
				json_object_set(intervals, probes[i], own_intervals)))
			return NULL;
		if (shift && json_object_set_new(shifts, probes[i], shift))
			return NULL;
	}
	return TAKE_PTR(summary);
}

void summary_each_probe(const json_t *trial, summary_visit visit, void *data)
{
	json_t *probes = json_object_get(json_object_get(trial, "summary"), "probes"), *windows;
	const char *probe;

	if (!json_object_size(probes))
		visit(trial, NULL, NULL, data);
	json_object_foreach (probes, probe, windows)
		visit(trial, probe, windows, data);
}
