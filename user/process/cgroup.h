/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Cgroups (v2) by path or descriptor: their id and level, and how to kill and remove them. */
#pragma once

#include <stdint.h>

#include "util/error.h"

/* Opens the folder where cgroup v2 is mounted. -ENOENT if it is not mounted. */
int cgroup_root_open(void);
/* Returns the id of the cgroup at path ("": of descriptor fd); 0 if there is no cgroup. */
uint64_t cgroup_id(int fd, const char *path);
/*
 * Finds a cgroup by its path below the mount of cgroup v2, or by the whole path. *path gets the whole path, malloc'ed;
 * *level is counted from the host's root, whatever the cgroup namespace.
 */
int cgroup_find(char **path, unsigned int *level, const char *name, struct error *err);

/* Kills the members of the cgroup without waiting. Before Linux 5.14 some may be left: call it again. */
void cgroup_kill(int fd);
/* Kills and removes a cgroup and those below it. 0 if it no longer exists, -EBUSY if members are still dying. */
int cgroup_remove(int parent_fd, const char *name);
