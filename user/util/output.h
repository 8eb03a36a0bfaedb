/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Non-blocking output: a reader that stalls never blocks eval. A buffer of limited size holds what a pipe or terminal
 * does not take at once; lines beyond it are dropped and counted. The flags of shared descriptions stay unchanged.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct output;

/* fd stays the caller's. NULL if out of memory. */
struct output *output_new(int fd);
void output_free(struct output *output);

/* Text around the number in the line that reports lost lines once the reader reads again; by default it is prose. */
#define OUTPUT_LOST_JSON "{\"event\":\"lines_lost\",\"count\":", "}"
void output_set_lost_text(struct output *output, const char *before, const char *after);

/* Whole lines; drops all of them if they do not fit. */
void output_add(struct output *output, const char *text, size_t size);
void output_flush(struct output *output);
/*
 * For a regular file, whose writes wait for its file system: a thread writes to it, in order, so that it does not make
 * who holds a fault miss a renewal. Not for a forked child, which writes itself. 0 or a negative errno: the output
 * stays as it was. output_end_background() waits until the file has all; output_end() does so, too.
 */
int output_begin_background(struct output *output);
void output_end_background(struct output *output);
/* To poll for POLLOUT before the next flush; -1 if nothing waits. */
int output_poll_fd(const struct output *output);
/* Flushes until nothing is left or the reader has read nothing for patience_ns. */
void output_drain(struct output *output, uint64_t patience_ns);
/* How many lines were lost and not yet reported in the output; lines after the reader has closed do not count. */
size_t output_lost(const struct output *output);
/* Drains and drops what then still waits. Returns output_lost(). */
size_t output_end(struct output *output, uint64_t patience_ns);

/*
 * STDOUT_FILENO or STDERR_FILENO of this process as an output, and as a line-buffered stream over it, for printing
 * while a fault or a lock is held. A forked child does not inherit the waiting bytes.
 */
struct output *output_standard(int fd);
FILE *output_stream(int fd);
FILE *output_stdout(void);
void output_flush_standard(void);
/* For the end of the program: output_end() of both; reports lines lost on standard output to standard error. */
void output_end_standard(void);
