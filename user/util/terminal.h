/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What others wrote (outputs of commands, names, the database) must not drive the terminal of whoever reads ours: on
 * the way out every control character but newline and tab, DEL, C1 (U+0080 to U+009F), and each byte that is no UTF-8
 * becomes '?'. Only codes of our own pass.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

/* In place; returns how many bytes are left. size_t *rest gets the length of a character that is cut off at the end. */
size_t terminal_filter(char *text, size_t size, size_t *rest);
/* A stream that filters what goes to `below`, which stays the caller's. NULL: out of memory. */
FILE *terminal_stream(FILE *below);
/* From here on stdout and stderr are such streams. */
void terminal_filter_standard(void);
/* A code of our own, like "\033[K", past the filter. */
void terminal_code(FILE *stream, const char *code);
/* fileno() that knows the streams above. */
int terminal_fd(FILE *stream);
