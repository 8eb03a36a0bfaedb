/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Shared by the network chaos types: one part (BPF object, session, hooks) per device of the target, and the
 * steps of chaos_ops for all parts.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "chaos/fault.h"
#include "chaos/type.h"

struct bpf_object;
struct net_part;
struct session;

struct net_engine {
	const char *engine;
	bool needs_ethernet; /* an optional device without an Ethernet header is left out */
	/* Opens and loads the part's BPF object, and the line that it needs, in the target's namespace. */
	int (*open)(struct net_part *part, const struct fault_spec *spec, struct error *err);
	/* Attaches the hooks and starts what open prepared. */
	int (*attach)(struct net_part *part, const struct fault_spec *spec, struct error *err);
	/* Called with each lease renewal, in the target's namespace, for lines. NULL: nothing to do. */
	void (*renew)(struct net_part *part);
	/* Detaches what attach attached, in the target's namespace. NULL: all hooks at once. */
	void (*detach)(struct net_part *part);
	/* Adds the type's own counters to the part's evidence. NULL: none. */
	void (*add_evidence)(struct net_part *part, json_t *evidence);
	void (*free)(struct net_part *part);
};

struct net_part {
	struct bpf_object *obj; /* set by open, owned by own */
	struct session *session;
	const struct net_device *device;
	void *own; /* the chaos type's state */
};

struct net_fault;

int net_fault_new(void **out, struct fault *fault, const struct net_engine *kind, struct error *err);
int net_fault_activate(void *state, uint64_t duration_ns, struct error *err);
int net_fault_renew(void *state, uint64_t lease_ns, struct error *err);
/* True if the fault is ingress-only and the target has a cgroup: see learn_egress() in bpf/net/match.bpf.h. */
bool net_fault_must_learn(const struct target *target, bool has_egress, bool has_ingress);
void net_fault_stop(void *state);
int net_fault_revert(void *state, struct error *err);
json_t *net_fault_evidence(void *state);
void net_fault_free(void *state);
void net_fault_describe(char *out, size_t size, const json_t *evidence);
/* Adds "egress" and "ingress" with their counters; with_delays: see stats_to_json(). */
void net_fault_live_directions(const struct live_fault *live, bool with_delays, json_t *out);
void net_fault_live(const struct live_fault *live, json_t *out);
