/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Prints the table of trials from a list of columns that fill their own cells. */
#include "report/report.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "analysis/losses.h"
#include "analysis/outcome.h"
#include "plan/status.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/terminal.h"

#define TABLE_WIDTH 140
#define CELL_SIZE 160
#define TRIAL_WIDTH_MIN 24

#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"

/* A trial has a row for each of its probes, or one if it has none. */
struct table_row {
	const json_t *trial, *probe; /* probe: of the summary; NULL: none */
	const char *probe_name;
	bool is_first;
};

struct table_column {
	const char *group, *title; /* group: printed above its first column */
	const char *window, *key;  /* members of the probe's summary */
	const char *(*format)(char out[REPORT_CELL_SIZE], const json_t *window, const char *key);
	void (*fill)(char *out, size_t size, const json_t *trial); /* of the trial's first row: replaces those three */
	bool text;                                                 /* left-aligned */
	bool tight;                                                /* one space before it */
	bool coloured;
};

static const char *availability(char out[REPORT_CELL_SIZE], const json_t *window, const char *key)
{
	return report_percent(out, json_object_get(window, key));
}

static void fill_trial(char *out, size_t size, const json_t *trial)
{
	snprintf(out, size, "%s", json_text_or(trial, "id", "?"));
}

static void fill_status(char *out, size_t size, const json_t *trial)
{
	snprintf(out, size, "%s", json_text_or(trial, "status", "?"));
}

static void fill_verdict(char *out, size_t size, const json_t *trial)
{
	const char *verdict = json_text_or(trial, "verdict", verdict_name(VERDICT_NONE));

	snprintf(out, size, "%s", verdict_find(verdict) == VERDICT_NONE ? "-" : verdict);
}

static void fill_recovery(char *out, size_t size, const json_t *trial)
{
	char cell[REPORT_CELL_SIZE];

	snprintf(out, size, "%s",
		 report_seconds(cell, json_object_get(json_object_get(trial, "summary"), "recovery_seconds")));
}

static void fill_hits(char *out, size_t size, const json_t *trial)
{
	char cell[REPORT_CELL_SIZE];

	snprintf(out, size, "%s", report_count(cell, json_object_get(json_object_get(trial, "evidence"), "hit")));
}

#define WINDOWS(name, column_key, column_format) \
	{.group = name, .title = "before", .window = "before", .key = column_key, .format = column_format}, \
		{.title = "during", .window = "during", .key = column_key, .format = column_format, .tight = true}, \
	{ \
		.title = "after", .window = "after", .key = column_key, .format = column_format, .tight = true \
	}

static const struct table_column columns[] = {
	{.title = "trial", .fill = fill_trial, .text = true},
	{.title = "status", .fill = fill_status, .text = true, .coloured = true},
	{.title = "verdict", .fill = fill_verdict, .text = true, .coloured = true},
	{.title = "probe", .text = true},
	WINDOWS("availability", "availability", availability),
	WINDOWS("p50", "p50_ms", report_percentile),
	WINDOWS("p99", "p99_ms", report_percentile),
	{.title = "recover", .fill = fill_recovery},
	{.title = "hits", .fill = fill_hits},
};
#define COLUMN_TRIAL 0

static void fill_cell(char out[CELL_SIZE], const struct table_column *column, const struct table_row *row)
{
	char cell[REPORT_CELL_SIZE];

	out[0] = '\0';
	if (column->fill && row->is_first)
		column->fill(out, CELL_SIZE, row->trial);
	else if (column->window)
		snprintf(out, CELL_SIZE, "%s",
			 column->format(cell, json_object_get(row->probe, column->window), column->key));
	else if (!column->fill)
		snprintf(out, CELL_SIZE, "%s", row->probe_name);
}

/* Calls visit with each row of a trial. */
static void each_row(const json_t *trial, void (*visit)(const struct table_row *row, void *data), void *data)
{
	struct table_row row = {.trial = trial, .probe_name = "-", .is_first = true};
	json_t *probes = json_object_get(json_object_get(trial, "summary"), "probes"), *probe;
	const char *name;

	if (!json_object_size(probes))
		visit(&row, data);
	json_object_foreach (probes, name, probe) {
		row.probe = probe;
		row.probe_name = name;
		visit(&row, data);
		row.is_first = false;
	}
}

static size_t gap_before(size_t column)
{
	return !column ? 0 : columns[column].tight ? 1 : 2;
}

