/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A call that io_uring tried in the caller's thread, and tries again in one of its own because it would have to wait:
 * that is the same call, and must not be held, or counted, twice. For serve.c only.
 */
#pragma once

#include "chaos/calls/calls.h"

#define RETRIES_MAX 64

/* Starts as all zero. */
struct retries {
	struct tried {
		pid_t thread;
		dev_t device;
		ino_t inode;
		uint64_t offset, length;
		uint64_t until_ns; /* when the other try has come, if it ever does */
	} tried[RETRIES_MAX];
	size_t next;
};

/* If the call is one that may be tried again, remembers it. It is answered at answered_ns. */
void retries_expect(struct retries *retries, int file_fd, pid_t thread, const struct caller *caller,
		    uint64_t answered_ns);
/* True if it is such another try; only once. */
bool retries_take(struct retries *retries, int file_fd, const struct caller *caller, uint64_t now_ns);
