/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Locks among the eval processes of a host: files below /run/eval that contain the holder's "PID WORD" and are held by
 * flock(), which ends with the holder. A file that no process holds has no meaning.
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
 * name is one file name, such as "campaign-ab12cd34" ('/' becomes '_'). Returns -EBUSY, with the holder's "PID WORD" in
 * other and err unchanged, if another process holds the lock; if that holder is dead, first waits up to 5 s for the
 * lock.
 */
int host_lock_take(struct host_lock *lock, const char *name, const char *word, char other[HOST_LOCK_HOLDER_SIZE],
		   struct error *err);
/* True if the "PID WORD"'s process exists. */
bool host_lock_holder_lives(const char *other);
/* Removes the file; does nothing if the lock is not held. */
void host_lock_release(struct host_lock *lock);
/* Removes every lock file that no process holds; returns how many. */
int host_lock_remove_stale(void);
