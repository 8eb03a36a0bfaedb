/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Start time in clock ticks since boot (/proc/PID/stat field 22), 0 where there is no such process or it is dead and
 * only not yet waited for.
 */
uint64_t process_start_ticks(pid_t pid);
/* Its name (/proc/PID/comm), without an end of line. Returns 0 or a negative errno; pid is as in /proc. */
int process_name(const char *pid, char *name, size_t size);
/* Of an error of looking at a process: 0 where it went away meanwhile (ENOENT, ESRCH), else the error. */
int process_without_gone(int code);
/* The inode of this process's PID namespace, 0 where it cannot be told. */
uint64_t process_pid_namespace(void);
