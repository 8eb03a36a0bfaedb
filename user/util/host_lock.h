/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Locks among the eval processes of a host: files below /run/eval, held by flock, with the holder's pid and a word
 * about it inside. They go with their holder; a file that nobody holds means nothing.
 */
#pragma once

#include <stdbool.h>

#include "util/error.h"

#define HOST_LOCK_DIRECTORY "/run/eval"

struct host_lock {
	int fd; /* -1: not held */
	char path[192];
};

#define HOST_LOCK_NONE ((struct host_lock){.fd = -1})
#define HOST_LOCK_HOLDER_SIZE 160

/*
 * name is one file name, "campaign-ab12cd34" ('/' becomes '_'). -EBUSY: other gets the living holder's "PID WORD"
 * (err is left alone: the caller knows what it means). Where the holder has just died, waits until it has let go.
 */
int host_lock_take(struct host_lock *lock, const char *name, const char *word, char other[HOST_LOCK_HOLDER_SIZE],
		   struct error *err);
/* Of the "PID WORD" of a holder. */
bool host_lock_holder_lives(const char *other);
/* Removes the file. Safe on one that is not held. */
void host_lock_release(struct host_lock *lock);
/* Removes the files that nobody holds; returns how many. */
int host_lock_remove_stale(void);
