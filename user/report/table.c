/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Prints the table of trials from a list of columns that fill their own cells. */
#include "report/internal.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "analysis/losses.h"
#include "analysis/outcome.h"
#include "plan/status.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/terminal.h"
#include "util/text.h"

#define TABLE_WIDTH 140 /* of what is no terminal */
#define CELL_SIZE 160
#define TRIAL_WIDTH_MIN 24
#define COLUMNS_MAX 16
#define DROPS 7  /* the steps in which columns go on a narrow terminal */
#define STACKS 5 /* the step that puts the trial on a line of its own */

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
	const char *brief;         /* of the group, above a single column */
	const char *window, *key;  /* members of the probe's summary */
	const char *(*format)(char out[REPORT_CELL_SIZE], const json_t *window, const char *key);
	void (*fill)(char *out, size_t size, const json_t *trial); /* of the trial's first row: replaces those three */
	bool text;                                                 /* left-aligned */
	bool coloured;
	unsigned int drop; /* the step in which it goes; 0: never */
};

/* What of the table fits. */
struct layout {
	bool shown[COLUMNS_MAX];
	size_t widths[COLUMNS_MAX];
	bool stacked; /* the trial is on a line of its own */
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
		.group = (name), .brief = (short_name), .title = (of), .window = (of), .key = (column_key), \
		.format = (column_format), .drop = (step) \
	}
#define WINDOWS(name, short_name, key, format, before, during, after) \
	WINDOW(name, short_name, "before", key, format, before), \
		WINDOW(name, short_name, "during", key, format, during), \
		WINDOW(name, short_name, "after", key, format, after)

static const struct table_column columns[] = {
	{.title = "trial", .fill = fill_trial, .text = true},
	{.title = "status", .fill = fill_status, .text = true, .coloured = true},
	{.title = "verdict", .fill = fill_verdict, .text = true, .coloured = true},
	{.title = "probe", .text = true},
	WINDOWS("availability", "avail.", "availability", availability, 3, 0, 2),
	WINDOWS("p50", "p50", "p50_ms", report_percentile, 4, 0, 2),
	WINDOWS("p99", "p99", "p99_ms", report_percentile, 1, 7, 1),
	{.title = "recover", .fill = fill_recovery, .drop = 6},
	{.title = "hits", .fill = fill_hits, .drop = 3},
};
_Static_assert(ARRAY_SIZE(columns) <= COLUMNS_MAX, "struct layout is too small");
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

/* The shown column before this one; the number of columns if there is none. */
static size_t shown_before(const struct layout *layout, size_t column)
{
	while (column-- > 0)
		if (layout->shown[column])
			return column;
	return ARRAY_SIZE(columns);
}

static bool same_group(size_t a, size_t b)
{
	return a < ARRAY_SIZE(columns) && b < ARRAY_SIZE(columns) && columns[a].group && columns[b].group &&
	       !strcmp(columns[a].group, columns[b].group);
}

static size_t gap_before(const struct layout *layout, size_t column)
{
	size_t before = shown_before(layout, column);

	if (before == ARRAY_SIZE(columns))
		return layout->stacked ? 2 : 0;
	return same_group(before, column) ? 1 : 2;
}

