/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Internal to config/: the node tree, the list of problems and the decoding tables. */
#pragma once

#include "config/load.h"

#define CONFIG_DEPTH_MAX 32
#define CONFIG_MAPPING_MAX 256 /* keys; bounds the search for duplicates */
#define CONFIG_SEQUENCE_MAX 20000
#define CONFIG_MEMBERS_MAX 256 /* subjects, nodes, probes, chaos types */
#define CONFIG_TRIALS_MAX 100000
#define SUBJECT_NAME_MAX 32 /* also chaos names; keeps trial ids below 96 bytes */
#define NODE_NAME_MAX 63
#define SCALAR_TEXT_MAX 4096
#define PERIOD_MS_MAX 3600000 /* of probes and metrics */
#define COMMAND_MAX 65536     /* one argument of execve is at most 128 KiB (MAX_ARG_STRLEN) */

enum ynode_kind {
	YNODE_SCALAR,
	YNODE_SEQUENCE,
	YNODE_MAPPING,
	YNODE_REFUSED, /* an alias: already reported, so decoders skip it */
};

struct ynode {
	enum ynode_kind kind;
	struct place place;
	struct ynode *key; /* set if the parent is a mapping */
	struct ynode *children, *next;
	size_t count; /* children */
	char *text;   /* scalar, no NUL inside */
	bool plain;   /* not quoted, not a block scalar */
};

enum severity {
	SEVERITY_ERROR,
	SEVERITY_WARNING,
};

struct problem {
	struct place place;
	enum severity severity;
	char *text;
};

struct document {
	struct ynode *root;
	char *file;      /* as the user gave it */
	char *directory; /* absolute */
	char *text;
};

/* One chaos type's parameters as given at one level (defaults, subject or chaos type). */
struct params {
	const struct chaos_ops *ops;
	json_t *values;
	const struct ynode *node; /* the mapping */
};

/* The settings given at one level. NAN or NULL: not given. */
struct level {
	const struct ynode *node; /* the mapping, or NULL if absent */
	double warmup_seconds, duration_seconds, recovery_seconds, retries;
	struct expectations expect;
	const struct ynode *expect_node;
	struct check_command *checks;
	size_t check_count;
	struct command abort_if;
	char *target;
	const struct ynode *target_node;
	struct params *params;
	size_t params_count;
};

struct reader {
	struct config *config;
	enum config_use use;
	struct problem *problems;
	size_t problem_count, problem_dropped;
	bool failed; /* an error was reported or memory ran out */
	struct document *documents;
	size_t document_count;
	const char *directory; /* folder of the file being decoded */
	struct level defaults;
	struct level *subject_levels; /* parallel to config->subjects */
	struct level *chaos_levels;   /* parallel to config->chaos */
};

/* config/ynode.c */
/* Returns the key's value; NULL if mapping is NULL, is not a mapping or lacks the key. */
const struct ynode *ynode_find(const struct ynode *mapping, const char *key);
const char *ynode_describe(const struct ynode *node);
bool ynode_is_null(const struct ynode *node);
/* Iterate over a list's items; a node that is not a list is its own only item. */
const struct ynode *list_first(const struct ynode *node);
const struct ynode *list_next(const struct ynode *node, const struct ynode *item);

