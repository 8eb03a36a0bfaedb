/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text: suggestions for misspelt words, names, control characters, UTF-8. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The entry of known that text most likely misspells, or NULL if none is close. */
const char *text_nearest(const char *text, const char *const *known, size_t known_count);
/* [A-Za-z0-9][A-Za-z0-9._-]*, at most max characters. */
bool text_is_name(const char *text, size_t max);
/* True if text has a control character, which a terminal might obey. */
bool text_has_control(const char *text);
/* Prints text with each control character as '?' and each newline as "\n". */
void text_print(const char *text, FILE *out);
/*
 * Length of the valid character (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF); 0: NUL, or not
 * valid.
 */
size_t text_utf8_length(const char *text, size_t size);
/* True if text is the start of a valid character that more bytes could complete. */
bool text_utf8_is_cut(const char *text, size_t size);
/* Appends to the string in out, which is cut off at size. */
void text_append(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The plural s of "3 trials". */
static inline const char *text_plural(long long count)
{
	return count == 1 ? "" : "s";
}
/* Length of text cut to at most max bytes, not inside a UTF-8 character; for the precision of "%.*s". */
int text_cut(const char *text, int max);
/* The characters of text's first `size` bytes; a byte that is not valid counts as one, or as none. */
size_t text_characters(const char *text, size_t size);
/* The bytes of text's first `characters` characters; for the precision of "%.*s". */
int text_start(const char *text, size_t characters);
/* Shortens text to `characters`, at least 2: its start, "..", and its end. */
void text_shorten(char *text, size_t characters);
/*
 * Returns a copy in which lines of more than `width` characters are continued, at words, in lines that begin two
 * characters further in; free() it. NULL if out of memory. A word that is longer stays whole. width 0: as it is.
 */
char *text_wrap(const char *text, size_t width);
