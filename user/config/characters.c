/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names characters that look like others, in a file that has errors: what YAML says of them does not help. */
#include <stdio.h>
#include <string.h>

#include "config/reader.h"
#include "util/cleanup.h"
#include "util/text.h"

static const struct {
	const char *bytes, *what;
} lookalikes[] = {
	{"\u00a0", "a no-break space (U+00A0), which YAML takes as text: write a space"},
	{"\u201c", "a curly quote (U+201C), which YAML takes as text: write \""},
	{"\u201d", "a curly quote (U+201D), which YAML takes as text: write \""},
	{"\u2018", "a curly quote (U+2018), which YAML takes as text: write '"},
	{"\u2019", "a curly quote (U+2019), which YAML takes as text: write '"},
	{"\u2013", "an en dash (U+2013), which YAML takes as text: write -"},
	{"\u200b", "a zero-width space (U+200B), which YAML takes as text: delete it"},
	{"\ufeff", "a byte order mark (U+FEFF) in mid-file, which YAML takes as text: delete it"},
};

static const char *lookalike(const char *at)
{
	for (size_t i = 0; i < ARRAY_SIZE(lookalikes); i++)
		if (!strncmp(at, lookalikes[i].bytes, strlen(lookalikes[i].bytes)))
			return lookalikes[i].what;
	return NULL;
}

void characters_explain(struct reader *reader, const char *file, const char *text)
{
	struct place place = {.file = file, .line = 1, .column = 1};
	bool indenting = true;

	/* Not the length of all that is left: a line may be a megabyte long. */
	for (const char *at = text; *at; at += text_utf8_length(at, strnlen(at, 4)) ?: 1) {
		const char *what = lookalike(at);

		if (*at == '\n') {
			place.line++;
			place.column = 1;
			indenting = true;
			continue;
		}
		/* The file's first character may be a byte order mark. */
		if (at == text && !strncmp(at, "\ufeff", strlen("\ufeff")))
			continue;
		if (indenting && *at == '\t')
			problem_error(reader, &place, "a tab in the indentation: write spaces");
		else if (what)
			problem_error(reader, &place, "%s", what);
		indenting = indenting && *at == ' ';
		place.column++;
	}
}
