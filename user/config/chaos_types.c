/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Decodes the list of chaos types. */
#include <string.h>

#include "config/reader.h"

struct chaos_entry {
	struct chaos *chaos;
	struct level *level;
};

static void read_chaos_type(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct chaos_entry *entry = object;
	const char *type;

	if (!scalar_text(reader, value, "type", SCALAR_TEXT_MAX, &type))
		return;
	entry->chaos->ops = chaos_find(type);
	if (!entry->chaos->ops)
		problem_unknown_type(reader, value, type);
}

static void read_chaos_name(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct chaos_entry *entry = object;
	const char *name;

	if (!scalar_name(reader, value, key->name, SUBJECT_NAME_MAX, &name))
		return;
	if (!strcmp(name, "baseline")) {
		problem_error(reader, &value->place,
			      "'baseline' is the name of the trials without chaos (include_baseline): choose another");
		return;
	}
	entry->chaos->name = strdup(name);
	reader->failed |= !entry->chaos->name;
}

/* `params` may precede `type` in the file, so read_chaos decodes it after all other keys. */
static void skip_params(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
}

static const struct key chaos_keys[] = {
	{.name = "type", .read = read_chaos_type, .flags = KEY_REQUIRED, .why = "such as latency or network_partition"},
	{.name = "name", .read = read_chaos_name},
	{.name = "params", .read = skip_params},
	{.name = "default_target", .flags = KEY_ELSEWHERE, .why = "write 'target'"},
	{0},
};

static struct chaos *chaos_add(struct reader *reader, struct level **level)
{
	struct config *config = reader->config;
	size_t level_count = config->chaos_count;
	struct level *levels = array_grow(reader, reader->chaos_levels, &level_count, sizeof(*levels));
	struct chaos *chaos;

	if (!levels)
		return NULL;
	reader->chaos_levels = levels;
	chaos = array_grow(reader, config->chaos, &config->chaos_count, sizeof(*chaos));
	if (!chaos)
		return NULL;
	config->chaos = chaos;
	*level = &levels[config->chaos_count - 1];
	level_init(*level);
	return &chaos[config->chaos_count - 1];
}

static void read_chaos(struct reader *reader, const struct ynode *item)
{
	struct chaos_entry entry;
	const struct ynode *params;

	if (item->kind == YNODE_REFUSED)
		return;
	entry.chaos = chaos_add(reader, &entry.level);
	if (!entry.chaos)
		return;
	entry.chaos->place = item->place;
	entry.level->node = item;
	if (item->kind == YNODE_SCALAR && !ynode_is_null(item)) {
		read_chaos_type(reader, item, NULL, &entry);
		return;
	}
	decode_mapping(
		reader, item, "a chaos type",
		(struct key_set[]){{chaos_keys, &entry}, {settings_keys, entry.level}, {target_keys, entry.level}}, 3);
	params = ynode_find(item, "params");
	if (params && entry.chaos->ops)
		read_params_of(reader, params, entry.chaos->ops, entry.level);
	if (entry.level->target)
		entry.chaos->target = strdup(entry.level->target);
	reader->failed |= entry.level->target && !entry.chaos->target;
}

static const struct chaos *find_name(const struct config *config, const char *name, const struct chaos *except)
{
	for (size_t i = 0; i < config->chaos_count; i++)
		if (&config->chaos[i] != except && config->chaos[i].name && !strcmp(config->chaos[i].name, name))
			return &config->chaos[i];
	return NULL;
}

static void name_after_type(struct reader *reader, struct chaos *chaos)
{
	char name[128];
	unsigned int number = 1;

	if (chaos->name || !chaos->ops)
		return;
	snprintf(name, sizeof(name), "%s", chaos->ops->name);
	while (find_name(reader->config, name, chaos))
		snprintf(name, sizeof(name), "%s-%u", chaos->ops->name, ++number);
	chaos->name = strdup(name);
	reader->failed |= !chaos->name;
}

static void name_all(struct reader *reader)
{
	const struct config *config = reader->config;

	for (size_t i = 0; i < config->chaos_count; i++) {
		const struct chaos *first =
			config->chaos[i].name ? find_name(config, config->chaos[i].name, NULL) : NULL;

		if (first && first != &config->chaos[i])
			problem_duplicate_name(reader, reader->chaos_levels[i].node, "chaos type", first->name,
					       first->place.line);
	}
	for (size_t i = 0; i < config->chaos_count; i++)
		name_after_type(reader, &config->chaos[i]);
}

void read_chaos_types(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	if (!list_check(reader, value, CONFIG_MEMBERS_MAX))
		return;
	for (const struct ynode *item = value->children; item; item = item->next)
		read_chaos(reader, item);
	name_all(reader);
}
