/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A poll loop's turns over registered sources. When to stop is the caller's: pump_step, look whether to go on,
 * pump_wait, and again.
 */
#pragma once

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

/* What a loop takes care of; functions may be NULL. They get the arg of pump_add. */
struct pump_source {
	/* Does what is due, and looks by itself what is ready; never blocks. */
	void (*step)(void *arg);
	/* When step has to be called again at the latest; UINT64_MAX, as without it: no such time. */
	uint64_t (*wake_ns)(const void *arg);
	/* Writes the descriptors that step waits for, at most poll_count; returns how many. */
	size_t (*poll_fds)(const void *arg, struct pollfd *out);
	/* Needed beside poll_fds. */
	size_t (*poll_count)(const void *arg);
};

struct pump_entry;

/* All zero at first. */
struct pump {
	struct pump_entry *entries;
	size_t count, room;
	struct pollfd *fds;
	size_t fds_room;
};

/* Registers a source, which must live as long as the pump. 0 or -ENOMEM. */
int pump_add(struct pump *pump, const struct pump_source *source, void *arg, struct error *err);
/* Calls each source's step, in the order of registration. */
void pump_step(struct pump *pump);
/* Waits until a descriptor is ready, a source wants to be woken, until_ns (CLOCK_MONOTONIC) or a signal. */
void pump_wait(struct pump *pump, uint64_t until_ns);
void pump_clear(struct pump *pump);
