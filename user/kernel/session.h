/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One fault on one device: the loaded BPF object's control block, counters and links. Everything hangs on
 * descriptors of this process.
 */
#pragma once

#include <bpf/libbpf.h>
#include <jansson.h>
#include <stdbool.h>

#include "chaos/type.h"
#include "eval_abi.h"
#include "kernel/hook.h"

/* Routes libbpf's messages through the log, one level quieter; the last warning ends up in error texts. */
void bpf_log_init(void);

/*
 * Loads obj and turns the kernel's refusal into a text that says what is missing. size_map sets a hash map's
 * size before load; a map needs at least one entry.
 */
int bpf_object_load_checked(struct bpf_object *obj, struct error *err);
int bpf_object_size_map(struct bpf_object *obj, const char *name, size_t entries, struct error *err);
int bpf_object_map_fd(struct bpf_object *obj, const char *name);

struct bpf_session;

/* obj is loaded and outlives the session. device may be NULL (no network device). */
int bpf_session_new(struct bpf_session **out, struct bpf_object *obj, const struct fault_spec *spec,
		    const struct target_device *device, const char *engine, struct error *err);
void bpf_session_free(struct bpf_session *session);

/*
 * Attaches a program to a device in the current network namespace: by a link, which closes with the session or the
 * process, or, on kernels without tcx, by a filter, which the guard removes where the process dies.
 */
int bpf_session_attach(struct bpf_session *session, const char *device, struct bpf_program *program, enum bpf_hook hook,
		       unsigned int ifindex, enum bpf_hook_place place, struct error *err);
/* False: a device of the hooks, which are all that was attached, is gone or someone detached them by force. */
bool bpf_session_is_attached(const struct bpf_session *session);
/* Detaches hooks, last attached first, until `keep` are left. */
void bpf_session_detach(struct bpf_session *session, size_t keep);

/*
 * The control block: live for duration_ns, while the lease is renewed. stop only stores to shared memory; what was
 * stopped before is not activated any more (-ENODEV).
 */
int bpf_session_activate(struct bpf_session *session, uint64_t duration_ns, struct error *err);
void bpf_session_renew(struct bpf_session *session, uint64_t lease_ns);
void bpf_session_set_cgroup(struct bpf_session *session, uint64_t cgroup_id);
void bpf_session_stop(struct bpf_session *session);
/* True: its deadline is taken away, by bpf_session_stop() or from outside (eval cleanup --now). */
bool bpf_session_is_stopped(const struct bpf_session *session);
/* -ENODEV, with err, where that came from outside alone. */
int bpf_session_check(const struct bpf_session *session, struct error *err);
/* Stops for good, and from here the lines' hooks restore what the device's hooks did: these may go. */
void bpf_session_drain(struct bpf_session *session);

/* Counters summed over CPUs; first_hit_ns is the earliest, 0 where there is none. */
int bpf_stats_read(int stats_map_fd, enum eval_direction direction, struct eval_stats *sum);
/* The "devices" element of fault_evidence(). */
json_t *bpf_session_evidence(const struct bpf_session *session);
json_t *bpf_stats_to_json(const struct eval_stats *stats, bool with_delays);

/*
 * Every control block of this host, by walking the kernel's map ids. visit gets a descriptor of the map (closed
 * afterwards) and its id; a non-zero return ends the walk and is returned. visit_other gets the control blocks of evals
 * with another EVAL_ABI_VERSION, of which ctl holds only what all versions share, up to deadline_ns. Each may be NULL.
 */
typedef int (*bpf_fault_visit)(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data);
int bpf_walk_faults(bpf_fault_visit visit, void *data, struct error *err);
int bpf_walk_all_versions(bpf_fault_visit visit, bpf_fault_visit visit_other, void *data, struct error *err);
/*
 * True while the process that holds the fault lives: pid and start time agree, or, where it is in another PID namespace
 * and so cannot be seen from here, its lease is not long over.
 */
bool eval_ctl_holder_lives(const struct eval_ctl *ctl);
