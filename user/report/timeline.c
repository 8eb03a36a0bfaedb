/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/timeline.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

/* A page of 100 trials stays below 600 KB: these are bytes, about what drawing and data take. */
#define PAGE_ROOM 475000
#define TRIAL_ROOM 2300 /* of a trial without its probes and lines */
#define CURVE_ROOM 350  /* of a probe without its points */
#define LINE_ROOM 300
#define CURVE_POINT_ROOM 27
#define LINE_POINT_ROOM 12
#define POINTS_MIN 16 /* even if it takes more */

/* The bucket of a moment; TIMELINE_BUCKETS if it is outside. */
static size_t bucket_at(const struct timeline *timeline, double at_ns)
{
	if (at_ns < timeline->start_ns || at_ns >= timeline->end_ns)
		return TIMELINE_BUCKETS;
	return (size_t)((at_ns - timeline->start_ns) * TIMELINE_BUCKETS / (timeline->end_ns - timeline->start_ns));
}

static int add_sample(const struct report_sample *sample, void *data)
{
	struct timeline *timeline = data;
	size_t number = bucket_at(timeline, (double)sample->scheduled_ns);
	double ms = fmax((double)sample->latency_ns / (double)NSEC_PER_MSEC, 0.001);
	struct timeline_bucket *bucket = NULL;

	if (sample->attempt != timeline->attempt || number == TIMELINE_BUCKETS)
		return 0;
	for (size_t i = 0; i < timeline->curve_count; i++)
		if (!strcmp(timeline->curves[i].probe, sample->probe))
			bucket = &timeline->curves[i].buckets[number];
	if (!bucket)
		return 0;
	if (!sample->ok) {
		bucket->bad++;
		return 0;
	}
	bucket->least_ms = bucket->good ? fmin(bucket->least_ms, ms) : ms;
	bucket->most_ms = fmax(bucket->most_ms, ms);
	bucket->sum_ms += ms;
	bucket->good++;
	timeline->low_ms = fmin(timeline->low_ms, ms);
	timeline->high_ms = fmax(timeline->high_ms, ms);
	return 0;
}

static char *line_name(const struct report_metric *metric, bool is_kernel)
{
	const char *rate = metric->is_rate ? ", per second" : "";
	char *name = NULL;
	int ret = is_kernel ? asprintf(&name, "kernel hits per second, %s", metric->series)
			    : asprintf(&name, "%s (%s)%s", metric->series, metric->source, rate);

	return ret < 0 ? NULL : name;
}

/* The line with this name, which is the line's from now on if there is none yet. NULL: there is no room. */
static struct timeline_line *find_line(struct timeline *timeline, char **name, bool is_kernel)
{
	struct timeline_line *line = &timeline->lines[is_kernel ? 0 : TIMELINE_KERNEL];
	struct timeline_line *end = line + (is_kernel ? TIMELINE_KERNEL : TIMELINE_METRICS);

	for (; line < end; line++) {
		if (line->name && strcmp(line->name, *name) != 0)
			continue;
		if (!line->name) {
			line->name = TAKE_PTR(*name);
			line->is_kernel = is_kernel;
		}
		return line;
	}
	timeline->is_cut = true;
	return NULL;
}

static size_t phase_of(const struct report_metric *metric)
{
	return !strcmp(metric->phase, "hold")      ? TIMELINE_DURING
	       : !strcmp(metric->phase, "recover") ? TIMELINE_AFTER
						   : TIMELINE_BEFORE;
}

static int add_metric(const struct report_metric *metric, void *data)
{
	struct timeline *timeline = data;
	size_t number = bucket_at(timeline, (double)metric->at_ns), phase = phase_of(metric);
	bool is_kernel = !strcmp(metric->source, "kernel");
	_cleanup_free_ char *name = NULL;
	struct timeline_line *line;

	if (metric->attempt != timeline->attempt || number == TIMELINE_BUCKETS || !isfinite(metric->value))
		return 0;
	name = line_name(metric, is_kernel);
	if (!name)
		return -ENOMEM;
	line = find_line(timeline, &name, is_kernel);
	if (!line)
		return 0;
	line->points[number].sum += metric->value;
	line->points[number].count++;
	line->phases[phase].most =
		line->phases[phase].count ? fmax(line->phases[phase].most, metric->value) : metric->value;
	line->phases[phase].sum += metric->value;
	line->phases[phase].count++;
	return 0;
}

/* Closes the gaps that unused lines leave. */
static void count_lines(struct timeline *timeline)
{
	for (size_t i = 0; i < TIMELINE_LINES; i++) {
		if (!timeline->lines[i].name)
			continue;
		if (timeline->line_count < i) {
			timeline->lines[timeline->line_count] = timeline->lines[i];
			timeline->lines[i].name = NULL;
		}
		timeline->line_count++;
	}
}

