/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The file systems that a folder or file takes space from: its own and, if that is stacked (overlay, fuse-overlayfs,
 * ecryptfs), those below. The search ends at any device, also at a loop device: space that is only allocated, as by the
 * fill engine, is never written to the device, so that a sparse image does not grow.
 */
#pragma once

#include <stddef.h>

#include "util/error.h"
#include "util/fs_id.h"

#define FS_STACK_MAX 16

struct fs_stack {
	struct fs_id ids[FS_STACK_MAX];
	size_t count;
};

/*
 * fd is open for reading; pid, as in /proc, is the process whose file it is (NULL: this one's). Returns 0 or a negative
 * errno; on failure err says what is unknown, and *out has the file systems found so far.
 */
int fs_stack_read(struct fs_stack *out, int fd, const char *pid, struct error *err);
/* True if a and b have a file system in common. */
bool fs_stack_meets(const struct fs_stack *a, const struct fs_stack *b);
