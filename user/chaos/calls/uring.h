/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a thread that waits asked for by io_uring, from its memory; for caller.c only. */
#pragma once

#include <sys/stat.h>

#include "chaos/calls/calls.h"

#define URINGS_MAX 4

/* Where a process has its rings. Starts as all zero. */
struct uring {
	struct uring_place {
		unsigned long ring, entries; /* addresses in the process; 0: not known */
	} places[URINGS_MAX];
	size_t count;
	uint64_t looked_ns;
};

/*
 * Finds the request that the event with out's range is about, and sets out's range to the request's own. thread is the
 * one that submitted it.
 */
enum eval_call uring_call(struct uring *rings, pid_t thread, int file_fd, struct caller *out);

/* A thread's descriptor. Never asks who serves the file system: it may be a process that waits for us. */
bool caller_stat(pid_t thread, unsigned long descriptor, unsigned int mask, struct statx *out);
/* True if this descriptor of the thread is the file that the event is about. */
bool caller_has_file(pid_t thread, unsigned long descriptor, int file_fd);
bool caller_read(pid_t thread, unsigned long address, void *out, size_t size);
