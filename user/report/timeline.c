/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One trial over time, in SVG: for each probe the mean latency and the band from the least to the most, bad samples as
 * marks at the top, the phases shaded. A point is a 90th part of the time, so that a million samples make no large
 * page.
 */
#include "report/formats.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

#define BUCKETS 90
#define PROBES_MAX 6 /* each has a colour of its own; further probes are in the table only */
#define WIDTH 720
#define HEIGHT 190
#define LEFT 64
#define RIGHT 8
#define TOP 26
#define BOTTOM 26

struct bucket {
	double sum_ms, least_ms, most_ms;
	unsigned int good, bad;
};

struct curve {
	const char *probe;
	struct bucket buckets[BUCKETS];
};

struct timeline {
	struct curve curves[PROBES_MAX];
	size_t count;
	double start_ns, end_ns, injected_ns, reverted_ns; /* CLOCK_MONOTONIC; 0: did not get that far */
	double low_ms, high_ms;                            /* of all curves */
	unsigned int attempt;
};

static double moment_of(const json_t *trial, const char *column)
{
	return (double)json_integer_at(trial, column);
}

static int add_sample(const struct report_sample *sample, void *data)
{
	struct timeline *timeline = data;
	double at_ns = (double)sample->scheduled_ns, ms = (double)sample->latency_ns / (double)NSEC_PER_MSEC;
	struct bucket *bucket = NULL;

	if (sample->attempt != timeline->attempt || at_ns < timeline->start_ns || at_ns >= timeline->end_ns)
		return 0;
	for (size_t i = 0; i < timeline->count; i++)
		if (!strcmp(timeline->curves[i].probe, sample->probe))
			bucket = &timeline->curves[i].buckets[(size_t)((at_ns - timeline->start_ns) * BUCKETS /
								       (timeline->end_ns - timeline->start_ns))];
	if (!bucket)
		return 0;
	if (!sample->ok) {
		bucket->bad++;
		return 0;
	}
	ms = fmax(ms, 0.001);
	bucket->least_ms = bucket->good ? fmin(bucket->least_ms, ms) : ms;
	bucket->most_ms = fmax(bucket->most_ms, ms);
	bucket->sum_ms += ms;
	bucket->good++;
	timeline->low_ms = fmin(timeline->low_ms, ms);
	timeline->high_ms = fmax(timeline->high_ms, ms);
	return 0;
}

static double x_of(const struct timeline *timeline, double ns)
{
	return LEFT + (ns - timeline->start_ns) / (timeline->end_ns - timeline->start_ns) * (WIDTH - LEFT - RIGHT);
}

static double x_of_bucket(size_t bucket)
{
	return LEFT + ((double)bucket + 0.5) / BUCKETS * (WIDTH - LEFT - RIGHT);
}

/* Logarithmic: a probe of 1 ms and a fault of 1 s are both to be seen. */
static double y_of(const struct timeline *timeline, double ms)
{
	double low = log10(timeline->low_ms), high = log10(timeline->high_ms);

	return HEIGHT - BOTTOM - (log10(ms) - low) / (high - low) * (HEIGHT - BOTTOM - TOP);
}

static void put_phase(FILE *out, const struct timeline *timeline, double from_ns, double to_ns, const char *class,
		      const char *title)
{
	double from = x_of(timeline, from_ns), to = x_of(timeline, to_ns);

	if (to - from < 1)
		return;
	fprintf(out, "<rect class=\"%s\" x=\"%.0f\" y=\"%d\" width=\"%.0f\" height=\"%d\"/>", class, from, TOP,
		to - from, HEIGHT - BOTTOM - TOP);
	/* A narrow phase has no room for its name. */
	if (to - from > 7 * (double)strlen(title))
		fprintf(out, "<text x=\"%.0f\" y=\"%d\">%s</text>", from + 4, TOP - 8, title);
}

static void put_phases(FILE *out, const struct timeline *timeline)
{
	double injected_ns = timeline->injected_ns ?: timeline->end_ns;
	double reverted_ns = timeline->reverted_ns ?: timeline->end_ns;

	put_phase(out, timeline, timeline->start_ns, injected_ns, "before", "before");
	put_phase(out, timeline, injected_ns, reverted_ns, "fault", "fault");
	put_phase(out, timeline, reverted_ns, timeline->end_ns, "after", "recovery");
}

static void put_axes(FILE *out, const struct timeline *timeline)
{
	double seconds = (timeline->end_ns - timeline->start_ns) / (double)NSEC_PER_SEC;
	double step = pow(10, floor(log10(seconds / 4)));
	int low = (int)ceil(log10(timeline->low_ms)), high = (int)floor(log10(timeline->high_ms));

	step *= seconds / step > 20 ? 5 : seconds / step > 8 ? 2 : 1;
	for (int exponent = low; exponent <= high; exponent++) {
		_cleanup_json_ json_t *value = json_real(pow(10, exponent));
		char cell[REPORT_CELL_SIZE];
		double y = y_of(timeline, pow(10, exponent));

		fprintf(out, "<path class=\"grid\" d=\"M%d %.0fH%d\"/><text class=\"y\" x=\"%d\" y=\"%.0f\">%s</text>",
			LEFT, y, WIDTH - RIGHT, LEFT - 6, y + 4, report_milliseconds(cell, value));
	}
	for (int i = 0; i * step <= seconds; i++)
		fprintf(out, "<text class=\"x\" x=\"%.0f\" y=\"%d\">%g s</text>",
			x_of(timeline, timeline->start_ns + i * step * (double)NSEC_PER_SEC), HEIGHT - 8, i * step);
}