/* config/problems.c */
void problem_error(struct reader *reader, const struct place *place, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void problem_warning(struct reader *reader, const struct place *place, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* True if a problem at exactly this place is already recorded. */
bool problem_exists(const struct reader *reader, const struct place *place);
/* "did you mean 'x'?", or, if nothing is near, "known are a, b, c". Returns out. */
const char *problem_hint(char *out, size_t size, const char *text, const char *const *known, size_t count);
void problem_unknown_key(struct reader *reader, const struct place *place, const char *what, const char *name,
			 const char *const *known, size_t known_count);
void problem_unknown_type(struct reader *reader, const struct ynode *node, const char *type);
/* Reports a name that occurs twice in a list. */
void problem_duplicate_name(struct reader *reader, const struct ynode *item, const char *what, const char *name,
			    unsigned int first_line);
void problems_print(struct reader *reader, FILE *out);
void problems_clear(struct reader *reader);

/*
 * config/yaml.c. Reads and parses a file. Reports errors in the content and returns 0; returns a negative errno if the
 * file cannot be read. The reader keeps the document; *out is its index.
 */
int document_read(struct reader *reader, const char *path, size_t *out, struct error *err);
void documents_free(struct reader *reader);

/*
 * config/characters.c: reports tabs in the indentation, and characters that look like a space, a quote or a dash. Only
 * for a file with errors: all of them may be meant, for example in the text of a command.
 */
void characters_explain(struct reader *reader, const char *file, const char *text);

/* config/scalar.c: each returns false after reporting a problem. name is the key that the message shows. */
enum number_kind {
	NUMBER_DECIMAL,
	NUMBER_WHOLE,
};
bool scalar_text(struct reader *reader, const struct ynode *node, const char *name, size_t max, const char **out);
bool scalar_number(struct reader *reader, const struct ynode *node, const char *name, enum number_kind kind, double min,
		   double max, double *out);
bool scalar_bool(struct reader *reader, const struct ynode *node, const char *name, bool *out);
bool scalar_choice(struct reader *reader, const struct ynode *node, const char *name, const char *const *choices,
		   const char **out);
/* At most max letters, digits, '.', '_' and '-', starting with a letter or digit. */
bool scalar_name(struct reader *reader, const struct ynode *node, const char *name, size_t max, const char **out);

/* config/decode.c */
enum key_flags {
	KEY_REQUIRED = 1 << 0,
	KEY_PLANNED = 1 << 1,   /* known, not yet supported */
	KEY_ELSEWHERE = 1 << 2, /* belongs in another mapping: why says where */
};

struct key {
	const char *name;
	void (*read)(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
	size_t offset;
	double min, max;
	unsigned int flags;
	const char *why; /* KEY_REQUIRED: the key's purpose; KEY_ELSEWHERE: the fix */
};

/* A key table and the object that its offsets refer to. A mapping may be decoded by several sets. */
struct key_set {
	const struct key *keys; /* ends with .name = NULL */
	void *object;
};

/* `what` names the mapping in messages ("a node"). Returns false if node is not a mapping. */
bool decode_mapping(struct reader *reader, const struct ynode *node, const char *what, const struct key_set *sets,
		    size_t set_count);
/* Returns the text of value's key; NULL after reporting a key that is not text, a merge key or a duplicate. */
const char *decode_key(struct reader *reader, const struct ynode *mapping, const struct ynode *value);

/* Reports a key's value that is not a list, or one of more than max. False if it is refused. */
bool list_check(struct reader *reader, const struct ynode *value, size_t max);

void read_text(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
/* A name as scalar_name() takes it, of at most key->max characters. */
void read_name(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
void read_number(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
void read_unsigned(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
void read_bool(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
void read_exec(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
void read_command(struct reader *reader, const struct ynode *value, const struct key *key, void *object);

/* Replaces borrowed texts by copies. */
void command_keep(struct reader *reader, struct command *command);

/* Returns array grown by one zeroed element; NULL if out of memory (and marks the reader as failed). */
void *array_grow(struct reader *reader, void *array, size_t *count, size_t element_size);

/* config/settings.c */
extern const struct key settings_keys[], params_keys[], target_keys[], default_target_keys[];
void level_init(struct level *level);
void level_clear(struct level *level);
/* Merges built-in < defaults < subject < chaos type for every combination, and checks params and expectations. */
int settings_resolve(struct reader *reader);

/* config/expect.c */
extern const struct expectations nothing_expected;
void read_expect(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
/* Puts what the level expects in front of what weaker levels do. Borrows the checks until expect_keep(). */
void expect_merge(struct settings *settings, const struct level *level);
/* Ends the merge: copies what is borrowed, and drops what is expected of other subjects' probes. */
void expect_keep(struct reader *reader, struct settings *settings, const struct subject *subject);
/* Checks that the expectations can be judged. levels are weakest first. */
void check_expect(struct reader *reader, const struct subject *subject, const struct settings *settings,
		  const struct level *const *levels);
/* Reports names of probes that no subject has. */
void check_expected_probes(struct reader *reader, const struct level *level);

/* config/params.c */
void read_params_of(struct reader *reader, const struct ynode *value, const struct chaos_ops *ops, struct level *level);
void read_params_by_type(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
const struct params *level_params(const struct level *level, const struct chaos_ops *ops);
const struct ynode *params_field_node(const struct params *params, const char *field);

/* config/chaos_types.c */
void read_chaos_types(struct reader *reader, const struct ynode *value, const struct key *key, void *object);

/* config/node.c */
void read_node_list(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
void read_peer_list(struct reader *reader, const struct ynode *value, const struct key *key, void *object);

/* One line that may have placeholders; only a cgroup may be empty. */
void read_data_text(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
void read_netns(struct reader *reader, const struct ynode *value, const struct key *key, void *object);

/* config/probe.c */
/* An extended regular expression. */
void read_pattern(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
void read_probe_list(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
/* Checks addresses and nodes of the probes and the metrics, once the subject is read. */
void check_probes(struct reader *reader, const struct subject *subject);

/* config/metric.c */
void read_metric_list(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
/* Reads `metrics` of expect: *(json_t **) at key->offset. */
void read_expected_metrics(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
/* Reports series that no subject has. */
void check_expected_metrics(struct reader *reader, const struct level *level);

/* config/subject.c */
void read_subjects(struct reader *reader, const struct ynode *value, const struct key *key, void *object);

/* config/address.c: checks the members' addresses in every instance */
void check_addresses(struct reader *reader, size_t subject_index);
/* Returns an array indexed by node: a member that shares its IP on another port, or NULL. NULL if out of memory. */
const struct node **nodes_sharing_ip(const struct subject *subject);

/* config/check.c */
void config_check(struct reader *reader);
