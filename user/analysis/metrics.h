/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Summarises a trial's metrics, and judges what is expected of them. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "analysis/summary.h"
#include "plan/status.h"

/* Greater ones are not counted, so that sums stay finite. */
#define METRIC_VALUE_MAX 1e30

struct metric_figures {
	size_t count;
	double sum, least, most;
};

/* One series of one source. */
struct metric_series {
	char *source, *series;
	bool is_rate;
	struct metric_figures windows[WINDOW_COUNT];
};

struct metric_list {
	struct metric_series *items;
	size_t count, room;
};

struct metric_value {
	const char *source, *series;
	uint64_t since_ns, at_ns; /* CLOCK_MONOTONIC; a rate is of the time in between, a gauge of at_ns */
	double value;
	bool is_rate;
};

/*
 * Counts the value in its window, which is returned: that of the moment at_ns. A rate over an edge of a window counts
 * in none. -ENOMEM otherwise.
 */
int metrics_add(struct metric_list *list, const struct summary_times *times, const struct metric_value *value,
		enum summary_window *window);
void metrics_clear(struct metric_list *list);

/*
 * {SOURCE: {"series": {SERIES: {"kind": "gauge" or "rate", "before": F, "during": F, "after": F}}}} with F {"count",
 * "mean", "min", "max": null if count is 0}, a new reference. Each series that had a value is there.
 */
json_t *metrics_summarize(const struct metric_list *list);

/*
 * Appends an entry as in analysis/expectations.h to list for each limit of `asked` (config/expect.h) and each source
 * that has values of the series: name "metric_min", "metric_max" or "metric_change_max", with "series" and "source".
 * "measured" is the least value during the fault, the greatest, or how much the mean changed as a share of that before;
 * of a change "low" and "high" are the means before and during. Without a value that is needed: inconclusive.
 * metrics: from metrics_summarize().
 */
enum trial_verdict metrics_judge(const json_t *asked, const json_t *metrics, json_t *list);
/* True if it did; writes "lowest value of SERIES of SOURCE 3, expected at least 10". */
bool metrics_describe(char *out, size_t size, const json_t *expectation);

/*
 * From trials' rows, an array, a new reference: an object for each subject, chaos type, source and series, in the order
 * of the trials: {"subject", "chaos", "source", "series", "kind", "trials", "before", "during", "after": [least, most]
 * of the trials' means, or null}.
 */
json_t *metrics_effects(const json_t *trials);
