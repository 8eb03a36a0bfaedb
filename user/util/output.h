/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Output that whoever reads it cannot stop us by: what a pipe or terminal does not take at once waits here, within
 * bounds; beyond them lines are dropped and counted. The flags of a description that others share are left alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct output;

/* fd stays the caller's. NULL: out of memory. */
struct output *output_new(int fd);
void output_free(struct output *output);

/* The line in which the number of lost lines is given, once the reader reads again; the default is for persons. */
#define OUTPUT_LOST_JSON "{\"event\":\"lines_lost\",\"count\":", "}"
void output_set_lost_text(struct output *output, const char *before, const char *after);

/* Whole lines, all or nothing. */
void output_add(struct output *output, const char *text, size_t size);
void output_flush(struct output *output);
/* To poll for POLLOUT before the next flush; -1: nothing waits. */
int output_poll_fd(const struct output *output);
/* Flushes until nothing is left, or for patience_ns nothing was read. */
void output_drain(struct output *output, uint64_t patience_ns);
/* How many lines were lost and not reported in the output so far. What a reader misses who has gone does not count. */
size_t output_lost(const struct output *output);
/* Drains, and drops what still waits then. Returns output_lost(). */
size_t output_end(struct output *output, uint64_t patience_ns);

/*
 * This process's STDOUT_FILENO or STDERR_FILENO as an output, and as a line-buffered stream over it: for what is
 * printed while a fault or a lock is held. A forked child starts without what waits in its parent.
 */
struct output *output_standard(int fd);
FILE *output_stream(int fd);
FILE *output_stdout(void);
void output_flush_standard(void);
/* At the end of the program: output_end() of both. What was lost of the standard output is said on standard error. */
void output_end_standard(void);
