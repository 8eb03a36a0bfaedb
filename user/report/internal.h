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

/* report/compare.c: true if both rows are of one subject, chaos type and probe. */
bool is_same_probe(const json_t *a, const json_t *b);

/* report/findings.c: what an element of effects_make says, in words without the names. */
void finding_describe(char *out, size_t size, const json_t *effect);

/* report/evidence.c */
void evidence_print(FILE *out, const json_t *evidence);
