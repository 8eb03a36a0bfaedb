/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Chaos types. A chaos type is a struct chaos_ops in user/chaos/<name>.c: its field table drives the campaign file's
 * validation, the options of `eval inject`, the help and the plan; its functions make a fault (chaos/fault.h).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chaos_kinds.h"
#include "kernel/features.h"
#include "target/target.h"
#include "util/error.h"

enum chaos_field_type {
	FIELD_NUMBER, /* decimal, unit in the name; min and max apply, both inclusive */
	FIELD_INTEGER,
	FIELD_BOOL,
	FIELD_CHOICE,    /* one of choices */
	FIELD_PEERS,     /* list (or one) of node/peer names or ADDR[:PORT], or the word `all` if all_allowed */
	FIELD_PORTS,     /* list (or one) of 1…65535, or of ranges "N-M" */
	FIELD_GLOBS,     /* list (or one) of patterns for file names, fnmatch(3) */
	FIELD_DATA_DIRS, /* list (or one) of a node's data_dirs: their numbers, from 1, or their paths */
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

/* A kernel feature that a type's faults use. */
struct chaos_requirement {
	enum feature_id feature;
	const char *param, *value; /* only with this value of the param; NULL: always */
	const char *gives;         /* what it adds; faults work without it. NULL: without it they fail */
};

struct fault;
struct live_fault;

struct chaos_ops {
	const char *name;
	enum eval_kind kind;
	const char *summary;              /* help: one line */
	enum target_kind target;          /* what a fault acts on: a node needs its address, or a data_dir */
	bool watches_opens;               /* hits only files that were opened under a chaos_watch, on new kernels */
	bool needs_own_traffic;           /* the node's packets must be distinguishable: its own IP, or a cgroup */
	bool needs_cgroup;                /* it acts on the node's cgroup */
	const struct chaos_field *fields; /* ends with .name = NULL; a type need not have `peers` */
	const struct chaos_requirement *requires; /* ends with {}: every fault needs FEATURE_BTF */
	const char *verb;                         /* for "latency would act on nothing" */
	const char *nothing; /* for "the fault touched nothing: no packet matched while it was live" */

	/*
	 * Checks between fields, for the effective params (each field valid by itself). On failure names the field
	 * to blame in *field, fills err's text and returns -EINVAL.
	 */
	int (*check)(const json_t *params, const char **field, struct error *err);

	/* The life of a fault, see chaos/fault.h. Called through fault_*(). state is the chaos type's own. */
	int (*prepare)(struct fault *fault, void **state, struct error *err);
	int (*activate)(void *state, uint64_t duration_ns, struct error *err);
	int (*renew)(void *state, uint64_t lease_ns, struct error *err);
	void (*stop)(void *state);
	int (*revert)(void *state, struct error *err);
	json_t *(*evidence)(void *state);
	void (*free)(void *state);

	/* Writes what a reverted fault did, from its evidence: "12 of 30 packets hit (1800 bytes)". */
	void (*describe)(char *out, size_t size, const json_t *evidence);
	/* Adds the type's own counters of a live fault, also of another process, for bpf-status: see chaos/inventory.h.
	 */
	void (*live)(const struct live_fault *live, json_t *out);
};

/* The types in the order of chaos_kinds.h: chaos_next(NULL) returns the first, chaos_next(last) returns NULL. */
const struct chaos_ops *chaos_find(const char *name);
const struct chaos_ops *chaos_next(const struct chaos_ops *previous);
/* By eval_ctl.kind; NULL if this version has no such type. */
const struct chaos_ops *chaos_of_kind(unsigned int kind);
/* Writes what the types use the feature for: "latency with line: tap". */
void chaos_feature_uses(char *out, size_t size, enum feature_id feature);
const struct chaos_field *chaos_field_find(const struct chaos_ops *ops, const char *name);
/* Returns a new object with the fallback of every field that has one. */
json_t *chaos_defaults(const struct chaos_ops *ops);

/* The field by which types on files pick among the node's data_dirs. */
#define CHAOS_FIELD_DATA_DIRS \
	{ \
		.name = "data_dirs", .type = FIELD_DATA_DIRS, .arg = "LIST", \
		.help = "some of the node's data_dirs (default: all)" \
	}
/* For check: -EINVAL if min_ms is greater than max_ms. */
int chaos_check_delays(const json_t *params, const char **field, struct error *err);

/* FIELD_CHOICE: the choice that text means, "in" also for "ingress" and "out" for "egress"; NULL if none. */
const char *chaos_choice(const struct chaos_field *field, const char *text);
/*
 * FIELD_PORTS: what params holds for the port, an integer, or the range, "20160-20170", at text; *end is behind it.
 * NULL if there is neither.
 */
json_t *chaos_port(const char *text, char **end);
/* FIELD_GLOBS: true if the glob of this length at text could match a file below a folder. */
bool chaos_glob_is_good(const char *text, size_t length);
/* Parses a field's value from the command line (--min-ms 50) into the JSON that params holds. Not for FIELD_PEERS. */
int chaos_field_parse(const struct chaos_field *field, const char *text, json_t **out, struct error *err);
