/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text: names, control characters, UTF-8, near misses. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The one of known that text is most likely a slip of, or NULL where none is near. */
const char *text_nearest(const char *text, const char *const *known, size_t known_count);
/* [A-Za-z0-9][A-Za-z0-9._-]*, at most max characters. */
bool text_is_name(const char *text, size_t max);
/* Any control character, which a terminal might obey. */
bool text_has_control(const char *text);
/* Prints text with each control character as '?' and each newline as "\n". */
void text_print(const char *text, FILE *out);
/* Length of the valid character (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF), 0: not valid. */
size_t text_utf8_length(const char *text, size_t size);
/* True where text is the start of a valid character that more bytes could end. */
bool text_utf8_is_cut(const char *text, size_t size);
/* Adds to the string in out, which is cut off at size. */
void text_append(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The s of "3 trials". */
static inline const char *text_plural(long long count)
{
	return count == 1 ? "" : "s";
}
/* At most max, and not inside a UTF-8 character: the precision of a "%.*s" that shortens. */
int text_cut(const char *text, int max);
