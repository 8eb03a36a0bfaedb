/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Faults that go live and end together. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "chaos/fault.h"

struct target;

/* A target under chaos. */
struct fault_slot {
	struct target *target;
	const char *node; /* the target's, for messages and records */
	struct fault_spec spec;
	struct fault *fault; /* NULL: it could not be opened */
	json_t *evidence;    /* as last read, NULL: never */
};

/* All zero at first. */
struct fault_set {
	struct fault_slot *slots;
	size_t count, room;
	size_t live_count; /* the first ones, active by now: their lease is renewed */
};

/* Room for so many, which must not move: a signal's handler may look at them. */
int fault_set_reserve(struct fault_set *set, size_t count, struct error *err);
/* Adds a fault, loaded and not attached. Takes the target, which becomes spec's, also on failure. */
int fault_set_open(struct fault_set *set, const struct fault_spec *spec, struct target *target, struct error *err);
/* Activates the next one, in the order of opening. */
int fault_set_activate_next(struct fault_set *set, uint64_t duration_ns, struct error *err);
/* Of all that are active; one that cannot go on stops all: half a chaos is not what was asked for. */
int fault_set_renew(struct fault_set *set, struct error *err);
/* All inert at once. For signal handlers: only stores to shared memory. */
void fault_set_stop(const struct fault_set *set);
/* Detaches all, last activated first. Returns the first failure, and goes on after it. */
int fault_set_revert(struct fault_set *set, struct error *err);
/* While the set is live or after its revert; returns when the first hit was (CLOCK_MONOTONIC), 0: there was none. */
uint64_t fault_set_read_evidence(struct fault_set *set);
/*
 * As last read, a new reference: one fault's as it is, several as {"hit", "seen", …, "targets": {NODE: …}}. NULL: the
 * one has none.
 */
json_t *fault_set_evidence(const struct fault_set *set);
/* What was hit by all faults. */
json_int_t fault_set_hits(const struct fault_set *set);
/* [{"target": node, "engine", "seed", "netns_ino", "devices", "data_dirs", "protect"}] */
json_t *fault_set_describe(const struct fault_set *set);
/* Frees faults and targets, last opened first. What was read of evidence stays. */
void fault_set_close(struct fault_set *set);
/* Closes it, and frees the rest. */
void fault_set_free(struct fault_set *set);
