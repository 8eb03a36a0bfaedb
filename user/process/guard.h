/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The guard: a small process in a session of its own that kills what the workload, the probes and a command under
 * way left when their worker or the coordinator died, and calls what sweeps the rest (on kernels without tcx its
 * faults' filters). It ends when all of them are gone, or some seconds after the last worker where they hang in the
 * kernel.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/error.h"

struct guard {
	pid_t pid;
	int fd;      /* close-on-exec; workers inherit it: the guard lives until the last one is closed */
	size_t lost; /* messages of this process that a guard which is stopped had no room for */
};

/*
 * prefix: of the coordinator's scopes (scope_prefix). sweep: ends what else the dead left; the guard calls it, with no
 * err, first of all when a worker died, and when nobody is left; NULL: nothing. keep_fds: the campaign's locks, which
 * the guard holds too, so that nobody else starts before it has swept.
 */
int guard_start(struct guard *guard, const char *prefix, int (*sweep)(struct error *err), const int *keep_fds,
		size_t keep_count, struct error *err);
/* Lets go and waits for its end, within bounds; a guard that is stopped goes on for it. */
void guard_stop(struct guard *guard);

/* Coordinator: a worker was forked. A message that is lost is counted. */
void guard_tell_worker(struct guard *guard, pid_t worker);
/* Worker: the process group of a command outside its scope, 0: none any more. -EAGAIN: the message is lost. */
int guard_tell_group(int guard_fd, pid_t group);
