/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Output that whoever reads it cannot stop us by: what a pipe or terminal does not take at once waits here, within
 * bounds; beyond them lines are dropped and counted. The flags of a description that others share are left alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct output;

/* fd stays the caller's. NULL: out of memory. */
struct output *output_new(int fd);
void output_free(struct output *output);

/* Whole lines, all or nothing. */
void output_add(struct output *output, const char *text, size_t size);
void output_flush(struct output *output);
/* To poll for POLLOUT before the next flush; -1: nothing waits. */
int output_poll_fd(const struct output *output);
/* Flushes until nothing is left, or for patience_ns nothing was read. */
void output_drain(struct output *output, uint64_t patience_ns);
/* How many calls of output_add were dropped since this was asked last. */
size_t output_take_lost(struct output *output);
