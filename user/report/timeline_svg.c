/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Draws a timeline in SVG: for each probe the mean latency and the band from the least to the most, bad samples as
 * marks at the top; below it a panel for each line; the phases shaded and events marked through all of them.
 */
#include "report/timeline.h"

#include <math.h>
#include <string.h>

#include "report/formats.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

#define WIDTH 720
#define LEFT 64
#define RIGHT 20
#define TOP 26
#define LATENCY 138 /* heights */
#define PANEL 56
#define PANEL_TITLE 22
#define BOTTOM 26

static int bottom_of(const struct timeline *timeline)
{
	return TOP + LATENCY + (int)timeline->line_count * PANEL;
}

static double x_of(const struct timeline *timeline, double ns)
{
	return LEFT + (ns - timeline->start_ns) / (timeline->end_ns - timeline->start_ns) * (WIDTH - LEFT - RIGHT);
}

/* Logarithmic: a probe of 1 ms and a fault of 1 s are both to be seen. */
static int y_of(const struct timeline *timeline, double ms)
{
	double low = log10(timeline->low_ms), high = log10(timeline->high_ms);

	return (int)lround(TOP + LATENCY - (log10(ms) - low) / (high - low) * LATENCY);
}

static void put_phases(FILE *out, const struct timeline *timeline)
{
	for (size_t i = 0; i < timeline->phase_count; i++) {
		const struct timeline_phase *phase = &timeline->phases[i];
		double from = x_of(timeline, phase->from_ns), to = x_of(timeline, phase->to_ns);

		if (to - from < 1)
			continue;
		fprintf(out, "<path class=\"%s\" d=\"M%.0f %dV%dH%.0fV%dZ\"/>", phase->class, from, TOP,
			bottom_of(timeline), to, TOP);
		/* A narrow phase has no room for its name. */
		if (to - from > 7 * (double)strlen(phase->name))
			fprintf(out, "<text x=\"%.0f\" y=\"%d\">%s</text>", from + 4, TOP - 8, phase->name);
	}
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
		int y = y_of(timeline, pow(10, exponent));

		fprintf(out, "<path class=\"grid\" d=\"M%d %dH%d\"/><text class=\"y\" x=\"%d\" y=\"%d\">%s</text>",
			LEFT, y, WIDTH - RIGHT, LEFT - 6, y + 4, report_milliseconds(cell, value));
	}
	fprintf(out, "<g class=\"x\" transform=\"translate(0 %d)\">", bottom_of(timeline) + BOTTOM - 8);
	for (int i = 0; i * step <= seconds; i++)
		fprintf(out, "<text x=\"%.0f\">%g s</text>",
			x_of(timeline, timeline->start_ns + i * step * (double)NSEC_PER_SEC), i * step);
	fputs("</g>", out);
}

static double mean_of(const struct timeline_bucket *bucket)
{
	return bucket->sum_ms / bucket->good;
}

/* Goes on to the next y. A page is smaller by steps than by places. */
static int put_step(FILE *out, int along, int y, int before)
{
	fprintf(out, y < before ? "%d%d " : "%d %d ", along, y - before);
	return y;
}

/* The next point with good samples; `points` if there is none before a point with bad ones only. */
static size_t next_good(const struct timeline *timeline, const struct timeline_bucket *buckets, size_t i)
{
	for (i++; i < timeline->points && !buckets[i].good; i++)
		if (buckets[i].bad)
			return timeline->points;
	return i;
}

/* A run of points with good samples, from the first one. Returns the last. */
static size_t put_run(FILE *out, const struct timeline *timeline, const struct timeline_curve *curve, size_t number,
		      size_t first)
{
	const struct timeline_bucket *buckets = curve->buckets;
	int y = y_of(timeline, buckets[first].most_ms);
	size_t last = first, i, before;

	fprintf(out, "<path class=\"band p%zu\" d=\"M%zu %dl", number, first, y);
	for (i = first; (i = next_good(timeline, buckets, i)) < timeline->points; last = i)
		y = put_step(out, (int)(i - last), y_of(timeline, buckets[i].most_ms), y);
	before = last;
	for (i = last + 1; i-- > first;) {
		if (!buckets[i].good)
			continue;
		y = put_step(out, (int)i - (int)before, y_of(timeline, buckets[i].least_ms), y);
		before = i;
	}
	y = y_of(timeline, mean_of(&buckets[first]));
	/* A single point is drawn, too. */
	fprintf(out, "z\"/><path class=\"mean p%zu\" d=\"M%zu %dl%s", number, first, y, last == first ? ".5 0" : "");
	for (i = first; (i = next_good(timeline, buckets, i)) < timeline->points; before = i)
		y = put_step(out, (int)(i - before), y_of(timeline, mean_of(&buckets[i])), y);
	fputs("\"/>", out);
	return last;
}

