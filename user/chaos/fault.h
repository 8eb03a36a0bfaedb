/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Live faults. A fault's life: fault_new (opens, loads, attaches nothing) → fault_activate (live) → fault_renew every
 * LEASE_RENEW_NS → fault_stop (inert at once) → fault_revert (detached, lines drained) → fault_evidence →
 * fault_free. Each later step is safe without the steps between. The death of the process reverts the fault: links and
 * files end with its descriptors, the guard removes filters.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "util/error.h"

struct chaos_ops;
struct chaos_watch;
struct target;

struct fault;
struct fault_spec {
	const char *campaign, *trial; /* "" for an injection by hand */
	const struct chaos_ops *ops;
	const json_t *params; /* effective: every field with a value or a fallback is there */
	const struct target *target;
	uint64_t seed;
	const struct chaos_watch *watch; /* on the target's file systems since before it started; NULL: none */
	/* For an activation longer than LEASE_RENEW_NS: renews the faults that are live already. NULL: none is. */
	void (*renew_others)(void *arg);
	void *renew_others_arg;
};
/* A parameter's text, "" if it has none. */
const char *fault_text_param(const struct fault_spec *spec, const char *name);
/* Calls renew_others, if set; for activations. */
void fault_spec_renew_others(const struct fault_spec *spec);

/*
 * Opens, checks and loads all that the fault needs; nothing is attached yet. The spec and what it points to must
 * live as long as the fault. *out is untouched on failure.
 */
int fault_new(struct fault **out, const struct fault_spec *spec, struct error *err);
/* Attaches: the target is under chaos until now + duration_ns, when hooks end by themselves. */
int fault_activate(struct fault *fault, uint64_t duration_ns, struct error *err);
/*
 * Renews the lease; call it at least every LEASE_RENEW_NS while active. -ENODEV: the fault's hooks were removed, for
 * example with their device, or it was stopped from outside. -ETIME: the lease had lapsed, so the target was not under
 * chaos for a while; it is not renewed. Revert the fault after either error.
 */
int fault_renew(struct fault *fault, struct error *err);
/* Makes the fault inert at once; fault_revert detaches. Safe to repeat and in a signal handler. */
void fault_stop(struct fault *fault);
/* Detaches everything and delivers what delay lines still hold (waits for the longest delay, at most 2 s per line). */
int fault_revert(struct fault *fault, struct error *err);
/*
 * Kernel counters, a new reference; may be called while live and after revert (not after free):
 * {"engine": "tap", "seen": n, "hit": n, "bytes": n, "first_hit_ns": monotonic ns or null,
 *  "devices": [{"device": s, "ifindex": n, "egress": {...}, "ingress": {...}}],
 *  "losses": [{"count": n, "text": s}], "notes": [s], …}
 * per direction {"seen", "hit", "bytes", "drawn": hist, "applied": hist}; hist is
 * {"count", "mean_us", "log2_us": [n, …]} with log2_us[i] counting [2^i, 2^(i+1)) µs, trailing zeroes left out.
 */
json_t *fault_evidence(struct fault *fault);
/* The engine in words ("tap", "tc", "xdp"), for the trial's record. */
const char *fault_engine(const struct fault *fault);
void fault_free(struct fault *fault);

const struct fault_spec *fault_get_spec(const struct fault *fault);
void fault_set_engine(struct fault *fault, const char *engine);
