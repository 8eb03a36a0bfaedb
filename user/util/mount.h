/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Mounts of any mount namespace, read from /proc/PID/mountinfo. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Strings are as they were passed to mount(2). */
struct mount {
	char pid[24]; /* a process that sees the mount, named as in /proc */
	dev_t device; /* of its super block */
	char *type, *source, *point;
	char *options; /* of the super block, still escaped: see mount_option() */
};

/*
 * Finds the mount of fd in the mount namespace of process pid (as in /proc; NULL: this process), then in those of this
 * process, of process 1 and of all others. -ENOENT if no mountinfo that can be read has the mount.
 */
int mount_find(struct mount *out, int fd, const char *pid);
void mount_free(struct mount *mount);
/* The value of NAME=VALUE in the options, for the caller to free; NULL if the option is missing. */
char *mount_option(const struct mount *mount, const char *name);
/* True if its space is another host's. The type "fuse.NAME" counts as NAME. */
bool mount_is_network(const struct mount *mount);

/*
 * Calls visit once per mount namespace that can be read, with one of its processes (as in /proc): pid (NULL: none)
 * first, then this process, process 1 and all others. A result other than 0 ends the loop and is returned.
 */
typedef int (*mount_namespace_visit)(const char *pid, void *data);
int mount_each_namespace(const char *pid, mount_namespace_visit visit, void *data);
