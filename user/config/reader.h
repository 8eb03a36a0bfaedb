/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The room's own: the node tree, the list of problems, the tables that decode. */
#pragma once

#include "config/load.h"

#define CONFIG_DEPTH_MAX 32
#define CONFIG_MAPPING_MAX 256 /* keys; bounds the search for duplicates */
#define CONFIG_SEQUENCE_MAX 20000
#define CONFIG_MEMBERS_MAX 256 /* subjects, nodes, probes, chaos types */
#define CONFIG_TRIALS_MAX 100000
#define SUBJECT_NAME_MAX 32 /* and chaos names: trial ids fit 96 bytes */
#define NODE_NAME_MAX 63
#define SCALAR_TEXT_MAX 4096
#define COMMAND_MAX 65536 /* one argument of execve is at most 128 KiB (MAX_ARG_STRLEN) */

enum ynode_kind {
	YNODE_SCALAR,
	YNODE_SEQUENCE,
	YNODE_MAPPING,
	YNODE_REFUSED, /* an alias: already reported, so that no decoder complains again */
};

struct ynode {
	enum ynode_kind kind;
	struct place place;
	struct ynode *key; /* of a mapping's value */
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
};

/* One type's parameters as one level (defaults, subject, chaos type) gives them. */
struct params {
	const struct chaos_ops *ops;
	json_t *values;
	const struct ynode *node; /* the mapping */
};

/* The settings of one level. NAN and NULL: not given there. */
struct level {
	const struct ynode *node; /* the mapping; NULL: none was given */
	double warmup_seconds, duration_seconds, recovery_seconds, retries;
	struct expectations expect;
	const struct ynode *expect_node;
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
	bool failed; /* an error, not only warnings, or no memory */
	struct document *documents;
	size_t document_count;
	const char *directory; /* of the file being decoded */
	struct level defaults;
	struct level *subject_levels; /* parallel to config->subjects */
	struct level *chaos_levels;   /* parallel to config->chaos */
};

/* config/ynode.c */
/* The value of a mapping's key, NULL where there is none (or no mapping). */
const struct ynode *ynode_find(const struct ynode *mapping, const char *key);
const char *ynode_describe(const struct ynode *node);
bool ynode_is_null(const struct ynode *node);
/* Calls with each item of a list, or with the node itself where it is a scalar. */
const struct ynode *list_first(const struct ynode *node);
const struct ynode *list_next(const struct ynode *node, const struct ynode *item);

/* config/problems.c */
void problem_error(struct reader *reader, const struct place *place, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void problem_warning(struct reader *reader, const struct place *place, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* True where something was said about this very place. */
bool problem_exists(const struct reader *reader, const struct place *place);
void problem_unknown_key(struct reader *reader, const struct place *place, const char *what, const char *name,
			 const char *const *known, size_t known_count);
void problem_unknown_type(struct reader *reader, const struct ynode *node, const char *type);
/* Reports a name that stands twice in a list. */
void problem_duplicate_name(struct reader *reader, const struct ynode *item, const char *what, const char *name,
			    unsigned int first_line);
void problems_print(struct reader *reader, FILE *out);
void problems_clear(struct reader *reader);

/*
 * config/yaml.c. Reads and parses; what is wrong inside the file is reported, what keeps it from being read is
 * returned (negative errno). The document is kept by the reader; *out is its index.
 */
int document_read(struct reader *reader, const char *path, size_t *out, struct error *err);
void documents_free(struct reader *reader);

/* config/scalar.c: each returns false after reporting. name is the key, for the message. */
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
/* A safe name of at most max characters. */
bool scalar_name(struct reader *reader, const struct ynode *node, const char *name, size_t max, const char **out);

/* config/decode.c */
enum key_flags {
	KEY_REQUIRED = 1 << 0,
	KEY_PLANNED = 1 << 1,   /* in the contract, not built yet */
	KEY_ELSEWHERE = 1 << 2, /* right in another mapping: why says where */
};

struct key {
	const char *name;
	void (*read)(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
	size_t offset;
	double min, max;
	unsigned int flags;
	const char *why; /* KEY_REQUIRED: what it is for; KEY_ELSEWHERE: what would be right */
};

/* A table and the object that its offsets are in. A mapping may be read by several. */
struct key_set {
	const struct key *keys; /* ends with .name = NULL */
	void *object;
};

/* what names the mapping in messages ("a node"). Returns false where it is no mapping. */
bool decode_mapping(struct reader *reader, const struct ynode *node, const char *what, const struct key_set *sets,
		    size_t set_count);
/*
 * For mappings whose keys come from elsewhere: a key's text, or NULL after reporting (not text, merge key,
 * duplicate).
 */
const char *decode_key(struct reader *reader, const struct ynode *mapping, const struct ynode *value);

void read_text(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
void read_number(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
void read_unsigned(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
void read_bool(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
void read_exec(struct reader *reader, const struct ynode *value, const struct key *key, void *object);
void read_command(struct reader *reader, const struct ynode *value, const struct key *key, void *object);

/* Grows *array by one zeroed element; NULL where there is no memory (marks the reader failed). */
void *array_grow(struct reader *reader, void *array, size_t *count, size_t element_size);

/* config/settings.c */
extern const struct key settings_keys[], params_keys[], target_keys[], default_target_keys[];
void level_init(struct level *level);
void level_clear(struct level *level);
/* Merges built-in < defaults < subject < chaos (NULL: the baseline) for every combination, and checks params. */
int settings_resolve(struct reader *reader);

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

/* config/subject.c */
void read_subjects(struct reader *reader, const struct ynode *value, const struct key *key, void *object);

/* config/address.c: the nodes' addresses, in every instance */
void check_addresses(struct reader *reader, size_t subject_index);
/* By node: another member with an address on the same IP, told apart by its port, or NULL. NULL: no memory. */
const struct node **nodes_sharing_ip(const struct subject *subject);

/* config/check.c */
void config_check(struct reader *reader);