static void widen(const struct table_row *row, void *data)
{
	size_t *widths = data;

	for (size_t c = 0; c < ARRAY_SIZE(columns); c++) {
		char cell[CELL_SIZE];

		fill_cell(cell, &columns[c], row);
		if (strlen(cell) > widths[c])
			widths[c] = strlen(cell);
	}
}

static void measure(size_t widths[ARRAY_SIZE(columns)], const json_t *trials)
{
	size_t total = 0, i;
	const json_t *trial;

	for (size_t c = 0; c < ARRAY_SIZE(columns); c++)
		widths[c] = strlen(columns[c].title);
	json_array_foreach (trials, i, trial)
		each_row(trial, widen, widths);
	for (size_t c = 0; c < ARRAY_SIZE(columns); c++)
		total += gap_before(c) + widths[c];
	if (total > TABLE_WIDTH) {
		size_t excess = total - TABLE_WIDTH, width = widths[COLUMN_TRIAL];

		widths[COLUMN_TRIAL] = width > TRIAL_WIDTH_MIN + excess ? width - excess
				       : width < TRIAL_WIDTH_MIN        ? width
									: TRIAL_WIDTH_MIN;
	}
}

static void print_header(FILE *out, const size_t widths[ARRAY_SIZE(columns)])
{
	size_t at = 0, printed = 0;

	for (size_t c = 0; c < ARRAY_SIZE(columns); c++) {
		at += gap_before(c);
		if (columns[c].group)
			printed += (size_t)fprintf(out, "%*s%s", (int)(at - printed), "", columns[c].group);
		at += widths[c];
	}
	fputc('\n', out);
	for (size_t c = 0; c < ARRAY_SIZE(columns); c++)
		fprintf(out, columns[c].text ? "%*s%-*s" : "%*s%*s", (int)gap_before(c), "", (int)widths[c],
			columns[c].title);
	fputc('\n', out);
}

/* Shortens an id to its start and its end, which differs between the trials of one chaos type. */
static void shorten(char cell[CELL_SIZE], size_t width)
{
	size_t length = strlen(cell), tail = width / 3;

	if (length <= width)
		return;
	memmove(cell + width - tail, cell + length - tail, tail + 1);
	memcpy(cell + width - tail - 2, "..", 2);
}

static const char *colour_of(const char *cell)
{
	static const char *const of_status[STATUS_COUNT + 1] = {
		[STATUS_FAILED] = RED,
		[STATUS_VOID] = YELLOW,
		[STATUS_INTERRUPTED] = YELLOW,
	};
	static const char *const of_verdict[VERDICT_COUNT + 1] = {
		[VERDICT_PASS] = GREEN,
		[VERDICT_FAIL] = RED,
		[VERDICT_INCONCLUSIVE] = YELLOW,
	};

	return of_status[status_find(cell)] ?: of_verdict[verdict_find(cell)] ?: "";
}

struct printing {
	FILE *out;
	size_t widths[ARRAY_SIZE(columns)];
	bool colour;
};

static void print_row(const struct table_row *row, void *data)
{
	const struct printing *printing = data;
	const size_t *widths = printing->widths;
	FILE *out = printing->out;

	for (size_t c = 0; c < ARRAY_SIZE(columns); c++) {
		char cell[CELL_SIZE];
		const char *start;

		fill_cell(cell, &columns[c], row);
		shorten(cell, widths[c]);
		start = printing->colour && columns[c].coloured ? colour_of(cell) : "";
		fprintf(out, "%*s", (int)gap_before(c), "");
		if (start[0])
			terminal_code(out, start);
		fprintf(out, columns[c].text ? "%-*s" : "%*s", (int)widths[c], cell);
		if (start[0])
			terminal_code(out, "\033[0m");
	}
	fputc('\n', out);
}

static void print_note(FILE *out, const char *text)
{
	fputs("    ", out);
	report_text(out, text, "    ");
	fputc('\n', out);
}

void report_table_for(FILE *out, int reader_fd, const json_t *trials)
{
	struct printing printing = {.out = out, .colour = isatty(reader_fd) == 1};
	const json_t *trial;
	size_t i;

	measure(printing.widths, trials);
	print_header(out, printing.widths);
	json_array_foreach (trials, i, trial) {
		char text[1024];

		each_row(trial, print_row, &printing);
		if (outcome_reason(text, sizeof(text), trial) > 0)
			print_note(out, text);
		if (losses_describe(text, sizeof(text), json_object_get(trial, "evidence")) > 0)
			print_note(out, text);
	}
}

void report_table(FILE *out, const json_t *trials)
{
	report_table_for(out, terminal_fd(out), trials);
}
