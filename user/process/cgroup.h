/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Cgroups (v2): by path or descriptor, their id and level, and the end of all that is in one. */
#pragma once

#include <stdint.h>

#include "util/error.h"

/* Opens the folder where cgroup v2 is mounted. -ENOENT: nowhere. */
int cgroup_root_open(void);
/* Of the cgroup at path, or (where that is "") of the descriptor fd; 0: there is none. */
uint64_t cgroup_id(int fd, const char *path);
/*
 * Finds the cgroup by its path below where cgroup v2 is mounted, or with that. *path is the whole of it, malloc'ed;
 * *level is from the host's root, whatever the cgroup namespace.
 */
int cgroup_find(char **path, unsigned int *level, const char *name, struct error *err);

/* Kills what is in the cgroup, without waiting. Before Linux 5.14 some of it may be left: call it again. */
void cgroup_kill(int fd);
/* Kills and removes a cgroup and those below it. Returns 0 when it is gone, -EBUSY: some are still dying. */
int cgroup_remove(int parent_fd, const char *name);
