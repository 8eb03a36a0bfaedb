/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One fault on one device: the loaded BPF object's control block, counters and hooks. All but filters end with the
 * descriptors of this process.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chaos_kinds.h"
#include "eval_abi.h"
#include "kernel/hook.h"
#include "util/error.h"

struct bpf_object;
struct bpf_program;
struct net_device;

/* True before both deadline and lease, as in the programs (fault_is_live()). */
static inline bool session_ctl_is_live(const volatile struct eval_ctl *ctl, uint64_t now_ns)
{
	return now_ns < ctl->deadline_ns && now_ns < ctl->lease_ns;
}

/* Who the fault belongs to, as the control block records it. */
struct session_identity {
	enum eval_kind kind;
	const char *campaign, *trial; /* "" for an injection by hand */
	const char *target;           /* the node's name; "": it has none */
	uint64_t netns_ino;
};

struct net_device;
struct session;

/* obj is loaded and outlives the session. device may be NULL (no network device). */
int session_new(struct session **out, struct bpf_object *obj, const struct session_identity *identity,
		const struct net_device *device, const char *engine, struct error *err);
void session_free(struct session *session);

/*
 * Attaches a program to a device in the current network namespace: by a link, which closes with the session or the
 * process, or, on kernels without tcx, by a filter, which the guard removes if the process dies.
 */
int session_attach(struct session *session, const char *device, struct bpf_program *program, enum hook hook,
		   unsigned int ifindex, enum hook_place place, struct error *err);
/* Appends the names of other owners' programs that run before the session's: see hook_list_before(). */
void session_list_before(const struct session *session, char *names, size_t size);
/* False if the device of a hook was removed or someone detached a hook by force. */
bool session_is_attached(const struct session *session);
/* Detaches hooks, last attached first, until `keep` are left. */
void session_detach(struct session *session, size_t keep);

/*
 * These write the control block. activate makes the fault live for duration_ns, while the lease is renewed; it returns
 * -ENODEV if the fault was stopped before. stop only stores to shared memory.
 */
int session_activate(struct session *session, uint64_t duration_ns, struct error *err);
void session_renew(struct session *session, uint64_t lease_ns);
void session_set_cgroup(struct session *session, uint64_t cgroup_id);
void session_stop(struct session *session);
/* True if the fault was stopped, by session_stop() or from outside (eval cleanup --now). */
bool session_is_stopped(const struct session *session);
/* -ENODEV, with err, if the fault was stopped from outside and not by session_stop(). */
int session_check(const struct session *session, struct error *err);
/* Stops for good: the lines' hooks now restore what the device's hooks changed, so the latter can be detached. */
void session_drain(struct session *session);

/* One element of "devices" in fault_evidence(). New reference. */
json_t *session_evidence(const struct session *session);