/* From the first bucket of a run of buckets with good samples. */
static void put_run(FILE *out, const struct timeline *timeline, const struct curve *curve, size_t number, size_t first)
{
	const struct bucket *buckets = curve->buckets;
	size_t last = first;

	while (last + 1 < BUCKETS && buckets[last + 1].good)
		last++;
	fprintf(out, "<path class=\"band p%zu\" d=\"M", number);
	for (size_t i = first; i <= last; i++)
		fprintf(out, "%.0f %.0f ", x_of_bucket(i), y_of(timeline, buckets[i].most_ms));
	for (size_t i = last + 1; i-- > first;)
		fprintf(out, "%.0f %.0f ", x_of_bucket(i), y_of(timeline, buckets[i].least_ms));
	fprintf(out, "Z\"/><path class=\"mean p%zu\" d=\"M", number);
	for (size_t i = first; i <= last; i++)
		fprintf(out, "%.0f %.0f ", x_of_bucket(i), y_of(timeline, buckets[i].sum_ms / buckets[i].good));
	/* A single point is drawn, too. */
	fputs(last == first ? "h1\"/>" : "\"/>", out);
}

static void put_curve(FILE *out, const struct timeline *timeline, const struct curve *curve, size_t number)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		const struct bucket *bucket = &curve->buckets[i];

		if (bucket->bad)
			fprintf(out, "<path class=\"bad\" d=\"M%.0f %dv8\"/>", x_of_bucket(i),
				TOP + 1 + 9 * (int)number);
		if (bucket->good && (!i || !curve->buckets[i - 1].good))
			put_run(out, timeline, curve, number, i);
	}
}

static unsigned int count_bad(const struct curve *curve)
{
	unsigned int bad = 0;

	for (size_t i = 0; i < BUCKETS; i++)
		bad += curve->buckets[i].bad;
	return bad;
}

/* What the chart shows, in words, for who cannot see it. */
static void put_label(FILE *out, const struct timeline *timeline, const json_t *trial)
{
	char cell[REPORT_CELL_SIZE];

	fputs("Latency over time", out);
	for (size_t i = 0; i < timeline->count; i++) {
		const char *probe = timeline->curves[i].probe;
		const json_t *windows =
			json_object_get(json_object_get(json_object_get(trial, "summary"), "probes"), probe);

		fputs(i ? "; " : ": ", out);
		markup_text(out, probe);
		fprintf(out, " %s before", report_percentile(cell, json_object_get(windows, "before"), "p50_ms"));
		if (timeline->injected_ns)
			fprintf(out, ", %s under the fault",
				report_percentile(cell, json_object_get(windows, "during"), "p50_ms"));
		fprintf(out, " (median), %u bad samples", count_bad(&timeline->curves[i]));
	}
}

static void list_probes(struct timeline *timeline, const json_t *trial)
{
	json_t *probes = json_object_get(json_object_get(trial, "summary"), "probes"), *windows;
	const char *probe;

	json_object_foreach (probes, probe, windows)
		if (timeline->count < PROBES_MAX)
			timeline->curves[timeline->count++].probe = probe;
}

static void put_figure(FILE *out, const struct timeline *timeline, const json_t *trial)
{
	fprintf(out, "<figure><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
	put_label(out, timeline, trial);
	fputs("\">", out);
	put_phases(out, timeline);
	put_axes(out, timeline);
	for (size_t i = 0; i < timeline->count; i++)
		put_curve(out, timeline, &timeline->curves[i], i);
	fputs("</svg><figcaption>", out);
	for (size_t i = 0; i < timeline->count; i++) {
		fprintf(out, "<span class=\"key p%zu\"></span>", i);
		markup_text(out, timeline->curves[i].probe);
		fputc(' ', out);
	}
	fputs("mean, least and most latency; marks at the top: bad samples</figcaption></figure>\n", out);
}

int timeline_put(FILE *out, const struct report_source *source, const json_t *trial)
{
	_cleanup_free_ struct timeline *timeline = calloc(1, sizeof(*timeline));
	int ret;

	if (!timeline)
		return -ENOMEM;
	timeline->start_ns = moment_of(trial, "healthy_at_monotonic_ns");
	timeline->end_ns = moment_of(trial, "ended_at_monotonic_ns");
	timeline->injected_ns = moment_of(trial, "chaos_injected_at_monotonic_ns");
	timeline->reverted_ns = moment_of(trial, "chaos_reverted_at_monotonic_ns");
	timeline->attempt = (unsigned int)json_integer_at(trial, "attempt");
	timeline->low_ms = INFINITY;
	list_probes(timeline, trial);
	if (timeline->start_ns == 0 || timeline->end_ns <= timeline->start_ns || !timeline->count)
		return 0;
	ret = source->each_sample(json_text_or(trial, "id", ""), add_sample, timeline, source->own);
	if (ret)
		return ret;
	/* At least a power of ten, with room for the marks. */
	if (!isfinite(timeline->low_ms))
		timeline->low_ms = timeline->high_ms = 1;
	timeline->low_ms = pow(10, floor(log10(timeline->low_ms)));
	timeline->high_ms = fmax(timeline->high_ms * 1.5, timeline->low_ms * 10);
	put_figure(out, timeline, trial);
	return 0;
}
