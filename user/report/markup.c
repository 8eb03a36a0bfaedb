/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What several formats need: text of others in HTML and XML, and why a trial is no success. */
#include "report/formats.h"

#include <string.h>

#include "analysis/losses.h"
#include "analysis/outcome.h"
#include "util/json.h"
#include "util/text.h"

/* XML has no control characters but tab and newline, not even escaped, and no U+FFFE and U+FFFF. */
static bool is_allowed(const char *c, size_t length)
{
	if (length == 3 && !memcmp(c, "\xef\xbf", 2) && (unsigned char)c[2] >= 0xbe)
		return false;
	/* C1 controls. */
	if (length == 2 && (unsigned char)c[0] == 0xc2 && (unsigned char)c[1] < 0xa0)
		return false;
	return length > 1 || ((unsigned char)*c >= 0x20 && (unsigned char)*c < 0x7f);
}

void markup_text(FILE *out, const char *text)
{
	size_t length;

	for (const char *c = text; *c; c += length) {
		length = text_utf8_length(c, strnlen(c, 4));
		if (*c == '&' || *c == '<' || *c == '>' || *c == '"' || *c == '\n')
			fprintf(out, "&#%d;", *c);
		else if (length && is_allowed(c, length))
			fwrite(c, 1, length, out);
		else
			fputc('?', out);
		length = length ?: 1;
	}
}

void markup_member(FILE *out, const char *before, const json_t *row, const char *column)
{
	const char *text = json_text_or(row, column, NULL);

	if (!text)
		return;
	fputs(before, out);
	markup_text(out, text);
}

void report_reason(char *out, size_t size, const json_t *trial)
{
	char loss[512];

	outcome_reason(out, size, trial);
	if (losses_describe(loss, sizeof(loss), json_object_get(trial, "evidence")) > 0)
		text_append(out, size, "%s%s", *out ? "; " : "", loss);
}
