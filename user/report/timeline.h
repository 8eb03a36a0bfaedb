/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One trial over time: its samples, kernel hits, metrics and events, and how they are drawn; private to report/. */
#pragma once

#include "report/report.h"

#define TIMELINE_BUCKETS 240
#define TIMELINE_PROBES 6 /* each has a colour of its own; further probes are in the table only */
#define TIMELINE_KERNEL 3
#define TIMELINE_METRICS 6
#define TIMELINE_LINES (TIMELINE_KERNEL + TIMELINE_METRICS)
#define TIMELINE_MARKS 16

struct timeline_bucket {
	double sum_ms, least_ms, most_ms; /* of good samples */
	unsigned int good, bad;
};
struct timeline_curve {
	const char *probe;
	struct timeline_bucket buckets[TIMELINE_BUCKETS];
};
struct timeline_point {
	double sum;
	unsigned int count;
};
struct timeline_phase {
	const char *name, *class;
	double from_ns, to_ns;
};
enum { TIMELINE_BEFORE, TIMELINE_DURING, TIMELINE_AFTER, TIMELINE_PHASES };
/* Values over time: hits in the kernel, or a metric of the user's. */
struct timeline_line {
	char *name; /* NULL: not used. Of untrusted text */
	bool is_kernel;
	struct timeline_point points[TIMELINE_BUCKETS];
	double low, high; /* of the points' means; low is not above 0 */
	struct {
		double sum, most;
		unsigned int count;
	} phases[TIMELINE_PHASES];
};
struct timeline_mark {
	double at_ns;
	const char *text; /* untrusted */
};
/* Times are of CLOCK_MONOTONIC. */
struct timeline {
	double start_ns, end_ns;
	struct timeline_phase phases[TIMELINE_PHASES];
	size_t phase_count;
	struct timeline_curve curves[TIMELINE_PROBES];
	size_t curve_count;
	struct timeline_line lines[TIMELINE_LINES]; /* those of the kernel come first */
	size_t line_count;
	struct timeline_mark marks[TIMELINE_MARKS];
	size_t mark_count;
	bool is_cut;            /* there are more lines or marks */
	size_t merged, points;  /* a point is so many buckets, of which the first in the array has their sum */
	double low_ms, high_ms; /* of the latency's axis */
	unsigned int attempt;
	bool is_baseline;
};

/*
 * Reads a trial. events: those of the trial, in any order. trials: how many the page has: the more, the fewer points
 * has each. *out is NULL if there is nothing to draw, and keeps pointing into trial and events. 0 or a negative errno.
 */
int timeline_read(struct timeline **out, const struct report_source *source, const json_t *trial, const json_t *events,
		  size_t trials);
void timeline_free(struct timeline *timeline);
double timeline_mean(const struct timeline_point *point);

/* report/timeline_svg.c: the drawing. label: the id of the element that says what it shows. */
void timeline_put_svg(FILE *out, const struct timeline *timeline, const char *label);
/* report/timeline_data.c: the same numbers for web/page.js, as JSON without an apostrophe and without text of others.
 */
void timeline_put_data(FILE *out, const struct timeline *timeline);
/* Three digits, or all before the point; as JSON has numbers. */
void timeline_put_number(FILE *out, double number);
