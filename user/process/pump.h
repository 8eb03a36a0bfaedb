/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A poll loop over registered sources. The caller repeats pump_step(), a check whether to stop, and pump_wait(). */
#pragma once

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

/* A source of work; functions may be NULL and get the arg of pump_add(). */
struct pump_source {
	/* Does what is due, and checks by itself which descriptors are ready; never blocks. */
	void (*step)(void *arg);
	/* The latest time for the next step (CLOCK_MONOTONIC); UINT64_MAX, or a NULL function: none. */
	uint64_t (*wake_ns)(const void *arg);
	/* Writes the descriptors that step waits for, at most poll_count; returns how many. */
	size_t (*poll_fds)(const void *arg, struct pollfd *out);
	/* Required with poll_fds. */
	size_t (*poll_count)(const void *arg);
};

struct pump_entry;

/* Starts as all zero. */
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
/* Waits for a ready descriptor, the earliest wake_ns, until_ns (CLOCK_MONOTONIC) or a signal. */
void pump_wait(struct pump *pump, uint64_t until_ns);
void pump_clear(struct pump *pump);
