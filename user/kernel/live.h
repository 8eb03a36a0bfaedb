/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Finds, shows and ends live faults, whoever holds them, from the kernel's own state. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "util/error.h"

struct eval_ctl;
struct eval_disk;
struct live_table;

/*
 * Visits every control block of this host, by walking the kernel's map ids. visit gets a descriptor of the map (closed
 * afterwards) and its id; a non-zero return ends the walk and is returned. visit_other gets the control blocks of other
 * versions (EVAL_ABI_VERSION), where ctl is valid only up to deadline_ns. Either may be NULL.
 */
typedef int (*live_visit)(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data);
int live_walk(live_visit visit, void *data, struct error *err);
int live_walk_all_versions(live_visit visit, live_visit visit_other, void *data, struct error *err);
/*
 * True if the fault's holder lives, by its pid and start time. A holder in another PID namespace cannot be seen from
 * here: it counts as alive until 10 s after its lease ended.
 */
bool live_holder_is_alive(const struct eval_ctl *ctl);
/* The name of a control block's kind, "unknown" if this version has no such type. */
const char *live_kind_name(unsigned int kind);

/* A live fault; valid during the visit only. */
struct live_fault {
	const struct eval_ctl *ctl;
	unsigned int map_id;
	const struct live_table *table; /* the host's programs, links and disk maps, read once for all faults */
};
typedef int (*live_fault_visit)(const struct live_fault *fault, void *data);
/* Visits every fault of this version; a non-zero return ends the walk and is returned. */
int live_each_fault(live_fault_visit visit, void *data, struct error *err);
/*
 * An array of {"hook", "ifindex", "program", "link_id" or (a filter's) "priority" and "handle"}. The "ifindex" of the
 * programs line_turn and line_depart is in the fq line's own namespace. New reference.
 */
json_t *live_fault_hooks(const struct live_fault *fault);
/* True if this element of live_fault_hooks() is on a delay line, not on the fault's device. */
bool live_hook_is_of_line(const json_t *hook);
/* Opens the map of this name that a program of the fault uses. Returns a descriptor or -ENOENT. */
int live_fault_map_open(const struct live_fault *fault, const char *name);
/*
 * Copies the state of a fault without programs: the only entry, of this size, of the map with this name whose first
 * member is the id of the fault's eval_ctl. 0 or -ENOENT.
 */
int live_fault_copy(const struct live_fault *fault, const char *map_name, void *out, size_t size);
/* NULL if the fault is not a disk fault. */
const struct eval_disk *live_fault_disk(const struct live_fault *fault);

/*
 * Emergency stop: makes every fault on this host inert, of any version, then writes a line for each into report, then
 * continues stopped holders (SIGSTOP) and detaches the hooks on the faults' devices. The holder of another version's
 * fault detaches it. Delay lines still deliver what they hold. A container leaves this version's faults in other PID
 * namespaces alone. Returns how many faults it stopped, or a negative errno.
 */
int live_stop_all(FILE *report, struct error *err);
/*
 * Makes the faults of dead holders inert and removes the filters that they left. Does nothing on kernels with tcx,
 * where links end with their holder. Returns how many faults it swept, or a negative errno.
 */
int live_sweep_dead(struct error *err);
