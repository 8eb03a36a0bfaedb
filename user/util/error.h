/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Errors inside the program: a function that can fail returns 0 or a negative errno and, if the user will see the
 * error, fills a struct error with one line that says what failed and what to do.
 */
#pragma once

#include <stdarg.h>

/* Exit codes of every eval command. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_TRIALS = 1, /* ran to the end, but a trial failed, was void or missed an expectation */
	EXIT_USAGE = 2,  /* bad usage or invalid file: nothing was touched */
	EXIT_HOST = 3,   /* this host cannot run it: not root, no BTF, database not writable */
	EXIT_INTERRUPTED = 130,
};

struct error {
	int code;       /* negative errno, 0 = none */
	char text[512]; /* one line, no newline at the end */
};

/*
 * Fills err (may be NULL) and returns code, so that a failing function ends in one line:
 *     return error_set(err, -ENOENT, "no device '%s' in %s", dev, netns);
 * error_set_errno appends ": " and the errno's text. code must be negative; errno is left as it was.
 */
int error_set(struct error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int error_set_errno(struct error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Print "eval: error: …", "eval: warning: …" or "eval: …" on standard error; a stalled reader never blocks them. */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
