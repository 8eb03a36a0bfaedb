/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A set of faults that become live and end together. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "chaos/fault.h"

struct target;

/* A target under chaos. */
struct fault_slot {
	struct target *target;
	const char *node; /* the target's name, for messages and records */
	struct fault_spec spec;
	struct fault *fault; /* NULL if it could not be opened */
	json_t *evidence;    /* as last read; NULL if never read */
};

/* Zero-initialize before use. */
struct fault_set {
	struct fault_slot *slots;
	size_t count, room;
	size_t live_count; /* the first live_count slots are active, and their leases renewed */
};

/* Allocates `count` slots up front: they must not move, since a signal handler may read them. */
int fault_set_reserve(struct fault_set *set, size_t count, struct error *err);
/* Adds a fault, loaded but not attached. Takes the target, also on failure; it replaces spec->target. */
int fault_set_open(struct fault_set *set, const struct fault_spec *spec, struct target *target, struct error *err);
/* Activates the next fault, in the order of opening. */
int fault_set_activate_next(struct fault_set *set, uint64_t duration_ns, struct error *err);
/* Renews the leases of the active faults. If one fails, stops all faults: the trial asked for all or nothing. */
int fault_set_renew(struct fault_set *set, struct error *err);
/* Makes all faults inert at once. Safe in signal handlers: it only stores to shared memory. */
void fault_set_stop(const struct fault_set *set);
/* Detaches all faults, last opened first. Continues after a failure and returns the first error. */
int fault_set_revert(struct fault_set *set, struct error *err);
/* Call while the set is live or after its revert. Returns the time of the first hit (CLOCK_MONOTONIC); 0 if none. */
uint64_t fault_set_read_evidence(struct fault_set *set);
/*
 * The evidence as last read, a new reference: of one fault unchanged (NULL if it has none), of several summed up as
 * {"hit", "seen", …, "targets": {NODE: …}}.
 */
json_t *fault_set_evidence(const struct fault_set *set);
/* The hits of all faults, as last read. */
json_int_t fault_set_hits(const struct fault_set *set);
/* [{"target": node, "engine", "seed", "netns_ino", "devices", "addresses", "peers", "data_dirs", "protect"}] */
json_t *fault_set_describe(const struct fault_set *set);
/*
 * params with what was chosen in place of "auto" and, for a single target, with its devices, addresses, peers and
 * data_dirs as they were found. Call once a fault is active.
 */
json_t *fault_set_effective(const struct fault_set *set, const json_t *params);
/* Frees faults and targets, last opened first. Keeps the evidence. */
void fault_set_close(struct fault_set *set);
/* Closes the set, and frees its evidence and slots. */
void fault_set_free(struct fault_set *set);
