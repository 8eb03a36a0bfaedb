/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Prints results for people. */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* Prints the table of trials; shortens ids to fit 140 columns; colours it if out is a terminal. */
void report_table(FILE *out, const json_t *trials);
/* The same, but colours the table if reader_fd, which out's text goes to, is a terminal. */
void report_table_for(FILE *out, int reader_fd, const json_t *trials);
/* Prints {"count", "mean_us", "log2_us"} from fault_evidence, one line per bucket. */
void report_histogram(FILE *out, const json_t *histogram, const char *indent);

/* Prints the distribution of the delays in a fault's evidence, per device and direction; nothing without delays. */
void report_delays(FILE *out, const json_t *evidence);

/* Format a value as "99.8 %", "2.1 ms", "1.40 s" or "123.4k"; "-" if it is not a number. Return out. */
#define REPORT_CELL_SIZE 32
const char *report_percent(char out[REPORT_CELL_SIZE], const json_t *value);
const char *report_milliseconds(char out[REPORT_CELL_SIZE], const json_t *value);
const char *report_seconds(char out[REPORT_CELL_SIZE], const json_t *value);
const char *report_count(char out[REPORT_CELL_SIZE], const json_t *value);

/* Prints untrusted text: control characters become '?', except tabs; each newline is followed by indent. */
void report_text(FILE *out, const char *text, const char *indent);

/*
 * Prints everything about one trial, for `eval show`. Each key of these columns may be missing:
 * expectations [{"name": "availability_min", "asked": x, "measured": x or null, "ok": bool}],
 * commands_json [{"name": "reset", "phase": "reset", "tries": n, "exec": s, "exit_code": n, "signal": n,
 * "timed_out": bool, "seconds": x, "output": s}]; evidence from fault_evidence(), for several targets
 * {"seen", "hit", "bytes", "targets": {NODE: evidence}}.
 */
void report_trial(FILE *out, const json_t *trial, const json_t *attempts, const json_t *events);
/* Prints the campaign's header: id, status, trial counts, file, host and times. */
void report_campaign(FILE *out, const json_t *campaign);
