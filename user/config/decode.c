/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Decodes mappings by tables of keys. */
#include <string.h>

#include "config/reader.h"
#include "util/cleanup.h"
#include "util/text.h"

#define KNOWN_MAX 64

void *array_grow(struct reader *reader, void *array, size_t *count, size_t element_size)
{
	char *grown = reallocarray(array, *count + 1, element_size);

	if (!grown) {
		reader->failed = true;
		return NULL;
	}
	memset(grown + *count * element_size, 0, element_size);
	(*count)++;
	return grown;
}

const char *decode_key(struct reader *reader, const struct ynode *mapping, const struct ynode *value)
{
	const struct ynode *key = value->key;

	if (key->kind == YNODE_REFUSED)
		return NULL;
	if (key->kind != YNODE_SCALAR || ynode_is_null(key)) {
		problem_error(reader, &key->place, "a key must be text, found %s", ynode_describe(key));
		return NULL;
	}
	if (key->plain && !strcmp(key->text, "<<")) {
		problem_error(reader, &key->place, "merge keys ('<<') are not allowed: write the keys out");
		return NULL;
	}
	for (const struct ynode *other = mapping->children; other != value; other = other->next)
		/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a scalar has a text */
		if (other->key->kind == YNODE_SCALAR && !strcmp(other->key->text, key->text)) {
			problem_error(reader, &key->place, "duplicate key '%.*s'; the first is on line %u",
				      text_cut(key->text, 60), key->text, other->key->place.line);
			return NULL;
		}
	return key->text;
}

static const struct key *find_key(const struct key_set *sets, size_t set_count, const char *name, void **object)
{
	for (size_t i = 0; i < set_count; i++)
		for (const struct key *key = sets[i].keys; key->name; key++)
			if (!strcmp(key->name, name)) {
				*object = sets[i].object;
				return key;
			}
	return NULL;
}

static void report_missing(struct reader *reader, const struct ynode *node, const char *what,
			   const struct key_set *sets, size_t set_count)
{
	for (size_t i = 0; i < set_count; i++)
		for (const struct key *key = sets[i].keys; key->name; key++)
			if ((key->flags & KEY_REQUIRED) && !ynode_find(node, key->name))
				problem_error(reader, &node->place, "%s needs the key '%s': %s", what, key->name,
					      key->why);
}

static void decode_unknown(struct reader *reader, const struct place *place, const char *what, const char *name,
			   const struct key_set *sets, size_t set_count)
{
	const char *known[KNOWN_MAX];
	size_t known_count = 0;

	for (size_t i = 0; i < set_count; i++)
		for (const struct key *key = sets[i].keys; key->name && known_count < KNOWN_MAX; key++)
			if (!(key->flags & (KEY_PLANNED | KEY_ELSEWHERE)))
				known[known_count++] = key->name;
	problem_unknown_key(reader, place, what, name, known, known_count);
}

bool decode_mapping(struct reader *reader, const struct ynode *node, const char *what, const struct key_set *sets,
		    size_t set_count)
{
	if (node->kind == YNODE_REFUSED)
		return false;
	if (node->kind != YNODE_MAPPING) {
		problem_error(reader, &node->place, "%s must be a mapping of keys and values, found %s", what,
			      ynode_describe(node));
		return false;
	}
	for (const struct ynode *value = node->children; value; value = value->next) {
		const char *name = decode_key(reader, node, value);
		const struct key *key;
		void *object = NULL;

		if (!name)
			continue;
		key = find_key(sets, set_count, name, &object);
		if (!key)
			decode_unknown(reader, &value->key->place, what, name, sets, set_count);
		else if (key->flags & KEY_PLANNED)
			problem_error(reader, &value->key->place, "'%s' is not yet supported", name);
		else if (key->flags & KEY_ELSEWHERE)
			problem_error(reader, &value->key->place, "'%s' does not belong in %s: %s", name, what,
				      key->why);
		else
			key->read(reader, value, key, object);
	}
	report_missing(reader, node, what, sets, set_count);
	return true;
}