static void put_curve(FILE *out, const struct timeline *timeline, size_t number)
{
	const struct timeline_curve *curve = &timeline->curves[number];
	size_t bad = 0, end;

	for (size_t i = 0; i < timeline->points; i++)
		if (curve->buckets[i].good)
			i = put_run(out, timeline, curve, number, i);
	for (size_t i = 0; i < timeline->points; i = end + 1) {
		for (end = i; end < timeline->points && curve->buckets[end].bad;)
			end++;
		if (end > i)
			fprintf(out, "%sM%g %zuh%zu", bad++ ? "" : "<path class=\"bad\" d=\"", (double)i - 0.5,
				TOP + 4 + 9 * number, end - i);
	}
	if (bad)
		fputs("\"/>", out);
}

static void put_line(FILE *out, const struct timeline *timeline, size_t number)
{
	const struct timeline_line *line = &timeline->lines[number];
	int bottom = TOP + LATENCY + (int)(number + 1) * PANEL;
	size_t drawn = 0;

	fprintf(out, "<path class=\"%s\" d=\"", line->is_kernel ? "hits" : "p3");
	for (size_t i = 0; i < timeline->points; i++)
		if (line->points[i].count)
			fprintf(out, "%c%zu %ld", drawn++ ? 'L' : 'M', i,
				lround(bottom - (timeline_mean(&line->points[i]) - line->low) /
							(line->high - line->low) * (PANEL - PANEL_TITLE)));
	fputs(drawn == 1 ? "h.5\"/>" : "\"/>", out);
}

static void put_line_texts(FILE *out, const struct timeline *timeline, size_t number)
{
	const struct timeline_line *line = &timeline->lines[number];
	int top = TOP + LATENCY + (int)number * PANEL;

	fprintf(out, "<text class=\"name\" x=\"%d\" y=\"%d\">", LEFT + 4, top + PANEL_TITLE - 6);
	markup_text(out, line->name);
	fprintf(out, "</text><text class=\"y\" x=\"%d\" y=\"%d\">", LEFT - 6, top + PANEL_TITLE + 8);
	timeline_put_number(out, line->high);
	fprintf(out, "</text><text class=\"y\" x=\"%d\" y=\"%d\">", LEFT - 6, top + PANEL);
	timeline_put_number(out, line->low);
	fputs("</text>", out);
}

static void put_marks(FILE *out, const struct timeline *timeline)
{
	for (size_t i = 0; i < timeline->mark_count; i++) {
		double x = x_of(timeline, timeline->marks[i].at_ns);

		fprintf(out, "<path class=\"mark\" d=\"M%.0f %dV%d\"/><text x=\"%.0f\" y=\"%d\">%zu</text>", x, TOP,
			bottom_of(timeline), x + 3, TOP + LATENCY - 4, i + 1);
	}
}

void timeline_put_svg(FILE *out, const struct timeline *timeline, const char *label)
{
	/* Curves are drawn in points, of which the first one's middle is half a point from the left. */
	double point = (double)(WIDTH - LEFT - RIGHT) * (double)timeline->merged / TIMELINE_BUCKETS;

	fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"%s\">", WIDTH,
		bottom_of(timeline) + BOTTOM, label);
	put_phases(out, timeline);
	put_axes(out, timeline);
	put_marks(out, timeline);
	for (size_t i = 0; i < timeline->line_count; i++)
		put_line_texts(out, timeline, i);
	fprintf(out, "<g transform=\"matrix(%.3f 0 0 1 %.3f 0)\">", point, LEFT + point / 2);
	for (size_t i = 0; i < timeline->curve_count; i++)
		put_curve(out, timeline, i);
	for (size_t i = 0; i < timeline->line_count; i++)
		put_line(out, timeline, i);
	fputs("</g></svg>", out);
}