static void add_mark(struct timeline *timeline, double at_ns, const char *text)
{
	if (at_ns < timeline->start_ns || at_ns > timeline->end_ns || !text)
		return;
	if (timeline->mark_count < TIMELINE_MARKS)
		timeline->marks[timeline->mark_count++] = (struct timeline_mark){at_ns, text};
	else
		timeline->is_cut = true;
}

static int by_time(const void *a, const void *b)
{
	const struct timeline_mark *one = a, *other = b;

	return (one->at_ns > other->at_ns) - (one->at_ns < other->at_ns);
}

static double moment_of(const json_t *row, const char *column)
{
	return (double)json_integer_at(row, column);
}

static bool is_of_attempt(const json_t *event, const struct timeline *timeline)
{
	return json_integer_at(event, "attempt") == (json_int_t)timeline->attempt;
}

static void list_marks(struct timeline *timeline, const json_t *trial, const json_t *events)
{
	const json_t *event;
	size_t i;

	if (!timeline->is_baseline) {
		add_mark(timeline, moment_of(trial, "first_effect_at_monotonic_ns"), "first hit in the kernel");
		add_mark(timeline, moment_of(trial, "recovered_at_monotonic_ns"), "recovered");
	}
	json_array_foreach (events, i, event)
		/* The event of the first hit has the time at which it was seen. */
		if (is_of_attempt(event, timeline) && strcmp(json_text_or(event, "kind", ""), "first_effect") != 0)
			add_mark(timeline, moment_of(event, "monotonic_ns"), json_text_or(event, "text", NULL));
	qsort(timeline->marks, timeline->mark_count, sizeof(*timeline->marks), by_time);
}

static void list_probes(struct timeline *timeline, const json_t *trial)
{
	json_t *probes = json_object_get(json_object_get(trial, "summary"), "probes"), *windows;
	const char *probe;

	json_object_foreach (probes, probe, windows)
		if (timeline->curve_count < TIMELINE_PROBES)
			timeline->curves[timeline->curve_count++].probe = probe;
}

/* When a trial's phase began; 0: it did not. */
static double phase_start(const struct timeline *timeline, const json_t *events, const char *phase)
{
	const json_t *event;
	double at_ns = 0;
	size_t i;

	json_array_foreach (events, i, event)
		if (is_of_attempt(event, timeline) && !strcmp(json_text_or(event, "kind", ""), "phase") &&
		    !strcmp(json_text_or(event, "phase", ""), phase))
			at_ns = moment_of(event, "monotonic_ns");
	return at_ns;
}

/* Phases that the trial did not get to are left out. A baseline has no moments of a fault. */
static void list_phases(struct timeline *timeline, const json_t *trial, const json_t *events)
{
	bool is_quiet = timeline->is_baseline;
	double starts[TIMELINE_PHASES + 1] = {
		timeline->start_ns,
		is_quiet ? phase_start(timeline, events, "hold") : moment_of(trial, "chaos_injected_at_monotonic_ns"),
		is_quiet ? phase_start(timeline, events, "recover")
			 : moment_of(trial, "chaos_reverted_at_monotonic_ns"),
	};
	const struct timeline_phase phases[TIMELINE_PHASES] = {
		{"warm-up", "warm", 0, 0},
		{is_quiet ? "no fault" : "fault", is_quiet ? "none" : "fault", 0, 0},
		{is_quiet ? "after" : "recovery", is_quiet ? "warm" : "after", 0, 0},
	};

	for (size_t i = 0; i < TIMELINE_PHASES && starts[i] > 0; i++) {
		timeline->phases[i] = phases[i];
		timeline->phases[i].from_ns = starts[i];
		timeline->phases[i].to_ns = starts[i + 1] > 0 ? starts[i + 1] : timeline->end_ns;
		timeline->phase_count++;
	}
}

static void add_bucket(struct timeline_bucket *sum, const struct timeline_bucket *bucket)
{
	if (bucket->good) {
		sum->least_ms = sum->good ? fmin(sum->least_ms, bucket->least_ms) : bucket->least_ms;
		sum->most_ms = fmax(sum->most_ms, bucket->most_ms);
		sum->sum_ms += bucket->sum_ms;
	}
	sum->good += bucket->good;
	sum->bad += bucket->bad;
}

