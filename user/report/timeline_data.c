/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The numbers of a timeline for web/page.js: {"seconds": of all, "step": seconds of a point, "points": how many,
 * "phases": [[name, from, to], …], "probes": [[[least ms, …], [mean ms, …], [most ms, …], [bad samples, …]], …], where
 * latencies are 0 if no sample was good, -1 if there was none, and bad samples are [] if there are none at all,
 * "kernel": how many of the lines are hits, "lines": [[[point, value], …], …], "marks": [seconds, …]}. Names are in the
 * figure.
 */
#include "report/timeline.h"

#include <math.h>
#include <stddef.h>

#include "util/clock.h"

void timeline_put_number(FILE *out, double number)
{
	fprintf(out, fabs(number) >= 100 ? "%.0f" : "%.3g", number);
}

static void put_seconds(FILE *out, const struct timeline *timeline, double at_ns)
{
	fprintf(out, "%.6g", (at_ns - timeline->start_ns) / (double)NSEC_PER_SEC);
}

/* number: the offset of a member of struct timeline_bucket; of sum_ms, its mean is printed. */
static void put_latencies(FILE *out, const struct timeline *timeline, const struct timeline_curve *curve, size_t number)
{
	fputc('[', out);
	for (size_t i = 0; i < timeline->points; i++) {
		const struct timeline_bucket *bucket = &curve->buckets[i];
		double value = *(const double *)((const char *)bucket + number);

		if (i)
			fputc(',', out);
		if (number == offsetof(struct timeline_bucket, sum_ms))
			value /= bucket->good ?: 1;
		timeline_put_number(out, bucket->good ? value : bucket->bad ? 0 : -1);
	}
	fputs("],", out);
}

static void put_probe_data(FILE *out, const struct timeline *timeline, const struct timeline_curve *curve)
{
	bool any_bad = false;

	fputc('[', out);
	put_latencies(out, timeline, curve, offsetof(struct timeline_bucket, least_ms));
	put_latencies(out, timeline, curve, offsetof(struct timeline_bucket, sum_ms));
	put_latencies(out, timeline, curve, offsetof(struct timeline_bucket, most_ms));
	fputc('[', out);
	for (size_t i = 0; i < timeline->points; i++)
		any_bad = any_bad || curve->buckets[i].bad;
	for (size_t i = 0; any_bad && i < timeline->points; i++)
		fprintf(out, "%s%u", i ? "," : "", curve->buckets[i].bad);
	fputs("]]", out);
}

static void put_line_data(FILE *out, const struct timeline *timeline, const struct timeline_line *line)
{
	const char *separator = "";

	fputc('[', out);
	for (size_t i = 0; i < timeline->points; i++)
		if (line->points[i].count) {
			fprintf(out, "%s[%zu,", separator, i);
			timeline_put_number(out, timeline_mean(&line->points[i]));
			fputc(']', out);
			separator = ",";
		}
	fputc(']', out);
}

static void put_phase_data(FILE *out, const struct timeline *timeline)
{
	for (size_t i = 0; i < timeline->phase_count; i++) {
		fprintf(out, "%s[\"%s\",", i ? "," : "", timeline->phases[i].name);
		put_seconds(out, timeline, timeline->phases[i].from_ns);
		fputc(',', out);
		put_seconds(out, timeline, timeline->phases[i].to_ns);
		fputc(']', out);
	}
}

void timeline_put_data(FILE *out, const struct timeline *timeline)
{
	double seconds = (timeline->end_ns - timeline->start_ns) / (double)NSEC_PER_SEC;
	size_t kernel = 0;

	fprintf(out, "{\"seconds\":%.6g,\"step\":%.9g,\"points\":%zu,\"phases\":[", seconds,
		seconds * (double)timeline->merged / TIMELINE_BUCKETS, timeline->points);
	put_phase_data(out, timeline);
	fputs("],\"probes\":[", out);
	for (size_t i = 0; i < timeline->curve_count; i++) {
		fputs(i ? "," : "", out);
		put_probe_data(out, timeline, &timeline->curves[i]);
	}
	while (kernel < timeline->line_count && timeline->lines[kernel].is_kernel)
		kernel++;
	fprintf(out, "],\"kernel\":%zu,\"lines\":[", kernel);
	for (size_t i = 0; i < timeline->line_count; i++) {
		fputs(i ? "," : "", out);
		put_line_data(out, timeline, &timeline->lines[i]);
	}
	fputs("],\"marks\":[", out);
	for (size_t i = 0; i < timeline->mark_count; i++) {
		fputs(i ? "," : "", out);
		put_seconds(out, timeline, timeline->marks[i].at_ns);
	}
	fputs("]}", out);
}
