/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The file systems that a folder or file takes space of: its own, and, where that is stacked on others (overlay,
 * fuse-overlayfs, ecryptfs), those below. A loop device ends it, like any device: space that is only allocated, as the
 * fill engine does, is never written to the device, so that a sparse image does not grow.
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
 * fd is open for reading; pid is the process, as in /proc, whose file it is (NULL: this one's). Returns 0 or a negative
 * errno, and then err says what cannot be found out, and of what *out has as much as could be.
 */
int fs_stack_read(struct fs_stack *out, int fd, const char *pid, struct error *err);
/* True if they have a file system in common. */
bool fs_stack_meets(const struct fs_stack *a, const struct fs_stack *b);
