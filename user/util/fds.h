/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The file descriptors of this process and of its forked children. */
#pragma once

#include <stddef.h>

/* Opens /dev/null on any of the three standard descriptors that is closed. */
void fds_fill_standard(void);

/*
 * For a forked child: moves these descriptors (-1: none) to 3, 4, … (close-on-exec) and closes every other one above
 * standard error.
 */
void fds_keep_only(int *const fds[], size_t count);