/* The samples of the probe that has the most. */
static size_t most_samples(const struct timeline *timeline)
{
	size_t most = 0;

	for (size_t i = 0; i < timeline->curve_count; i++) {
		size_t count = 0;

		for (size_t j = 0; j < TIMELINE_BUCKETS; j++)
			count += timeline->curves[i].buckets[j].good + timeline->curves[i].buckets[j].bad;
		most = count > most ? count : most;
	}
	return most;
}

/* How many points the page has room for and the samples fill. */
static size_t count_points(const struct timeline *timeline, size_t trials)
{
	size_t samples = most_samples(timeline), room = PAGE_ROOM / trials;
	size_t fixed = TRIAL_ROOM + CURVE_ROOM * timeline->curve_count + LINE_ROOM * timeline->line_count, points;

	points = room > fixed ? (room - fixed) / (CURVE_POINT_ROOM * timeline->curve_count +
						  LINE_POINT_ROOM * timeline->line_count)
			      : 0;
	points = points > samples / 2 ? samples / 2 : points;
	return points < POINTS_MIN ? POINTS_MIN : points;
}

static void merge_buckets(struct timeline *timeline, size_t trials)
{
	size_t wanted = count_points(timeline, trials);

	timeline->merged = (TIMELINE_BUCKETS + wanted - 1) / wanted;
	timeline->points = (TIMELINE_BUCKETS + timeline->merged - 1) / timeline->merged;
	for (size_t i = 1; i < TIMELINE_BUCKETS && timeline->merged > 1; i++) {
		size_t to = i / timeline->merged;
		bool is_first = i % timeline->merged == 0;

		for (size_t j = 0; j < timeline->curve_count; j++) {
			struct timeline_bucket *buckets = timeline->curves[j].buckets;

			if (is_first)
				buckets[to] = (struct timeline_bucket){};
			add_bucket(&buckets[to], &buckets[i]);
		}
		for (size_t j = 0; j < timeline->line_count; j++) {
			struct timeline_point *points = timeline->lines[j].points;

			if (is_first)
				points[to] = (struct timeline_point){};
			points[to].sum += points[i].sum;
			points[to].count += points[i].count;
		}
	}
}

double timeline_mean(const struct timeline_point *point)
{
	return point->sum / point->count;
}

/* Latency: from a power of ten to the next at least, with room for the marks of bad samples. */
static void set_ranges(struct timeline *timeline)
{
	for (size_t i = 0; i < timeline->line_count; i++) {
		struct timeline_line *line = &timeline->lines[i];

		line->high = 0;
		for (size_t j = 0; j < timeline->points; j++) {
			if (!line->points[j].count)
				continue;
			line->low = fmin(line->low, timeline_mean(&line->points[j]));
			line->high = fmax(line->high, timeline_mean(&line->points[j]));
		}
		if (line->high <= line->low)
			line->high = line->low + 1;
	}
	if (!isfinite(timeline->low_ms))
		timeline->low_ms = timeline->high_ms = 1;
	timeline->low_ms = pow(10, floor(log10(timeline->low_ms)));
	timeline->high_ms = fmax(timeline->high_ms * 1.5, timeline->low_ms * 10);
}

static void timeline_freep(struct timeline **timeline)
{
	timeline_free(*timeline);
}

int timeline_read(struct timeline **out, const struct report_source *source, const json_t *trial, const json_t *events,
		  size_t trials)
{
	_cleanup_(timeline_freep) struct timeline *timeline = calloc(1, sizeof(*timeline));
	const char *id = json_text_or(trial, "id", "");
	int ret;

	if (!timeline)
		return -ENOMEM;
	*out = NULL;
	timeline->start_ns = moment_of(trial, "healthy_at_monotonic_ns");
	timeline->end_ns = moment_of(trial, "ended_at_monotonic_ns");
	timeline->attempt = (unsigned int)json_integer_at(trial, "attempt");
	timeline->is_baseline = json_is_true(json_object_get(trial, "baseline"));
	timeline->low_ms = INFINITY;
	list_probes(timeline, trial);
	if (timeline->start_ns <= 0 || timeline->end_ns <= timeline->start_ns || !timeline->curve_count)
		return 0;
	list_phases(timeline, trial, events);
	list_marks(timeline, trial, events);
	ret = source->each_sample(id, add_sample, timeline, source->own);
	ret = ret ?: source->each_metric(id, add_metric, timeline, source->own);
	if (ret)
		return ret;
	count_lines(timeline);
	merge_buckets(timeline, trials);
	set_ranges(timeline);
	*out = TAKE_PTR(timeline);
	return 0;
}

void timeline_free(struct timeline *timeline)
{
	if (!timeline)
		return;
	for (size_t i = 0; i < TIMELINE_LINES; i++)
		free(timeline->lines[i].name);
	free(timeline);
}
