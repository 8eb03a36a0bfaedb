/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The content of a campaign file. config/load.h reads and validates it. Placeholders stay as written until
 * config/placeholder.h expands them.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chaos/type.h"
#include "config/expect.h"
#include "util/error.h"

#define CONFIG_FILE_MAX (1024 * 1024) /* longer files are refused */
#define PARALLEL_MAX 256

/* A position in a file, 1-based. */
struct place {
	const char *file; /* owned by the config */
	unsigned int line, column;
};

/* A NULL-terminated list of strings. Once read, items is never NULL; an empty list has items[0] == NULL. */
struct strings {
	char **items;
	size_t count;
};

/* Runs as /bin/sh -c exec in directory. exec is NULL and timeout_seconds is 0 if not given. */
struct command {
	char *exec;
	char *directory; /* absolute; folder of the file that contains the command */
	double timeout_seconds;
};

/* A command that decides the verdict, after the recovery: exit 0 is good. */
struct check_command {
	char *name; /* its number if none was given */
	struct command command;
};

/* Effective settings of one subject × chaos type: built-in < defaults < subject < the chaos type's own keys. */
struct settings {
	double warmup_seconds, duration_seconds, recovery_seconds;
	unsigned int retries;
	struct expectations expect;
	struct check_command *checks;
	size_t check_count;
	struct command abort_if; /* polled during the hold: exit 0 ends the trial */
};

struct node {
	char *name;
	struct strings addresses;
	char *netns, *interface, *cgroup; /* NULL: not given */
	struct strings data_dirs;
	struct place place;
};

enum probe_kind {
	PROBE_EXEC,
	PROBE_TCP,
	PROBE_HTTP,
	PROBE_METRICS, /* of subject.metrics only */
};

/* A request, and what its answer must be. Not given: NULL or 0. */
struct http_check {
	char *url;
	unsigned int status;   /* 0: 200 to 299 */
	char *body;            /* an extended regular expression that is in the body */
	json_t *json;          /* {JSON pointer: text of the value there} */
	char *ca, *cert, *key; /* PEM files; a relative path starts in the folder of command.directory */
};

struct probe {
	char *name;
	enum probe_kind kind;
	struct command command; /* PROBE_EXEC */
	char *tcp;              /* PROBE_TCP: "HOST:PORT" */
	struct http_check http; /* PROBE_HTTP; of PROBE_METRICS url, ca, cert and key */
	struct strings series;  /* PROBE_METRICS: selectors as net/prometheus.h takes them */
	char *node, *netns;     /* whose namespace it runs in; both NULL: this host's */
	unsigned int every_ms, timeout_ms;
	struct place place;
};

/* A number in the workload's output: the first match of each line. */
struct output_metric {
	char *name;
	char *pattern; /* extended regular expression; the number is its first group */
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
	struct probe *metrics; /* PROBE_METRICS */
	size_t metric_count;
	struct output_metric *outputs;
	size_t output_count;
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
	char *name;             /* label; NULL: not given */
	bool seed_given;
	uint64_t seed;
	unsigned int trials_per_combination, parallel;
	struct command notify; /* not part of the hash: it changes nothing of a trial */
	double cooldown_seconds;
	bool include_baseline;
	struct strings protect; /* in addition to PROTECT_DEFAULT */
	struct strings allow;
	struct subject *subjects;
	size_t subject_count;
	struct chaos *chaos;
	size_t chaos_count;
	/*
	 * Indexed by subject * (chaos_count + 1) + chaos; chaos == chaos_count is the baseline, whose params are
	 * NULL.
	 */
	struct effective {
		struct settings settings;
		char *target; /* from the chaos type, the subject or the defaults; otherwise random; NULL: baseline */
		json_t *params;
	} * effective;
	struct strings files; /* every file read; places point to these strings */
};

void config_free(struct config *config);
/* The clear functions free the members, not the struct itself. */
void subject_clear(struct subject *subject);
void node_clear(struct node *node);
void probe_clear(struct probe *probe);
/* NULL if the subject has no node of that name. */
const struct node *node_find(const struct subject *subject, const char *name);
const struct probe *probe_find(const struct subject *subject, const char *name); /* NULL: none */
/* True if a source of the subject's metrics has this series; of the workload's output, the name is the series. */
bool subject_has_series(const struct subject *subject, const char *source, const char *series);
void checks_clear(struct check_command *checks, size_t count); /* also the array */
/* The index of a data_dir, given by its number, from 1, or its path, as in the parameter data_dirs. -ENOENT if none. */
int node_find_data_dir(const struct node *node, const json_t *which, struct error *err);
void command_clear(struct command *command);
void strings_clear(struct strings *list);
/* Returns false if out of memory. A NULL text appends nothing, but allocates items. */
bool strings_append(struct strings *list, const char *text);

const struct effective *config_effective(const struct config *config, size_t subject, size_t chaos);

/*
 * Returns the effective configuration as canonical JSON (sorted keys, compact) without label, drawn seed, parallel and
 * cooldown; NULL if out of memory. The campaign's hash covers this text, and resume compares it with the records.
 */
char *config_canonical(const struct config *config);

/* config/json.c: parts of the canonical form and of the database. New references; NULL if out of memory. */
json_t *strings_to_json(const struct strings *list);
json_t *command_to_json(const struct command *command); /* JSON null if not given */
json_t *nodes_to_json(const struct node *nodes, size_t count);
/* Without expect and abort_if, which each caller adds itself. */
json_t *settings_to_json(const struct settings *settings);
json_t *expectations_to_json(const struct settings *settings);
