/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The writers of report/formats.c's table, each in the file of its name, and what they share; private to report/. */
#pragma once

#include "report/report.h"

int report_csv(FILE *out, const struct report_source *source);
int report_csv_samples(FILE *out, const struct report_source *source);
int report_csv_metrics(FILE *out, const struct report_source *source);
int report_junit(FILE *out, const struct report_source *source);
int report_markdown(FILE *out, const struct report_source *source);
int report_openmetrics(FILE *out, const struct report_source *source);
int report_annotations(FILE *out, const struct report_source *source);
int report_json(FILE *out, const struct report_source *source);
int report_html(FILE *out, const struct report_source *source);

/* report/timeline.c: one trial's samples over time, as a figure in SVG. 0 or a negative errno of source. */
int timeline_put(FILE *out, const struct report_source *source, const json_t *trial);

/* report/markup.c: untrusted text as the content of an element, or of an attribute in double quotes. */
void markup_text(FILE *out, const char *text);
/* The same file: why a trial is not a success, or ""; in one line of untrusted text. */
void report_reason(char *out, size_t size, const json_t *trial);
