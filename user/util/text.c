/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/cleanup.h"

#define NEAREST_LENGTH_MAX 48

/* Number of edits between a and b; a swap of neighbours counts as one (optimal string alignment). */
static size_t edit_distance(const char *a, const char *b)
{
	size_t rows[3][NEAREST_LENGTH_MAX + 1];
	size_t a_length = strlen(a), b_length = strlen(b);
	size_t *before = rows[0], *previous = rows[1], *current = rows[2];

	for (size_t j = 0; j <= b_length; j++)
		previous[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t *recycled = before;

		current[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			size_t best = previous[j - 1] + (tolower((unsigned char)a[i - 1]) != b[j - 1]);

			if (previous[j] + 1 < best)
				best = previous[j] + 1;
			if (current[j - 1] + 1 < best)
				best = current[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			current[j] = best;
		}
		before = previous;
		previous = current;
		current = recycled;
	}
	return previous[b_length];
}

/* True if text is a whole part of known, like "warmup" of "warmup_seconds", which is many edits away. */
static bool is_part(const char *text, const char *known)
{
	size_t length = strlen(text);
	const char *found = length >= 3 ? strstr(known, text) : NULL;

	return found && (found == known || found[-1] == '_') && (!found[length] || found[length] == '_');
}

const char *text_nearest(const char *text, const char *const *known, size_t known_count)
{
	size_t length = strlen(text), best = 1 + (length < 4 ? 1 : length < 8 ? 2 : 3);
	const char *nearest = NULL;

	if (!length || length > NEAREST_LENGTH_MAX)
		return NULL;
	for (size_t i = 0; i < known_count; i++) {
		size_t distance;

		if (strlen(known[i]) > NEAREST_LENGTH_MAX)
			continue;
		distance = edit_distance(text, known[i]);
		if (distance < best) {
			best = distance;
			nearest = known[i];
		}
	}
	for (size_t i = 0; !nearest && i < known_count; i++)
		if (is_part(text, known[i]) || is_part(known[i], text))
			nearest = known[i];
	return nearest;
}

bool text_is_name(const char *text, size_t max)
{
	size_t length = strlen(text);

	if (!length || length > max || !isalnum((unsigned char)text[0]))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("._-", text[i]))
			return false;
	return true;
}

/* Bytes of the control character at text, 0 if there is none; C1 controls are 0xc2 0x80…0x9f in UTF-8. */
static size_t control_length(const char *text)
{
	unsigned char first = (unsigned char)text[0], second = first ? (unsigned char)text[1] : 0;

	if (first == 0xc2 && second >= 0x80 && second < 0xa0)
		return 2;
	return first < 0x20 || first == 0x7f;
}

bool text_has_control(const char *text)
{
	for (; *text; text++)
		if (control_length(text))
			return true;
	return false;
}

void text_print(const char *text, FILE *out)
{
	while (*text) {
		size_t length = control_length(text);

		if (*text == '\n')
			fputs("\\n", out);
		else
			fputc(length ? '?' : *text, out);
		text += length ?: 1;
	}
}

void text_append(char *out, size_t size, const char *format, ...)
{
	size_t used = strnlen(out, size);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(out + used, size - used, format, arguments);
	va_end(arguments);
}

int text_cut(const char *text, int max)
{
	int length = (int)strnlen(text, (size_t)max + 1);

	if (length <= max)
		return length;
	for (length = max; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;)
		length--;
	return length;
}

static bool is_continuation(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

size_t text_utf8_length(const char *text, size_t size)
{
	const unsigned char *s = (const unsigned char *)text;

	if (s[0] && s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		return size >= 2 && is_continuation(s[1]) ? 2 : 0;
	if (s[0] >= 0xe0 && s[0] <= 0xef) {
		if (size < 3 || !is_continuation(s[1]) || !is_continuation(s[2]))
			return 0;
		return (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ? 0 : 3;
	}
	if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		if (size < 4 || !is_continuation(s[1]) || !is_continuation(s[2]) || !is_continuation(s[3]))
			return 0;
		return (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f) ? 0 : 4;
	}
	return 0;
}

bool text_utf8_is_cut(const char *text, size_t size)
{
	static const char *const ends[] = {"\x80",     "\x80\x80", "\x80\x80\x80", "\xa0",
					   "\xa0\x80", "\x90",     "\x90\x80\x80"};
	char whole[8];

	for (size_t i = 0; size < 4 && i < ARRAY_SIZE(ends); i++) {
		size_t more = strlen(ends[i]);

		memcpy(whole, text, size);
		memcpy(whole + size, ends[i], more);
		if (text_utf8_length(whole, size + more) == size + more)
			return true;
	}
	return false;
}

size_t text_characters(const char *text, size_t size)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += !is_continuation((unsigned char)text[i]);
	return count;
}

int text_start(const char *text, size_t characters)
{
	size_t size = 0;

	while (text[size] && (is_continuation((unsigned char)text[size]) || characters-- > 0))
		size++;
	return (int)size;
}

void text_shorten(char *text, size_t characters)
{
	size_t length = text_characters(text, strlen(text)), tail = characters / 3, start, end;

	if (length <= characters)
		return;
	start = (size_t)text_start(text, characters - tail - 2);
	end = (size_t)text_start(text, length - tail);
	memcpy(text + start, "..", 2);
	memmove(text + start + 2, text + end, strlen(text + end) + 1);
}

static void wrap_line(FILE *out, const char *line, size_t size, size_t width)
{
	size_t indent = strspn(line, " "), used = 0, at = 0;

	indent = indent < size ? indent : 0;
	while (at < size) {
		size_t gap = strspn(line + at, " "), word, characters;

		gap = at + gap < size ? gap : size - at;
		word = strcspn(line + at + gap, " \n");
		/* Nothing follows the last blanks. */
		if (!word)
			return;
		characters = text_characters(line + at + gap, word);
		/* A word that is longer than any line stays where it is. */
		if (used && used + gap + characters > width && indent + 2 + characters <= width) {
			fprintf(out, "\n%*s", (int)indent + 2, "");
			used = indent + 2;
		} else {
			fprintf(out, "%*s", (int)gap, "");
			used += gap;
		}
		fwrite(line + at + gap, 1, word, out);
		used += characters;
		at += gap + word;
	}
}

char *text_wrap(const char *text, size_t width)
{
	char *wrapped = NULL;
	size_t size;
	FILE *out;

	if (!width)
		return strdup(text);
	out = open_memstream(&wrapped, &size);
	if (!out)
		return NULL;
	while (*text) {
		size_t line = strcspn(text, "\n");

		wrap_line(out, text, line, width);
		text += line;
		if (*text) {
			fputc('\n', out);
			text++;
		}
	}
	if (!fclose(out))
		return wrapped;
	free(wrapped);
	return NULL;
}
