/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Chaos types and live faults.
 *
 * A chaos type is a struct chaos_ops in user/chaos/<name>.c: its field table drives the campaign file's
 * validation, the options of `eval inject`, the help and the plan; its functions make a fault.
 *
 * A fault's life: fault_new (opens, loads, attaches nothing) → fault_activate (live) → fault_renew every
 * LEASE_RENEW_NS → fault_stop (inert at once) → fault_revert (detached, lines drained) → fault_evidence →
 * fault_free. Each later step is safe without the ones between; everything hangs on descriptors, so the death
 * of the process reverts it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chaos_kinds.h"
#include "target/target.h"
#include "util/error.h"

enum chaos_field_type {
	FIELD_NUMBER, /* decimal, unit in the name; min and max apply, both inclusive */
	FIELD_INTEGER,
	FIELD_BOOL,
	FIELD_CHOICE, /* one of choices */
	FIELD_PEERS,  /* list (or one) of node/peer names or ADDR[:PORT], or the word `all` where all_allowed */
	FIELD_PORTS,  /* list (or one) of 1…65535 */
};

struct chaos_field {
	const char *name; /* key in `params`, and --name with dashes in `eval inject` */
	enum chaos_field_type type;
	double min, max;
	const char *const *choices; /* NULL-terminated, for FIELD_CHOICE */
	const char *fallback;       /* built-in default as JSON text; NULL: none, the key stays absent */
	bool required;
	bool all_allowed; /* FIELD_PEERS: the word `all` is allowed */
	const char *arg;  /* help: name of the value, "MS" */
	const char *help; /* one line */
};

/* What a chaos type needs of its target node, checked by validation. */
enum chaos_needs {
	CHAOS_NEEDS_ADDRESS = 1 << 0,
	CHAOS_NEEDS_DATA_DIR = 1 << 1,
	CHAOS_NEEDS_OTHER_NODES = 1 << 2, /* at least one other node or peer */
	CHAOS_NEEDS_OWN_TRAFFIC = 1 << 3, /* what the node sends can be told apart: its own IP, or a cgroup */
};

struct fault;
struct fault_spec {
	const char *campaign, *trial; /* "" for an injection by hand */
	const struct chaos_ops *ops;
	const json_t *params; /* effective: every field with a value or a fallback is there */
	const struct target *target;
	uint64_t seed;
	/* For an activation longer than LEASE_RENEW_NS: keeps what is live already so. NULL: nothing is. */
	void (*renew_others)(void *arg);
	void *renew_others_arg;
};
/* For activations: calls renew_others. */
void fault_spec_renew_others(const struct fault_spec *spec);

struct chaos_ops {
	const char *name;
	enum eval_kind kind;
	const char *summary;              /* help: one line */
	unsigned int needs;               /* enum chaos_needs */
	const struct chaos_field *fields; /* ends with .name = NULL */

	/*
	 * Checks between fields, for the effective params (each field valid by itself). On failure names the field
	 * to blame in *field, fills err's text and returns -EINVAL.
	 */
	int (*check)(const json_t *params, const char **field, struct error *err);

	/* The life of a fault, see above. Called through fault_*(). state is the chaos type's own. */
	int (*prepare)(struct fault *fault, void **state, struct error *err);
	int (*activate)(void *state, uint64_t duration_ns, struct error *err);
	int (*renew)(void *state, uint64_t lease_ns, struct error *err);
	void (*stop)(void *state);
	int (*revert)(void *state, struct error *err);
	json_t *(*evidence)(void *state);
	void (*free)(void *state);
};

/* The table, in the order of chaos_kinds.h; chaos_next(NULL) is the first, NULL after the last. */
const struct chaos_ops *chaos_find(const char *name);
const struct chaos_ops *chaos_next(const struct chaos_ops *previous);
const struct chaos_field *chaos_field_find(const struct chaos_ops *ops, const char *name);
/* A new object with every fallback of the table. */
json_t *chaos_defaults(const struct chaos_ops *ops);

/* A field's value from the command line (--min-ms 50), as the JSON that params holds. Not for FIELD_PEERS. */
int chaos_field_parse(const struct chaos_field *field, const char *text, json_t **out, struct error *err);

/*
 * Opens, checks and loads all that the fault needs; nothing is attached yet. The spec and what it points to must
 * live as long as the fault. *out is untouched on failure.
 */
int fault_new(struct fault **out, const struct fault_spec *spec, struct error *err);
/* Attaches; from here on the target is under chaos until now + duration_ns (the kernel ends it too). */
int fault_activate(struct fault *fault, uint64_t duration_ns, struct error *err);
/*
 * Renews the lease; call it at least every LEASE_RENEW_NS while active. -ENODEV: a device went away, and the fault's
 * hooks with it, or it was stopped from outside. -ETIME: the lease had lapsed, so the target was not under chaos for a
 * while; it is not renewed. A fault that reports either is to be reverted.
 */
int fault_renew(struct fault *fault, struct error *err);
/* Inert at once (stores to shared memory only, safe to repeat); detaching is left to fault_revert. */
void fault_stop(struct fault *fault);
/* Detaches everything and delivers what delay lines still hold (waits at most the longest delay, bounded 2 s). */
int fault_revert(struct fault *fault, struct error *err);
/*
 * Kernel counters, a new reference; may be called while live and after revert (not after free):
 * {"engine": "tap", "seen": n, "hit": n, "bytes": n, "first_hit_ns": monotonic ns or null,
 *  "devices": [{"device": s, "ifindex": n, "egress": {...}, "ingress": {...}}], …}
 * per direction {"seen", "hit", "bytes", "drawn": hist, "applied": hist}; hist is
 * {"count", "mean_us", "log2_us": [n, …]} with log2_us[i] counting [2^i, 2^(i+1)) µs, trailing zeroes left out.
 */
json_t *fault_evidence(struct fault *fault);
/* Adds the plain counters of a part's evidence (seen, hit, bytes) to a total's. */
void evidence_add(json_t *total, const json_t *part);
/* The engine in words ("tap", "tc", "xdp"), for the trial's record. */
const char *fault_engine(const struct fault *fault);
void fault_free(struct fault *fault);

const struct fault_spec *fault_get_spec(const struct fault *fault);
void fault_set_engine(struct fault *fault, const char *engine);
