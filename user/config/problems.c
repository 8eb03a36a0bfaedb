/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Collects the problems of a file and prints them in the order of their places. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/reader.h"
#include "util/text.h"

#define PRINTED_MAX 100
#define KEPT_MAX 10000
#define TYPES_NAMED_MAX 32

static void report(struct reader *reader, const struct place *place, enum severity severity, const char *fmt,
		   va_list ap)
{
	struct problem *grown;
	char *text = NULL;

	if (severity == SEVERITY_ERROR)
		reader->failed = true;
	if (reader->problem_count >= KEPT_MAX) {
		reader->problem_dropped++;
		return;
	}
	grown = realloc(reader->problems, (reader->problem_count + 1) * sizeof(*grown));
	if (!grown || vasprintf(&text, fmt, ap) < 0) {
		reader->problems = grown ?: reader->problems;
		reader->problem_dropped++;
		return;
	}
	reader->problems = grown;
	grown[reader->problem_count++] = (struct problem){.place = *place, .severity = severity, .text = text};
}

void problem_error(struct reader *reader, const struct place *place, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(reader, place, SEVERITY_ERROR, fmt, ap);
	va_end(ap);
}

void problem_warning(struct reader *reader, const struct place *place, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(reader, place, SEVERITY_WARNING, fmt, ap);
	va_end(ap);
}

bool problem_exists(const struct reader *reader, const struct place *place)
{
	for (size_t i = 0; i < reader->problem_count; i++) {
		const struct place *other = &reader->problems[i].place;

		if (other->file == place->file && other->line == place->line && other->column == place->column)
			return true;
	}
	return false;
}

const char *problem_hint(char *out, size_t size, const char *text, const char *const *known, size_t count)
{
	const char *nearest = text_nearest(text, known, count);

	if (nearest) {
		snprintf(out, size, "did you mean '%s'?", nearest);
		return out;
	}
	snprintf(out, size, "known are ");
	for (size_t i = 0; i < count; i++)
		text_append(out, size, "%s%s", i ? ", " : "", known[i]);
	return out;
}

void problem_unknown_key(struct reader *reader, const struct place *place, const char *what, const char *name,
			 const char *const *known, size_t known_count)
{
	char hint[1034];

	problem_error(reader, place, "unknown key '%.*s' in %s; %s", text_cut(name, 60), name, what,
		      problem_hint(hint, sizeof(hint), name, known, known_count));
}

void problem_unknown_type(struct reader *reader, const struct ynode *node, const char *type)
{
	const char *known[TYPES_NAMED_MAX];
	size_t count = 0;
	char hint[522];

	for (const struct chaos_ops *ops = chaos_next(NULL); ops && count < TYPES_NAMED_MAX; ops = chaos_next(ops))
		known[count++] = ops->name;
	problem_error(reader, &node->place, "no chaos type '%.*s'; %s", text_cut(type, 60), type,
		      problem_hint(hint, sizeof(hint), type, known, count));
}

void problem_duplicate_name(struct reader *reader, const struct ynode *item, const char *what, const char *name,
			    unsigned int first_line)
{
	const struct ynode *place = ynode_find(item, "name") ?: item;

	problem_error(reader, &place->place, "two of the %ss are named '%s'; the first is on line %u", what, name,
		      first_line);
}

static size_t file_index(const struct reader *reader, const char *file)
{
	size_t i = 0;

	while (i < reader->document_count && reader->documents[i].file != file)
		i++;
	return i;
}

static int compare_problems(const void *a, const void *b, void *arg)
{
	const struct problem *x = a, *y = b;
	size_t x_file = file_index(arg, x->place.file), y_file = file_index(arg, y->place.file);

	if (x_file != y_file)
		return x_file < y_file ? -1 : 1;
	if (x->place.line != y->place.line)
		return x->place.line < y->place.line ? -1 : 1;
	if (x->place.column != y->place.column)
		return x->place.column < y->place.column ? -1 : 1;
	return strcmp(x->text, y->text);
}

void problems_print(struct reader *reader, FILE *out)
{
	size_t printed = 0, left = reader->problem_dropped;

	if (!reader->problem_count)
		return;
	qsort_r(reader->problems, reader->problem_count, sizeof(*reader->problems), compare_problems, reader);
	for (size_t i = 0; i < reader->problem_count; i++) {
		const struct problem *problem = &reader->problems[i];

		/* Several combinations may report the same problem of a shared setting. */
		if (i && !compare_problems(problem - 1, problem, reader))
			continue;
		if (printed == PRINTED_MAX) {
			left++;
			continue;
		}
		fprintf(out, "%s:%u:%u: %s: ", problem->place.file, problem->place.line, problem->place.column,
			problem->severity == SEVERITY_WARNING ? "warning" : "error");
		text_print(problem->text, out);
		fputc('\n', out);
		printed++;
	}
	if (left)
		fprintf(out, "%s: error: %zu more problems are not shown\n", reader->documents[0].file, left);
}

void problems_clear(struct reader *reader)
{
	for (size_t i = 0; i < reader->problem_count; i++)
		free(reader->problems[i].text);
	free(reader->problems);
	reader->problems = NULL;
	reader->problem_count = 0;
}
