/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A scope: processes that are killed as a whole, with everything that they fork or daemonize. It is the cgroup v2
 * `eval-<coordinator pid>-<its start ticks>-<its PID namespace's inode>-<its time namespace's>-<worker pid>w`; without
 * cgroup v2 the processes with this name in their environment (EVAL_SCOPE), found by reading /proc.
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

/* Writes the common start of a coordinator's scope names, with the dash at its end. */
void scope_prefix(char out[SCOPE_NAME_SIZE], pid_t coordinator, uint64_t start_ticks);
/* The w at the end keeps the name from being the start of another. */
void scope_name(char out[SCOPE_NAME_SIZE], const char *prefix, pid_t worker);

/* Creates the worker's scope. A missing cgroup v2 is not an error. */
int scope_create(struct scope *scope, const char *prefix, pid_t worker, struct error *err);
/* Kills all members and removes the scope, waiting at most wait_ns. -EBUSY if some are still dying. */
int scope_destroy(struct scope *scope, uint64_t wait_ns);

/* Kills and removes every scope whose name starts with name_start; does not wait. Returns how many may be left. */
int scope_sweep(const char *name_start);
/* Repeats scope_sweep() for at most wait_ns, until it returns 0. */
int scope_sweep_wait(const char *name_start, uint64_t wait_ns);
/*
 * Kills the process group that the pidfd's process leads or led, never a reused id; before Linux 6.9 the marked members
 * of its session.
 */
void scope_kill_group(int leader_pidfd, pid_t group);
/* Calls visit with each scope of a dead coordinator of this PID namespace; root_fd is the folder of its cgroup. */
void scope_each_stale(void (*visit)(int root_fd, const char *name, void *data), void *data);
/* Sweeps the scopes of dead coordinators, waiting at most wait_ns. Returns how many it found. */
int scope_sweep_stale(uint64_t wait_ns);
