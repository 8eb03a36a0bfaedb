/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Prints results for people. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * Prints the table of trials. If reader_fd, which out's text goes to, is a terminal, it is coloured, and no line is
 * longer than the terminal is wide (from 60 columns on): columns go, or each trial gets a line of its own. Elsewhere
 * ids are shortened to fit 140 columns.
 */
void report_table(FILE *out, int reader_fd, const json_t *trials);
/*
 * Prints the list of campaigns, whose rows have "alive", too: false is "dead", though it is recorded as running. On a
 * terminal it fits likewise; elsewhere nothing is shortened.
 */
void report_list(FILE *out, int reader_fd, const json_t *campaigns);
/* Prints what each chaos type did to each probe, and what the comparison with the baseline claims; wrapped likewise. */
void report_conclusions(FILE *out, int reader_fd, const json_t *trials);
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

/* A percentile of a summary's window: milliseconds, "<100" if there are fewer good samples, "-" without any. Returns
 * out. */
const char *report_percentile(char out[REPORT_CELL_SIZE], const json_t *window, const char *key);

/* Prints untrusted text: control characters become '?', except tabs; each newline is followed by indent. */
void report_text(FILE *out, const char *text, const char *indent);

/*
 * Prints everything about one trial, for `eval show`. Each key of these columns may be missing:
 * expectations: see analysis/expectations.h;
 * commands_json [{"name": "reset", "phase": "reset", "tries": n, "exec": s, "exit_code": n, "signal": n,
 * "timed_out": bool, "seconds": x, "output": s}]; evidence from fault_evidence(), for several targets
 * {"seen", "hit", "bytes", "targets": {NODE: evidence}}.
 */
void report_trial(FILE *out, const json_t *trial, const json_t *attempts, const json_t *events);
/* Prints a comparison of campaign b with campaign a, or of b's trials with their baseline; wrapped likewise. */
struct report_comparison {
	const char *a, *b; /* ids */
	bool with_baseline;
	bool with_needed;          /* also how many trials the smallest effect that counts would need */
	const json_t *trials;      /* of a */
	const json_t *comparisons; /* of compare_trials (analysis/compare.h) */
};
void report_compare(FILE *out, int reader_fd, const struct report_comparison *comparison);
/* Prints the campaign's header: id, status, trial counts, file, host and times; wrapped likewise. */
void report_campaign(FILE *out, int reader_fd, const json_t *campaign);

/* --- Formats for other programs: report/formats.c -------------------------------------------------------------------
 */

struct report_sample {
	unsigned int attempt;
	const char *probe, *error, *phase; /* of untrusted text; error is NULL if there was none */
	int64_t scheduled_ns, started_at_ns, latency_ns;
	bool ok;
};
struct report_metric {
	unsigned int attempt;
	const char *source, *series, *phase; /* of untrusted text; source "kernel": hits of the node `series` */
	int64_t at_ns;                       /* CLOCK_MONOTONIC */
	double value;
	bool is_rate; /* per second */
};
/* What a report is made of. Rows are those of store/store.h. */
struct report_source {
	const json_t *campaign, *trials;
	const json_t *events; /* of the campaign and its trials */
	bool is_partial;      /* the campaign has not ended */
	/* Calls visit with each sample of a trial, until it returns other than 0. 0 or a negative errno. */
	int (*each_sample)(const char *trial, int (*visit)(const struct report_sample *sample, void *data), void *data,
			   void *own);
	/* The same with the metrics. */
	int (*each_metric)(const char *trial, int (*visit)(const struct report_metric *metric, void *data), void *data,
			   void *own);
	void *own; /* of the two functions */
};
struct report_format {
	const char *name; /* of the option --NAME FILE */
	const char *help;
	/* 0 or a negative errno of source; the stream keeps its own errors. */
	int (*write)(FILE *out, const struct report_source *source);
};
extern const struct report_format report_formats[]; /* ends with {} */
