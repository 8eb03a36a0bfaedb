/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The campaign file: read by libyaml, validated in one go (SPEC.md "Campaign file", "Validation") by config/load.h,
 * kept as written: placeholders are expanded by config/placeholder.h.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chaos/type.h"
#include "util/error.h"

#define CONFIG_FILE_MAX (1024 * 1024) /* longer files are refused */
#define PARALLEL_MAX 256

/* Where in a file something stood; for messages found later than validation. 1-based. */
struct place {
	const char *file; /* owned by the config */
	unsigned int line, column;
};

/* A NULL-terminated list of strings (never NULL itself once read; empty has items[0] == NULL). */
struct strings {
	char **items;
	size_t count;
};

/* exec NULL: not given. Runs through /bin/sh -c in directory. timeout_seconds 0: none given. */
struct command {
	char *exec;
	char *directory; /* folder of the file that names it, absolute */
	double timeout_seconds;
};

struct expectations {
	/* NAN: not asked. */
	double availability_min; /* 0…1, during chaos */
	double p99_ms_max;
	double recover_within_seconds;
};

/* Effective for one subject × chaos type: built-in < defaults < subject < the chaos type's own keys. */
struct settings {
	double warmup_seconds, duration_seconds, recovery_seconds;
	unsigned int retries;
	struct expectations expect;
	struct command abort_if; /* polled during the hold: exit 0 ends the trial */
};

struct node {
	char *name;
	struct strings addresses;
	char *netns, *interface, *cgroup; /* NULL: not given */
	struct strings data_dirs;
	struct place place;
};

struct probe {
	char *name;
	struct command command;
	unsigned int every_ms, timeout_ms;
};

struct subject {
	char *name;
	unsigned int instances; /* copies that can exist side by side */
	bool fresh;             /* false for `reset: none` */
	struct command reset, cleanup, ready, roles, workload;
	char *default_target; /* NULL: not given */
	struct node *nodes;
	size_t node_count;
	struct node *peers; /* members that are never a target */
	size_t peer_count;
	struct probe *probes;
	size_t probe_count;
	struct place place;
};

struct chaos {
	const struct chaos_ops *ops;
	char *name;   /* unique in the file */
	char *target; /* NULL: not given */
	struct place place;
};

struct config {
	char *path, *directory; /* absolute */
	char *name;             /* label, NULL: none */
	bool seed_given;
	uint64_t seed;
	unsigned int trials_per_combination, parallel;
	double cooldown_seconds;
	bool include_baseline;
	struct strings protect; /* beside PROTECT_DEFAULT */
	struct strings allow;
	struct subject *subjects;
	size_t subject_count;
	struct chaos *chaos;
	size_t chaos_count;
	/*
	 * Per subject and chaos type, [subject * (chaos_count + 1) + chaos]; the last of each subject (chaos ==
	 * chaos_count) is the baseline's. params is the effective object (NULL for the baseline).
	 */
	struct effective {
		struct settings settings;
		char *target; /* chaos type's, else default_target, else random; NULL for the baseline */
		json_t *params;
	} * effective;
	struct strings files; /* that were read; places point here */
};

void config_free(struct config *config);
/* They free what the struct holds, not the struct. */
void subject_clear(struct subject *subject);
void node_clear(struct node *node);
void command_clear(struct command *command);
void strings_clear(struct strings *list);
/* False: no memory. NULL appends nothing, so that items is no longer NULL. */
bool strings_append(struct strings *list, const char *text);

const struct effective *config_effective(const struct config *config, size_t subject, size_t chaos);

/*
 * The effective configuration as canonical JSON (sorted keys, compact) without label, drawn seed, parallel and
 * cooldown: what the campaign's hash is over, and what a diff of two configurations compares.
 */
char *config_canonical(const struct config *config);

/* config/json.c: new references; NULL: no memory. What is kept (canonical form, database) is made of these. */
json_t *strings_to_json(const struct strings *list);
json_t *command_to_json(const struct command *command); /* null where none is given */
json_t *nodes_to_json(const struct node *nodes, size_t count);
/* Without expect and abort_if, which stand at a place of their own in each form. */
json_t *settings_to_json(const struct settings *settings);
json_t *expectations_to_json(const struct expectations *expect);
