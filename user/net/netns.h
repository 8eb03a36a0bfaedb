/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Network namespaces by descriptor, for the calling thread. */
#pragma once

#include <stdint.h>

/* Enters a namespace; *saved gets a descriptor for netns_leave. Returns 0 or a negative errno. */
int netns_enter(int netns_fd, int *saved);
/* -1 is fine. Never returns where the way back is barred. */
void netns_leave(int *saved);
/* A descriptor of the current namespace. */
int netns_current(void);
uint64_t netns_inode(int netns_fd);
/* The namespace with this inode, wherever it is mounted or some process is in it. -ENOENT: neither. */
int netns_open_inode(uint64_t inode);
/* The namespace that this entry of a /proc/PID/fd leads to. -ENOENT: to something else. */
int netns_open_link(int dir_fd, const char *name);
