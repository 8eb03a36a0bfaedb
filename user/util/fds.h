/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* File descriptors of this process. */
#pragma once

#include <stddef.h>

/* Where one of the three standard descriptors is closed: /dev/null takes its place. */
void fds_fill_standard(void);

/*
 * For a forked child: moves these descriptors (-1: none) to 3, 4, … (close-on-exec) and closes all others above
 * standard error.
 */
void fds_keep_only(int *const fds[], size_t count);
