/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Internal to report/: a table that fits a terminal. On a narrow one, columns go in steps; one column is shortened. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define LAYOUT_CELL_SIZE 256
#define LAYOUT_COLUMNS_MAX 16

struct layout_column {
	const char *title;
	const char *group; /* printed above its first column; NULL: none */
	const char *brief; /* of the group, above a single column */
	bool text;         /* left-aligned */
	bool coloured;     /* by status or verdict */
	unsigned int drop; /* the step in which it goes; 0: never */
};

struct layout {
	/* Set by the caller. */
	struct layout_column columns[LAYOUT_COLUMNS_MAX];
	size_t count;
	/* Writes a row's cell in a column. */
	void (*fill)(char out[LAYOUT_CELL_SIZE], size_t column, const void *row);
	size_t flexible;     /* the column that is shortened */
	size_t least;        /* the characters that it keeps */
	unsigned int stacks; /* the step that puts that column on a line of its own; 0: none */
	size_t elsewhere;    /* the width of what is no terminal, where no column goes; 0: any */
	bool colour;

	/* What fits; zero-initialize. */
	bool shown[LAYOUT_COLUMNS_MAX];
	size_t widths[LAYOUT_COLUMNS_MAX]; /* in characters */
	bool stacked;
	/* The cells of all rows, each with its 0, for which fill is called once. */
	FILE *memory;
	char *cells;
	size_t cells_size, printed; /* printed: in bytes */
};

/* In this order: start, add each row, fit, print the header, print each row, free. -ENOMEM: print nothing. */
int layout_start(struct layout *layout);
void layout_add(struct layout *layout, const void *row);
/* terminal_width: of terminal_columns(). */
int layout_fit(struct layout *layout, size_t terminal_width);
void layout_print_header(FILE *out, const struct layout *layout);
/* Prints the next row, in the order in which they were added. */
void layout_print_row(FILE *out, struct layout *layout);
void layout_free(struct layout *layout);
/* Prints untrusted text, wrapped, below a row. */
void layout_note(FILE *out, const char *text, size_t terminal_width);
