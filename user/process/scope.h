/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A scope: a set of processes that dies as a whole, whatever it forks or daemonizes. A cgroup v2
 * `eval-<coordinator pid>-<its start ticks>-<its PID namespace's inode>-<its time namespace's>-<worker pid>w`; without
 * cgroup v2 the name in each member's environment (EVAL_SCOPE), found by reading /proc.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/error.h"

#define SCOPE_NAME_SIZE 64
#define SCOPE_VARIABLE "EVAL_SCOPE"

struct scope {
	char name[SCOPE_NAME_SIZE];
	int cgroup_fd; /* the cgroup's directory; -1: no cgroup v2 here */
};

/* The common part of all scopes of a coordinator's workers, with the dash at its end. */
void scope_prefix(char out[SCOPE_NAME_SIZE], pid_t coordinator, uint64_t start_ticks);
/* The w at its end keeps it from being the start of another's. */
void scope_name(char out[SCOPE_NAME_SIZE], const char *prefix, pid_t worker);

/* Makes the scope of worker. Never fails for want of cgroup v2. */
int scope_create(struct scope *scope, const char *prefix, pid_t worker, struct error *err);
/* Kills all members and removes the scope; waits for that at most wait_ns. -EBUSY: some are still dying. */
int scope_destroy(struct scope *scope, uint64_t wait_ns);

/* Kills and removes the scopes whose names start so, without waiting. Returns how many are still there. */
int scope_sweep(const char *name_start);
/* The same, waiting at most wait_ns until none is. */
int scope_sweep_wait(const char *name_start, uint64_t wait_ns);
/* Kills the process group, and session, that the process leads or led. Of no other with the same number. */
void scope_kill_group(int leader_pidfd, pid_t group);
/* Calls visit with each scope whose coordinator is dead (and of this PID namespace); root_fd is where its cgroup is. */
void scope_each_stale(void (*visit)(int root_fd, const char *name, void *data), void *data);
/* Sweeps the scopes of coordinators that are dead, waiting at most wait_ns. Returns how many it found. */
int scope_sweep_stale(uint64_t wait_ns);
