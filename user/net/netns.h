/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Network namespaces by descriptor, for the calling thread. */
#pragma once

#include <stdint.h>

#include "util/error.h"

/* Opens a namespace by name below /run/netns, path or pid; NULL: the calling thread's. A descriptor, or a negative
 * errno. */
int netns_open(const char *netns, struct error *err);
/* Enters a namespace; *saved gets a descriptor for netns_leave. Returns 0 or a negative errno. */
int netns_enter(int netns_fd, int *saved);
/* Does nothing if *saved is -1; aborts the process on failure. */
void netns_leave(int *saved);
/* A descriptor of the current namespace, or a negative errno. */
int netns_current(void);
uint64_t netns_inode(int netns_fd);
/* Opens the namespace with this inode through a mount or a process in it. -ENOENT if there is neither. */
int netns_open_inode(uint64_t inode);
/* Opens the namespace that an entry of a /proc/PID/fd links to. -ENOENT if it links to anything else. */
int netns_open_link(int dir_fd, const char *name);
