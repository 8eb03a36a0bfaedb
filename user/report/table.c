/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Prints the table of trials from a list of columns that fill their own cells. */
#include "report/internal.h"

#include <errno.h>
#include <stdbool.h>

#include "analysis/losses.h"
#include "analysis/outcome.h"
#include "analysis/summary.h"
#include "plan/status.h"
#include "report/layout.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/terminal.h"

#define TABLE_WIDTH 140 /* of what is no terminal */
#define TRIAL_WIDTH_MIN 24
#define STACKS 5 /* the step that puts the trial on a line of its own */

/* A trial has a row for each of its probes, or one if it has none. */
struct table_row {
	const json_t *trial, *windows; /* windows: of the probe's summary; NULL: none */
	const char *probe;
	bool is_first;
};

struct table_column {
	struct layout_column layout;
	const char *window, *key; /* members of the probe's summary */
	const char *(*format)(char out[REPORT_CELL_SIZE], const json_t *window, const char *key);
	void (*fill)(char *out, size_t size, const json_t *trial); /* of the trial's first row: replaces those three */
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

#define WINDOW(name, short_name, of, column_key, column_format, step) \
	{ \
		.layout = {.group = (name), .brief = (short_name), .title = (of), .drop = (step)}, .window = (of), \
		.key = (column_key), .format = (column_format) \
	}
#define WINDOWS(name, short_name, key, format, before, during, after) \
	WINDOW(name, short_name, "before", key, format, before), \
		WINDOW(name, short_name, "during", key, format, during), \
		WINDOW(name, short_name, "after", key, format, after)

static const struct table_column columns[] = {
	{.layout = {.title = "trial", .text = true}, .fill = fill_trial},
	{.layout = {.title = "status", .text = true, .coloured = true}, .fill = fill_status},
	{.layout = {.title = "verdict", .text = true, .coloured = true}, .fill = fill_verdict},
	{.layout = {.title = "probe", .text = true}},
	WINDOWS("availability", "avail.", "availability", availability, 3, 0, 2),
	WINDOWS("p50", "p50", "p50_ms", report_percentile, 4, 0, 2),
	WINDOWS("p99", "p99", "p99_ms", report_percentile, 1, 7, 1),
	{.layout = {.title = "recover", .drop = 6}, .fill = fill_recovery},
	{.layout = {.title = "hits", .drop = 3}, .fill = fill_hits},
};
_Static_assert(ARRAY_SIZE(columns) <= LAYOUT_COLUMNS_MAX, "struct layout is too small");
_Static_assert(REPORT_CELL_SIZE <= LAYOUT_CELL_SIZE, "a formatted value does not fit a cell");
#define COLUMN_TRIAL 0

static void fill_cell(char out[LAYOUT_CELL_SIZE], size_t at, const void *data)
{
	const struct table_column *column = &columns[at];
	const struct table_row *row = data;

	out[0] = '\0';
	if (column->fill && row->is_first)
		column->fill(out, LAYOUT_CELL_SIZE, row->trial);
	else if (column->window)
		column->format(out, json_object_get(row->windows, column->window), column->key);
	else if (!column->fill)
		snprintf(out, LAYOUT_CELL_SIZE, "%s", row->probe);
}

struct table {
	struct layout layout;
	FILE *out;
	const json_t *last; /* the trial of the last row that was added */
};

static void add_row(const json_t *trial, const char *probe, const json_t *windows, void *data)
{
	struct table *table = data;
	const struct table_row row = {.trial = trial,
				      .windows = windows,
				      .probe = probe ?: "-",
				      .is_first = trial != table->last};

	table->last = trial;
	layout_add(&table->layout, &row);
}

static void print_row(const json_t *trial, const char *probe, const json_t *windows, void *data)
{
	struct table *table = data;

	layout_print_row(table->out, &table->layout);
}

static int lay_out(struct table *table, const json_t *trials, size_t terminal_width)
{
	const json_t *trial;
	size_t i;

	for (size_t c = 0; c < ARRAY_SIZE(columns); c++)
		table->layout.columns[c] = columns[c].layout;
	if (layout_start(&table->layout))
		return -ENOMEM;
	json_array_foreach (trials, i, trial)
		summary_each_probe(trial, add_row, table);
	return layout_fit(&table->layout, terminal_width);
}

static void print_rows(struct table *table, const json_t *trials, size_t terminal_width)
{
	const json_t *trial;
	size_t i;

	layout_print_header(table->out, &table->layout);
	json_array_foreach (trials, i, trial) {
		char text[1024];

		summary_each_probe(trial, print_row, table);
		if (outcome_reason(text, sizeof(text), trial) > 0)
			layout_note(table->out, text, terminal_width);
		if (losses_describe(text, sizeof(text), json_object_get(trial, "evidence")) > 0)
			layout_note(table->out, text, terminal_width);
	}
}

void report_table(FILE *out, int reader_fd, const json_t *trials)
{
	struct table table = {
		.layout = {.count = ARRAY_SIZE(columns),
			   .fill = fill_cell,
			   .flexible = COLUMN_TRIAL,
			   .least = TRIAL_WIDTH_MIN,
			   .stacks = STACKS,
			   .elsewhere = TABLE_WIDTH,
			   .colour = terminal_has_colour(reader_fd)},
		.out = out,
	};
	size_t width = terminal_columns(reader_fd);

	if (!lay_out(&table, trials, width))
		print_rows(&table, trials, width);
	layout_free(&table.layout);
}
