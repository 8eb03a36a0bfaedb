/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a trial's samples say, and how results look on a terminal. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Monotonic ns, 0: it never came to that. */
struct report_times {
	uint64_t healthy_ns;  /* before starts */
	uint64_t injected_ns; /* during starts */
	uint64_t reverted_ns; /* after starts */
	uint64_t recovered_ns;
	uint64_t ended_ns; /* after ends; 0: with the last sample */
};

/*
 * The trial's `summary` from its samples (rows as store_samples_add takes them), a new reference:
 * {"before": W, "during": W, "after": W, "probes": {NAME: {"before": W, …}}, "recovery_seconds": s or null}, W is
 * {"count", "good", "availability", "p50_ms", "p99_ms", "max_ms"}. A sample belongs to the window in which it was
 * scheduled, but one that chaos began under is during; latencies are those of the good samples; what there are too few
 * samples for is null (p99: fewer than 100). Where nothing was injected, all is before. NULL when out of memory.
 */
json_t *report_summarize(const json_t *samples, const struct report_times *times);

/*
 * Nearest rank: the smallest value that at least percent % of the values do not exceed, so always one that was
 * measured. values is sorted, count > 0, percent 1…100.
 */
double report_percentile(const double *values, size_t count, unsigned int percent);

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
/* Over all targets, devices and both ways: packets that a full line dropped, and that matched but passed untouched. */
struct report_losses {
	json_int_t dropped, failed;
};
struct report_losses report_losses(const json_t *evidence);
/* What chaos did that it was not to do: "the line dropped 3 packets"; its length, 0 where there is nothing to tell. */
int report_loss(char *out, size_t size, const json_t *evidence);
/* Why a trial is no success, in one line; its length, 0 for a trial that needs no reason. */
int report_reason(char *out, size_t size, const json_t *trial);

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
/* "completed 8, failed 1; verdict fail 2" from {"planned": n, …, "total": n}; returns out. */
const char *report_progress(char *out, size_t size, const json_t *counts);
