/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How results look on a terminal. */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* The table at a campaign's end, from rows of trials; fits 140 columns; colour on a terminal. */
void report_table(FILE *out, const json_t *trials);
/* The same where what is written to out is for reader_fd. */
void report_table_for(FILE *out, int reader_fd, const json_t *trials);
/* {"count", "mean_us", "log2_us"} as fault_evidence gives it, a line a bucket. */
void report_histogram(FILE *out, const json_t *histogram, const char *indent);

/* Values as people read them: "99.8 %", "2.1 ms", "1.4 s", "12.3k"; "-" where value is no number. Return out. */
#define REPORT_CELL_SIZE 32
const char *report_percent(char out[REPORT_CELL_SIZE], const json_t *value);
const char *report_milliseconds(char out[REPORT_CELL_SIZE], const json_t *value);
const char *report_seconds(char out[REPORT_CELL_SIZE], const json_t *value);
const char *report_count(char out[REPORT_CELL_SIZE], const json_t *value);

/* Text from outside: control characters, which could drive the terminal, become '?'; newlines get the indent. */
void report_text(FILE *out, const char *text, const char *indent);

/*
 * Everything about one trial, for `eval show`. Shapes of the columns that others fill, each key may be missing:
 * expectations [{"name": "availability_min", "asked": x, "measured": x or null, "ok": bool}],
 * commands_json [{"name": "reset", "phase": "reset", "tries": n, "exec": s, "exit_code": n, "signal": n,
 * "timed_out": bool, "seconds": x, "output": s}]; evidence as fault_evidence() gives it, of several targets
 * {"seen", "hit", "bytes", "targets": {NODE: evidence}}.
 */
void report_trial(FILE *out, const json_t *trial, const json_t *attempts, const json_t *events);
/* The campaign's header: what, when, where, how it went. */
void report_campaign(FILE *out, const json_t *campaign);
