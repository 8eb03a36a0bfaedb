/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The guard: a small process in a session of its own. When a worker or the coordinator dies, it kills what the
 * workload, the probes and a running command left, and calls a function that sweeps the rest (the faults' filters on
 * kernels without tcx). It exits when all of them are gone, or 5 s after the last worker if some hang in the kernel.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/error.h"

struct guard {
	pid_t pid;
	int fd;      /* close-on-exec, inherited by workers; the guard lives until the last copy is closed */
	size_t lost; /* messages of this process that were lost because the guard was stopped */
};

/*
 * prefix: start of the coordinator's scope names (scope_prefix). sweep (may be NULL): ends what else a dead worker
 * left; called with err NULL, first thing when a worker has died and before the last sweep of scopes. keep_fds: the
 * campaign's locks, which the guard also holds, so that no other eval starts before it has swept.
 */
int guard_start(struct guard *guard, const char *prefix, int (*sweep)(struct error *err), const int *keep_fds,
		size_t keep_count, struct error *err);
/* Closes the socket and waits up to 7 s for the guard's exit; continues a stopped guard. */
void guard_stop(struct guard *guard);

/* For the coordinator: a worker was forked. Counts a message that is lost. */
void guard_tell_worker(struct guard *guard, pid_t worker);
/* For a worker: the process group of a command outside its scope, 0: none any more. -EAGAIN if it is lost. */
int guard_tell_group(int guard_fd, pid_t group);