static bool is_alone(const struct layout *layout, size_t column)
{
	bool alone = true;

	for (size_t c = 0; c < ARRAY_SIZE(columns); c++)
		alone &= c == column || !layout->shown[c] || !same_group(c, column);
	return alone;
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

static size_t total_width(const struct layout *layout)
{
	size_t total = 0;

	for (size_t c = 0; c < ARRAY_SIZE(columns); c++)
		if (layout->shown[c])
			total += gap_before(layout, c) + layout->widths[c];
	return total;
}

/* Shortens the trials, as far as it must. False if that is not enough. */
static bool shorten_trials(struct layout *layout, size_t width)
{
	size_t total = total_width(layout), own = layout->widths[COLUMN_TRIAL], least;

	if (total <= width || layout->stacked)
		return total <= width;
	least = own < TRIAL_WIDTH_MIN ? own : TRIAL_WIDTH_MIN;
	layout->widths[COLUMN_TRIAL] = own > least + (total - width) ? own - (total - width) : least;
	return total_width(layout) <= width;
}

/* On a terminal columns go until the rest fits; elsewhere only trials become shorter. */
static void lay_out(struct layout *layout, const json_t *trials, size_t terminal_width)
{
	const json_t *trial;
	size_t i;

	*layout = (struct layout){};
	for (size_t c = 0; c < ARRAY_SIZE(columns); c++) {
		layout->shown[c] = true;
		layout->widths[c] = strlen(columns[c].title);
	}
	json_array_foreach (trials, i, trial)
		each_row(trial, widen, layout->widths);
	if (shorten_trials(layout, terminal_width ?: TABLE_WIDTH) || !terminal_width)
		return;
	for (unsigned int step = 1; step <= DROPS && !shorten_trials(layout, terminal_width); step++) {
		for (size_t c = 0; c < ARRAY_SIZE(columns); c++)
			layout->shown[c] &= columns[c].drop != step;
		if (step == STACKS) {
			layout->stacked = true;
			layout->shown[COLUMN_TRIAL] = false;
		}
	}
}

static void print_header(FILE *out, const struct layout *layout)
{
	size_t at = 0, printed = 0;

	for (size_t c = 0; c < ARRAY_SIZE(columns); c++) {
		if (!layout->shown[c])
			continue;
		at += gap_before(layout, c);
		if (columns[c].group && !same_group(shown_before(layout, c), c))
			printed += (size_t)fprintf(out, "%*s%s", (int)(at - printed), "",
						   is_alone(layout, c) ? columns[c].brief : columns[c].group);
		at += layout->widths[c];
	}
	fputc('\n', out);
	for (size_t c = 0; c < ARRAY_SIZE(columns); c++)
		if (layout->shown[c])
			fprintf(out, columns[c].text ? "%*s%-*s" : "%*s%*s", (int)gap_before(layout, c), "",
				(int)layout->widths[c], columns[c].title);
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
	struct layout layout;
	bool colour;
};

static void print_row(const struct table_row *row, void *data)
{
	const struct printing *printing = data;
	const struct layout *layout = &printing->layout;
	FILE *out = printing->out;

	if (layout->stacked && row->is_first) {
		report_text(out, json_text_or(row->trial, "id", "?"), "");
		fputc('\n', out);
	}
	for (size_t c = 0; c < ARRAY_SIZE(columns); c++) {
		char cell[CELL_SIZE];
		const char *start;

		if (!layout->shown[c])
			continue;
		fill_cell(cell, &columns[c], row);
		shorten(cell, layout->widths[c]);
		start = printing->colour && columns[c].coloured ? colour_of(cell) : "";
		fprintf(out, "%*s", (int)gap_before(layout, c), "");
		if (start[0])
			terminal_code(out, start);
		fprintf(out, columns[c].text ? "%-*s" : "%*s", (int)layout->widths[c], cell);
		if (start[0])
			terminal_code(out, "\033[0m");
	}
	fputc('\n', out);
}

static void print_note(FILE *out, const char *text, size_t width)
{
	_cleanup_free_ char *wrapped = text_wrap(text, width > 8 ? width - 4 : 0);

	fputs("    ", out);
	report_text(out, wrapped ?: text, "    ");
	fputc('\n', out);
}

void report_table(FILE *out, int reader_fd, const json_t *trials)
{
	struct printing printing = {.out = out, .colour = isatty(reader_fd) == 1};
	size_t width = terminal_columns(reader_fd), i;
	const json_t *trial;

	lay_out(&printing.layout, trials, width);
	print_header(out, &printing.layout);
	json_array_foreach (trials, i, trial) {
		char text[1024];

		each_row(trial, print_row, &printing);
		if (outcome_reason(text, sizeof(text), trial) > 0)
			print_note(out, text, width);
		if (losses_describe(text, sizeof(text), json_object_get(trial, "evidence")) > 0)
			print_note(out, text, width);
	}
}
