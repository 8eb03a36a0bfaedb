/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One fault on one device: the loaded BPF object's control block, counters and links. Everything hangs on
 * descriptors of this process.
 */
#pragma once

#include <bpf/libbpf.h>
#include <jansson.h>
#include <stdbool.h>

#include "chaos/fault.h"
#include "eval_abi.h"
#include "kernel/hook.h"

/* Routes libbpf's messages through the log, one level quieter; the last warning ends up in error texts. */
void object_log_init(void);

/*
 * Loads obj and turns the kernel's refusal into a text that says what is missing. size_map sets a hash map's
 * size before load; a map needs at least one entry.
 */
int object_load(struct bpf_object *obj, struct error *err);
int object_size_map(struct bpf_object *obj, const char *name, size_t entries, struct error *err);
int object_map_fd(struct bpf_object *obj, const char *name);

struct net_device;
struct session;

/* obj is loaded and outlives the session. device may be NULL (no network device). */
int session_new(struct session **out, struct bpf_object *obj, const struct fault_spec *spec,
		const struct net_device *device, const char *engine, struct error *err);
void session_free(struct session *session);

/*
 * Attaches a program to a device in the current network namespace: by a link, which closes with the session or the
 * process, or, on kernels without tcx, by a filter, which the guard removes where the process dies.
 */
int session_attach(struct session *session, const char *device, struct bpf_program *program, enum hook hook,
		   unsigned int ifindex, enum hook_place place, struct error *err);
/* False: a device of the hooks, which are all that was attached, is gone or someone detached them by force. */
bool session_is_attached(const struct session *session);
/* Detaches hooks, last attached first, until `keep` are left. */
void session_detach(struct session *session, size_t keep);

/*
 * The control block: live for duration_ns, while the lease is renewed. stop only stores to shared memory; what was
 * stopped before is not activated any more (-ENODEV).
 */
int session_activate(struct session *session, uint64_t duration_ns, struct error *err);
void session_renew(struct session *session, uint64_t lease_ns);
void session_set_cgroup(struct session *session, uint64_t cgroup_id);
void session_stop(struct session *session);
/* True: its deadline is taken away, by session_stop() or from outside (eval cleanup --now). */
bool session_is_stopped(const struct session *session);
/* -ENODEV, with err, where that came from outside alone. */
int session_check(const struct session *session, struct error *err);
/* Stops for good, and from here the lines' hooks restore what the device's hooks did: these may go. */
void session_drain(struct session *session);

/* Counters summed over CPUs; first_hit_ns is the earliest, 0 where there is none. */
int stats_read(int stats_map_fd, enum eval_direction direction, struct eval_stats *sum);
/* The "devices" element of fault_evidence(). */
json_t *session_evidence(const struct session *session);
json_t *stats_to_json(const struct eval_stats *stats, bool with_delays);

/*
 * Every control block of this host, by walking the kernel's map ids. visit gets a descriptor of the map (closed
 * afterwards) and its id; a non-zero return ends the walk and is returned. visit_other gets the control blocks of evals
 * with another EVAL_ABI_VERSION, of which ctl holds only what all versions share, up to deadline_ns. Each may be NULL.
 */
typedef int (*bpf_fault_visit)(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data);
int live_walk(bpf_fault_visit visit, void *data, struct error *err);
int live_walk_all_versions(bpf_fault_visit visit, bpf_fault_visit visit_other, void *data, struct error *err);
/*
 * True while the process that holds the fault lives: pid and start time agree, or, where it is in another PID namespace
 * and so cannot be seen from here, its lease is not long over.
 */
bool live_holder_is_alive(const struct eval_ctl *ctl);
