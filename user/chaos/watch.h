/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Since Linux 6.14 the kernel decides when a file is opened whether it will ask about calls on it: it does if somebody
 * watches the file system for such calls at that time. A watch does so and is itself asked nothing, so that a fault of
 * a later time can hit files that are opened now. It costs others nothing that could be measured, and ends with this
 * process. On older kernels it does nothing, and is not needed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/error.h"

struct chaos_watch;

/*
 * Watches the file systems of these folders. Those that do not exist yet, or on which something is mounted later, are
 * watched as soon as chaos_watch_step() runs. 0 or -ENOMEM.
 */
int chaos_watch_new(struct chaos_watch **out, const char *const *paths, size_t count, struct error *err);
/* Polls as POLLPRI when something was mounted, once; -1: there is nothing to wait for. */
int chaos_watch_fd(const struct chaos_watch *watch);
void chaos_watch_step(struct chaos_watch *watch);
/* Since when the file system of this device is watched (CLOCK_BOOTTIME of the host); UINT64_MAX: it is not. */
uint64_t chaos_watch_since_ns(const struct chaos_watch *watch, dev_t device);
void chaos_watch_free(struct chaos_watch *watch);
