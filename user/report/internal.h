/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Internal to report/: helpers shared by its files. */
#pragma once

#include "report/report.h"

/* report/field.c: each prints nothing if there is no value. */
#define FIELD_INDENT "                "
void field_text(FILE *out, const char *name, const char *text);
void field_string(FILE *out, const char *name, const json_t *row, const char *column);
/* Prints any JSON value; a string without quotes. */
void field_json(FILE *out, const char *name, const json_t *value);

/* Prints by `print`; if reader_fd is a terminal, without a line that is longer than it is wide, but for long words. */
void print_wrapped(FILE *out, int reader_fd, void (*print)(FILE *out, const void *what), const void *what);

/* report/compare.c: true if both rows are of one subject, chaos type and probe. */
bool is_same_probe(const json_t *a, const json_t *b);

/* report/findings.c: what an element of effects_make says, in words without the names. */
void finding_describe(char *out, size_t size, const json_t *effect);
/* The same of an element of metrics_effects. */
void finding_describe_metric(char *out, size_t size, const json_t *effect);
/*
 * From what effects_make returned, without baselines: an array, a new reference, the worst first, of {"effect": its
 * element, "bad": false if it had no effect, "text": "put stops for 1.2 s, in 4 of 4 trials", or only the probe's
 * name}.
 */
json_t *findings_rank(const json_t *effects);
/* report/compare.c: what can be claimed of chaos against its baseline; nothing if there is none. */
void print_baseline(FILE *out, const json_t *trials);

/* report/evidence.c */
void evidence_print(FILE *out, const json_t *evidence);
