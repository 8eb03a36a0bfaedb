/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The parts of a page; private to report/. */
#pragma once

#include "report/report.h"

struct timeline;

/* report/assets.c: texts of elements, ended by NULL. */
extern const char *const page_styles[], *const page_scripts[];
/* Of uPlot, which both have. */
extern const char *const page_license;

/* report/html_matrix.c: of what effects_make returned. */
void html_put_matrix(FILE *out, const json_t *effects);

/*
 * report/html_trial.c: an article about a trial. number is its place on the page, events are its own, trials is how
 * many the page has. 0 or a negative errno of source.
 */
int html_put_trial(FILE *out, const struct report_source *source, size_t number, const json_t *events, size_t trials);

/* report/html_evidence.c: trial is the number of the trial. */
void html_put_evidence(FILE *out, const json_t *evidence, size_t trial);

/* report/figure.c: a figure whose label is "t" and number. */
void figure_put(FILE *out, const struct timeline *timeline, const json_t *trial, size_t number);
/* The table behind the lines of a figure. */
void figure_put_table(FILE *out, const struct timeline *timeline);
