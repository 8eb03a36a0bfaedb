/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plan/status.h"
#include "report/report.h"
#include "util/cleanup.h"
#include "util/terminal.h"
#include "util/text.h"

#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"

/* The shown column before this one; the number of columns if there is none. */
static size_t shown_before(const struct layout *layout, size_t column)
{
	while (column-- > 0)
		if (layout->shown[column])
			return column;
	return layout->count;
}

static bool same_group(const struct layout *layout, size_t a, size_t b)
{
	const char *of_a = a < layout->count ? layout->columns[a].group : NULL;
	const char *of_b = b < layout->count ? layout->columns[b].group : NULL;

	return of_a && of_b && !strcmp(of_a, of_b);
}

static size_t gap_before(const struct layout *layout, size_t column)
{
	size_t before = shown_before(layout, column);

	if (before == layout->count)
		return layout->stacked ? 2 : 0;
	return same_group(layout, before, column) ? 1 : 2;
}

static bool is_alone(const struct layout *layout, size_t column)
{
	bool alone = true;

	for (size_t c = 0; c < layout->count; c++)
		alone &= c == column || !layout->shown[c] || !same_group(layout, c, column);
	return alone;
}

int layout_start(struct layout *layout)
{
	layout->memory = open_memstream(&layout->cells, &layout->cells_size);
	for (size_t c = 0; c < layout->count; c++) {
		layout->shown[c] = true;
		layout->widths[c] = strlen(layout->columns[c].title);
	}
	return layout->memory ? 0 : -ENOMEM;
}

void layout_add(struct layout *layout, const void *row)
{
	for (size_t c = 0; c < layout->count; c++) {
		char cell[LAYOUT_CELL_SIZE];
		size_t size, length;

		layout->fill(cell, c, row);
		size = strlen(cell);
		length = text_characters(cell, size);
		layout->widths[c] = length > layout->widths[c] ? length : layout->widths[c];
		fwrite(cell, 1, size + 1, layout->memory);
	}
}

void layout_free(struct layout *layout)
{
	if (layout->memory)
		fclose(layout->memory);
	free(layout->cells);
}

static size_t total_width(const struct layout *layout)
{
	size_t total = 0;

	for (size_t c = 0; c < layout->count; c++)
		if (layout->shown[c])
			total += gap_before(layout, c) + layout->widths[c];
	return total;
}

/* Shortens the flexible column, from its whole width, as far as it must. False if that is not enough. */
static bool shorten_column(struct layout *layout, size_t whole, size_t width)
{
	size_t total, least = whole < layout->least ? whole : layout->least;

	layout->widths[layout->flexible] = whole;
	total = total_width(layout);
	if (total <= width || !layout->shown[layout->flexible])
		return total <= width;
	layout->widths[layout->flexible] = whole > least + (total - width) ? whole - (total - width) : least;
	return total_width(layout) <= width;
}

static unsigned int last_step(const struct layout *layout)
{
	unsigned int last = layout->stacks;

	for (size_t c = 0; c < layout->count; c++)
		if (layout->columns[c].drop > last)
			last = layout->columns[c].drop;
	return last;
}

static void drop_columns(struct layout *layout, unsigned int step)
{
	for (size_t c = 0; c < layout->count; c++)
		layout->shown[c] &= layout->columns[c].drop != step;
	if (step != layout->stacks)
		return;
	layout->stacked = true;
	layout->shown[layout->flexible] = false;
}

int layout_fit(struct layout *layout, size_t terminal_width)
{
	size_t width = terminal_width ?: layout->elsewhere, whole = layout->widths[layout->flexible];
	bool fits = !width || shorten_column(layout, whole, width);

	for (unsigned int step = 1; terminal_width && !fits && step <= last_step(layout); step++) {
		drop_columns(layout, step);
		fits = shorten_column(layout, whole, width);
	}
	return fflush(layout->memory) ? -ENOMEM : 0;
}

static void print_groups(FILE *out, const struct layout *layout)
{
	size_t at = 0, printed = 0;

	for (size_t c = 0; c < layout->count; c++) {
		const struct layout_column *column = &layout->columns[c];

		if (!layout->shown[c])
			continue;
		at += gap_before(layout, c);
		if (column->group && !same_group(layout, shown_before(layout, c), c))
			printed += (size_t)fprintf(out, "%*s%s", (int)(at - printed), "",
						   is_alone(layout, c) ? column->brief : column->group);
		at += layout->widths[c];
	}
	if (printed)
		fputc('\n', out);
}

static bool is_last(const struct layout *layout, size_t column)
{
	for (size_t c = column + 1; c < layout->count; c++)
		if (layout->shown[c])
			return false;
	return true;
}

/* Of a table, most of the output; "%*s" takes several times as long. */
static void print_blanks(FILE *out, size_t count)
{
	static const char blanks[] = "                                ";

	for (size_t part; count; count -= part) {
		part = count < strlen(blanks) ? count : strlen(blanks);
		fwrite(blanks, 1, part, out);
	}
}

static void print_cell(FILE *out, const struct layout *layout, size_t column, const char *cell, const char *code)
{
	size_t length = text_characters(cell, strlen(cell)), width = layout->widths[column];
	size_t blanks = width > length ? width - length : 0;
	bool text = layout->columns[column].text;

	print_blanks(out, gap_before(layout, column) + (text ? 0 : blanks));
	if (code[0])
		terminal_code(out, code);
	fputs(cell, out);
	if (code[0])
		terminal_code(out, "\033[0m");
	/* Nothing pads the end of a line. */
	if (text && !is_last(layout, column))
		print_blanks(out, blanks);
}

void layout_print_header(FILE *out, const struct layout *layout)
{
	print_groups(out, layout);
	for (size_t c = 0; c < layout->count; c++)
		if (layout->shown[c])
			print_cell(out, layout, c, layout->columns[c].title, "");
	fputc('\n', out);
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

static void print_stacked(FILE *out, const struct layout *layout)
{
	const char *cell = layout->cells + layout->printed;

	for (size_t c = 0; c < layout->flexible; c++)
		cell += strlen(cell) + 1;
	report_text(out, cell, "");
	if (cell[0])
		fputc('\n', out);
}

void layout_print_row(FILE *out, struct layout *layout)
{
	if (layout->stacked)
		print_stacked(out, layout);
	for (size_t c = 0; c < layout->count; c++) {
		char *cell = layout->cells + layout->printed;

		layout->printed += strlen(cell) + 1;
		if (!layout->shown[c])
			continue;
		text_shorten(cell, layout->widths[c]);
		print_cell(out, layout, c, cell, layout->colour && layout->columns[c].coloured ? colour_of(cell) : "");
	}
	fputc('\n', out);
}

void layout_note(FILE *out, const char *text, size_t terminal_width)
{
	_cleanup_free_ char *wrapped = text_wrap(text, terminal_width > 8 ? terminal_width - 4 : 0);

	fputs("    ", out);
	report_text(out, wrapped ?: text, "    ");
	fputc('\n', out);
}
