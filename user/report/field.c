/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Prints a name and its value, one line each. */
#include "report/internal.h"

#include "util/cleanup.h"
#include "util/json.h"
#include "util/terminal.h"
#include "util/text.h"

void field_text(FILE *out, const char *name, const char *text)
{
	if (!text)
		return;
	fprintf(out, "  %-14s", name);
	report_text(out, text, FIELD_INDENT);
	fputc('\n', out);
}

void field_string(FILE *out, const char *name, const json_t *row, const char *column)
{
	field_text(out, name, json_text_or(row, column, NULL));
}

void field_json(FILE *out, const char *name, const json_t *value)
{
	_cleanup_free_ char *text = NULL;

	if (!value || json_is_null(value))
		return;
	if (!json_is_string(value))
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
	field_text(out, name, text ?: json_string_value(value));
}

void print_wrapped(FILE *out, int reader_fd, void (*print)(FILE *out, const void *what), const void *what)
{
	_cleanup_free_ char *text = NULL, *wrapped = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return;
	print(memory, what);
	fclose(memory);
	wrapped = text_wrap(text, terminal_columns(reader_fd));
	fputs(wrapped ?: text, out);
}
