/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds wanted series in Prometheus text (version 0.0.4; also OpenMetrics), which comes in parts: of megabytes of text
 * only one line is kept. A selector is NAME or NAME{label="value", …} with the operators =, !=, =~ and !~ (an extended
 * regular expression of the whole value); the values of all series that it matches are added up. rate(SELECTOR) takes
 * them for counters, whatever the text says.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/error.h"

struct prometheus;

#define PROMETHEUS_VALUE_MAX 1e30

struct prometheus_value {
	size_t matched; /* series; 0: there was none, and value is 0 */
	double value;   /* their sum; NaN and values beyond PROMETHEUS_VALUE_MAX do not count */
	bool is_counter;
};

/* Returns 0, or -EINVAL with err set if text is no selector. */
int prometheus_check(const char *text, struct error *err);

int prometheus_new(struct prometheus **out, char *const *selectors, size_t count, struct error *err);
void prometheus_free(struct prometheus *scan);
/* Reads the next part. A line of over 64 KiB is passed over, and so is one without an end: it may have been cut. */
void prometheus_feed(struct prometheus *scan, const char *bytes, size_t size);

struct prometheus_value prometheus_get(const struct prometheus *scan, size_t selector);
/* process_start_time_seconds, whole or in parts; 0 if it was not there. */
double prometheus_started(const struct prometheus *scan);