bool list_check(struct reader *reader, const struct ynode *value, size_t max)
{
	if (value->kind == YNODE_REFUSED)
		return false;
	if (value->kind == YNODE_SEQUENCE && value->count <= max)
		return true;
	problem_error(reader, &value->place, "'%s' must be a list of at most %zu, found %s", value->key->text, max,
		      value->kind == YNODE_SEQUENCE ? "more" : ynode_describe(value));
	return false;
}

#define FIELD(object, key, type) ((type *)((char *)(object) + (key)->offset))

void read_text(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	size_t max = key->max > 0 ? (size_t)key->max : SCALAR_TEXT_MAX;
	const char *text;

	if (!scalar_text(reader, value, key->name, max, &text))
		return;
	if (!*text && key->min > 0) {
		problem_error(reader, &value->place, "'%s' must not be empty", key->name);
		return;
	}
	*FIELD(object, key, char *) = strdup(text);
	reader->failed |= !*FIELD(object, key, char *);
}

void read_name(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	char **out = FIELD(object, key, char *);
	const char *text;

	if (!scalar_name(reader, value, key->name, (size_t)key->max, &text))
		return;
	*out = strdup(text);
	reader->failed |= !*out;
}

void read_number(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	scalar_number(reader, value, key->name, NUMBER_DECIMAL, key->min, key->max, FIELD(object, key, double));
}

void read_unsigned(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	double number;

	if (scalar_number(reader, value, key->name, NUMBER_WHOLE, key->min, key->max, &number))
		*FIELD(object, key, unsigned int) = (unsigned int)number;
}

void read_bool(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	scalar_bool(reader, value, key->name, FIELD(object, key, bool));
}

/* Refuses placeholders in a command: the shell would get them unexpanded. */
static void check_exec(struct reader *reader, const struct ynode *node, const char *exec)
{
	static const char *const placeholders[][2] = {{"{instance}", "EVAL_INSTANCE"},
						      {"{node}", "EVAL_TARGET"},
						      {"{subject}", "EVAL_SUBJECT"}};

	if (!exec[strspn(exec, " \t\n")])
		problem_error(reader, &node->place, "a command must not be empty");
	for (size_t i = 0; i < ARRAY_SIZE(placeholders); i++) {
		const char *found = strstr(exec, placeholders[i][0]);

		if (found && (found == exec || found[-1] != '$'))
			problem_error(reader, &node->place,
				      "%s is for data fields only: a command gets $%s in its environment",
				      placeholders[i][0], placeholders[i][1]);
	}
}

static void decode_exec(struct reader *reader, const struct ynode *value, const char *name, char **out)
{
	const char *text;

	if (!scalar_text(reader, value, name, COMMAND_MAX, &text))
		return;
	check_exec(reader, value, text);
	*out = strdup(text);
	reader->failed |= !*out;
}

void read_exec(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	decode_exec(reader, value, key->name, FIELD(object, key, char *));
}

void read_command(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	static const struct key command_keys[] = {
		{.name = "exec",
		 .read = read_exec,
		 .offset = offsetof(struct command, exec),
		 .flags = KEY_REQUIRED,
		 .why = "the command"},
		{.name = "timeout_seconds",
		 .read = read_number,
		 .offset = offsetof(struct command, timeout_seconds),
		 .min = 0.001,
		 .max = 86400},
		{0},
	};
	struct command *command = FIELD(object, key, struct command);

	if (value->kind == YNODE_MAPPING)
		decode_mapping(reader, value, key->name, &(struct key_set){command_keys, command}, 1);
	else
		decode_exec(reader, value, key->name, &command->exec);
	command->directory = strdup(reader->directory);
	reader->failed |= !command->directory;
}

void command_keep(struct reader *reader, struct command *command)
{
	if (!command->exec)
		return;
	command->exec = strdup(command->exec);
	command->directory = strdup(command->directory);
	reader->failed |= !command->exec || !command->directory;
}
