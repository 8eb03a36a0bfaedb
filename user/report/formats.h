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

/* report/markup.c: untrusted text as the content of an element, or of an attribute in double quotes. */
void markup_text(FILE *out, const char *text);
/* The same of a row's column, after another text that needs no escaping; nothing if it has no text. */
void markup_member(FILE *out, const char *before, const json_t *row, const char *column);
/* The same file: why a trial is not a success, or ""; in one line of untrusted text. */
void report_reason(char *out, size_t size, const json_t *trial);
