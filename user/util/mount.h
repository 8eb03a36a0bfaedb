/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Mounts, as /proc/PID/mountinfo tells them, in whatever mount namespace they are. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Strings are as mount(2) got them. */
struct mount {
	char pid[24]; /* as in /proc: of a process that has the mount */
	dev_t device; /* of its super block */
	char *type, *source, *point;
	char *options; /* of the super block, still escaped: see mount_option() */
};

/*
 * The mount that fd is on: looked for among those of process pid (as in /proc, NULL: this one) first, then of this one,
 * of process 1 and of every other. -ENOENT: none of those that can be looked at has it.
 */
int mount_find(struct mount *out, int fd, const char *pid);
void mount_free(struct mount *mount);
/* The value of NAME=VALUE among the options, for the caller to free; NULL: there is none. */
char *mount_option(const struct mount *mount, const char *name);
/* True if its space is another host's. "fuse.NAME" goes by the NAME. */
bool mount_is_network(const struct mount *mount);

/*
 * Calls visit with a process of each mount namespace (as in /proc) that can be looked at: pid (NULL: none) first, then
 * this process, process 1, and the rest. A result other than 0 ends it and is returned.
 */
typedef int (*mount_namespace_visit)(const char *pid, void *data);
int mount_each_namespace(const char *pid, mount_namespace_visit visit, void *data);
