/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A filter against text of others (outputs of commands, names, the database) that would control the user's terminal:
 * '?' replaces every control character but newline and tab, DEL, C1 (U+0080 to U+009F), and each byte that is not
 * UTF-8. Only eval's own codes pass.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Filters in place and returns the bytes left. *rest gets the length of a character that is cut off at the end. */
size_t terminal_filter(char *text, size_t size, size_t *rest);
/* Returns a stream that filters into `below`, which stays the caller's. NULL if out of memory or of streams. */
FILE *terminal_stream(FILE *below);
/* Replaces stdout and stderr by such streams. */
void terminal_filter_standard(void);
/* Writes a code of our own, like "\033[K", past the filter. */
void terminal_code(FILE *stream, const char *code);
/* fileno() that also works for the streams above. */
int terminal_fd(FILE *stream);
/* True if fd is a terminal that obeys codes: not if TERM is unset, empty or "dumb". */
bool terminal_has_codes(int fd);
/* The same, but never if NO_COLOR is set and not empty (no-color.org). */
bool terminal_has_colour(int fd);
/* True if the locale of the environment is one of UTF-8. */
bool terminal_is_utf8(void);
/* The size of the terminal that fd is; 0 if it is none, or does not say. */
size_t terminal_columns(int fd);
size_t terminal_rows(int fd);
