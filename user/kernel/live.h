/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Live faults, whoever holds them, as the kernel itself knows them: to find, to show and to end. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "util/error.h"

struct eval_ctl;
struct eval_disk;
struct live_table;

/*
 * Every control block of this host, by walking the kernel's map ids. visit gets a descriptor of the map (closed
 * afterwards) and its id; a non-zero return ends the walk and is returned. visit_other gets the control blocks of evals
 * with another EVAL_ABI_VERSION, of which ctl holds only what all versions share, up to deadline_ns. Each may be NULL.
 */
typedef int (*live_visit)(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data);
int live_walk(live_visit visit, void *data, struct error *err);
int live_walk_all_versions(live_visit visit, live_visit visit_other, void *data, struct error *err);
/*
 * True while the process that holds the fault lives: pid and start time agree, or, where it is in another PID namespace
 * and so cannot be seen from here, its lease is not long over.
 */
bool live_holder_is_alive(const struct eval_ctl *ctl);
/* Of a control block's kind, "unknown" if this version has no such type. */
const char *live_kind_name(unsigned int kind);

/* What hangs on a fault; all of it is good during the visit alone. */
struct live_fault {
	const struct eval_ctl *ctl;
	unsigned int map_id;
	const struct live_table *table; /* the host's programs, links and disk maps, read once for all faults */
};
typedef int (*live_fault_visit)(const struct live_fault *fault, void *data);
/* Every fault of this version; a non-zero return ends it and is returned. */
int live_each_fault(live_fault_visit visit, void *data, struct error *err);
/*
 * An array of {"hook", "ifindex", "program", "link_id" or (a filter's) "priority" and "handle"}. The hooks "line_turn"
 * and "line_depart" are in the fq line's own namespace, and so is their "ifindex". New reference.
 */
json_t *live_fault_hooks(const struct live_fault *fault);
/* One of these: it is on a delay line, not on the fault's device. */
bool live_hook_is_of_line(const json_t *hook);
/* A map of this name that some program of the fault uses, as a descriptor; -ENOENT: none. */
int live_fault_map_open(const struct live_fault *fault, const char *name);
/* NULL: it is no fault of a disk. */
const struct eval_disk *live_fault_disk(const struct live_fault *fault);

/*
 * Emergency stop. First every fault of ours on this host, of whatever version, is made inert; then they are told of in
 * report, a line each; then the hooks of their devices are detached (those of another version's its holder detaches).
 * Holders that are stopped (SIGSTOP) go on. What a delay line holds is still delivered. Returns how many it stopped.
 */
int live_stop_all(FILE *report, struct error *err);
/*
 * Removes what filters dead holders left, and makes them inert first; for kernels without tcx, elsewhere they went with
 * their holder. Returns how many faults it swept, or a negative errno.
 */
int live_sweep_dead(struct error *err);
