/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Prints the list of campaigns. */
#include <string.h>

#include "analysis/outcome.h"
#include "report/internal.h"
#include "report/layout.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/terminal.h"

#define LABEL_WIDTH_MIN 10

enum { COLUMN_ID, COLUMN_LABEL, COLUMN_STARTED, COLUMN_STATUS, COLUMN_TRIALS, COLUMN_PROGRESS, COLUMN_COUNT };
_Static_assert(COLUMN_COUNT <= LAYOUT_COLUMNS_MAX, "struct layout is too small");

/* What goes first can be seen elsewhere: the id has the time, and the numbers by status have a line of their own. */
static const struct layout_column columns[COLUMN_COUNT] = {
	[COLUMN_ID] = {.title = "campaign", .text = true},
	[COLUMN_LABEL] = {.title = "label", .text = true},
	[COLUMN_STARTED] = {.title = "started", .text = true, .drop = 1},
	[COLUMN_STATUS] = {.title = "status", .text = true},
	[COLUMN_TRIALS] = {.title = "trials", .drop = 3},
	[COLUMN_PROGRESS] = {.title = "of them", .text = true, .drop = 2},
};

static void progress_of(char out[LAYOUT_CELL_SIZE], const json_t *campaign)
{
	outcome_progress(out, LAYOUT_CELL_SIZE, json_object_get(campaign, "trials"));
}

static void fill_campaign(char out[LAYOUT_CELL_SIZE], size_t column, const void *campaign)
{
	const char *status = json_text_or(campaign, "status", "?");

	if (column == COLUMN_ID)
		snprintf(out, LAYOUT_CELL_SIZE, "%s", json_text_or(campaign, "id", "?"));
	else if (column == COLUMN_LABEL)
		snprintf(out, LAYOUT_CELL_SIZE, "%s", json_text_or(campaign, "label", "-"));
	else if (column == COLUMN_STARTED)
		/* Cut to seconds: "2026-11-23T21:56:43". */
		snprintf(out, LAYOUT_CELL_SIZE, "%.19sZ",
			 json_text_or(campaign, "started_at", json_text_or(campaign, "created_at", "-")));
	else if (column == COLUMN_STATUS)
		snprintf(out, LAYOUT_CELL_SIZE, "%s",
			 json_is_false(json_object_get(campaign, "alive")) ? "dead" : status);
	else if (column == COLUMN_TRIALS)
		snprintf(out, LAYOUT_CELL_SIZE, "%lld",
			 (long long)json_integer_at(json_object_get(campaign, "trials"), "total"));
	else
		progress_of(out, campaign);
}

static void print_list(FILE *out, struct layout *layout, const json_t *campaigns, size_t terminal_width)
{
	const json_t *campaign;
	size_t i;

	layout_print_header(out, layout);
	json_array_foreach (campaigns, i, campaign) {
		char progress[LAYOUT_CELL_SIZE];

		layout_print_row(out, layout);
		progress_of(progress, campaign);
		if (!layout->shown[COLUMN_PROGRESS] && *progress)
			layout_note(out, progress, terminal_width);
	}
}

void report_list(FILE *out, int reader_fd, const json_t *campaigns)
{
	struct layout layout = {.count = COLUMN_COUNT,
				.fill = fill_campaign,
				.flexible = COLUMN_LABEL,
				.least = LABEL_WIDTH_MIN};
	size_t width = terminal_columns(reader_fd), i;
	const json_t *campaign;

	memcpy(layout.columns, columns, sizeof(columns));
	if (!layout_start(&layout)) {
		json_array_foreach (campaigns, i, campaign)
			layout_add(&layout, campaign);
		if (!layout_fit(&layout, width))
			print_list(out, &layout, campaigns, width);
	}
	layout_free(&layout);
}
