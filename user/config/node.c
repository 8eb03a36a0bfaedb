/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Decodes the nodes and peers of a subject. */
#include <string.h>

#include "config/reader.h"
#include "config/roles.h"
#include "util/cleanup.h"
#include "util/text.h"

static const char *const placeholders[] = {"instance", "node", "subject"};

/* True if the text has no placeholders or only known ones. */
static bool check_placeholders(struct reader *reader, const struct ynode *node, const char *name)
{
	const char *text = node->text, *open;

	while ((open = strpbrk(text, "{}"))) {
		size_t length = strcspn(open + 1, "{}");
		bool known = false;

		if (*open == '}' || open[1 + length] != '}') {
			problem_error(reader, &node->place,
				      "'%s' has a '%c' that is not part of {instance}, {node} or "
				      "{subject}",
				      name, *open);
			return false;
		}
		for (size_t i = 0; i < ARRAY_SIZE(placeholders); i++)
			known |= strlen(placeholders[i]) == length && !strncmp(open + 1, placeholders[i], length);
		if (!known) {
			problem_error(reader, &node->place,
				      "unknown placeholder '%.*s' in '%s'; known are {instance}, {node} and {subject}",
				      (int)(length < 40 ? length : 40) + 2, open, name);
			return false;
		}
		text = open + length + 2;
	}
	return true;
}

static bool scalar_data(struct reader *reader, const struct ynode *node, const char *name, const char **out)
{
	if (!scalar_text(reader, node, name, SCALAR_TEXT_MAX, out))
		return false;
	if (text_has_control(*out)) {
		problem_error(reader, &node->place, "'%s' must be one line without control characters", name);
		return false;
	}
	return check_placeholders(reader, node, name);
}

void read_data_text(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	char **out = (char **)((char *)object + key->offset);
	const char *text;

	if (!scalar_data(reader, value, key->name, &text))
		return;
	if (!*text && strcmp(key->name, "cgroup")) {
		problem_error(reader, &value->place, "'%s' must not be empty; leave it out for none", key->name);
		return;
	}
	*out = *text ? strdup(text) : NULL;
	reader->failed |= *text && !*out;
}

static void read_data_list(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct strings *list = (struct strings *)((char *)object + key->offset);

	for (const struct ynode *item = list_first(value); item; item = list_next(value, item)) {
		const char *text;

		if (!scalar_data(reader, item, key->name, &text))
			continue;
		if (!*text)
			problem_error(reader, &item->place, "'%s' must not be empty", key->name);
		else
			reader->failed |= !strings_append(list, text);
	}
}

static void read_data_dir(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	read_data_list(reader, value, key, object);
	for (const struct ynode *item = list_first(value); item; item = list_next(value, item))
		if (item->kind == YNODE_SCALAR && *item->text && item->text[0] != '/' && !ynode_is_null(item))
			problem_error(reader, &item->place, "'%s' must be an absolute path, found %s", key->name,
				      ynode_describe(item));
}

/* Checks the length (IFNAMSIZ) here, so that an overlong name fails before the run. */
static void read_interface(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	read_data_text(reader, value, key, object);
	if (value->kind != YNODE_SCALAR || ynode_is_null(value))
		return;
	if (strpbrk(value->text, "/ "))
		problem_error(reader, &value->place, "'%s' must be a device's name without '/' or blanks, found %s",
			      key->name, ynode_describe(value));
	else if (!strchr(value->text, '{') && strlen(value->text) > 15)
		problem_error(reader, &value->place, "'%s' is longer than 15 characters: %s", key->name,
			      ynode_describe(value));
}

void read_netns(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	read_data_text(reader, value, key, object);
	if (value->kind == YNODE_SCALAR && value->text[0] != '/' && strchr(value->text, '/'))
		problem_error(reader, &value->place, "'%s' must be a name, an absolute path or a pid, found %s",
			      key->name, ynode_describe(value));
}

static void read_node_name(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct node *node = object;
	const char *text;

	if (!scalar_name(reader, value, key->name, NODE_NAME_MAX, &text))
		return;
	if (role_is_known(text)) {
		problem_error(reader, &value->place, "'%s' is a word of 'target' and cannot be a node's name", text);
		return;
	}
	node->name = strdup(text);
	reader->failed |= !node->name;
}

static const struct key node_keys[] = {
	{.name = "name", .read = read_node_name, .flags = KEY_REQUIRED, .why = "what 'target' and messages call it"},
	{.name = "address", .read = read_data_list, .offset = offsetof(struct node, addresses)},
	{.name = "netns", .read = read_netns, .offset = offsetof(struct node, netns)},
	{.name = "interface", .read = read_interface, .offset = offsetof(struct node, interface)},
	{.name = "data_dir", .read = read_data_dir, .offset = offsetof(struct node, data_dirs)},
	{.name = "cgroup", .read = read_data_text, .offset = offsetof(struct node, cgroup)},
	{.name = "host", .flags = KEY_PLANNED},
	{0},
};

#define NO_TARGET "a peer is never a target, it has a name and an address"
static const struct key peer_keys[] = {
	{.name = "name", .read = read_node_name, .flags = KEY_REQUIRED, .why = "what messages call it"},
	{.name = "address",
	 .read = read_data_list,
	 .offset = offsetof(struct node, addresses),
	 .flags = KEY_REQUIRED,
	 .why = "where the nodes reach it"},
	{.name = "netns", .flags = KEY_ELSEWHERE, .why = NO_TARGET},
	{.name = "interface", .flags = KEY_ELSEWHERE, .why = NO_TARGET},
	{.name = "data_dir", .flags = KEY_ELSEWHERE, .why = NO_TARGET},
	{.name = "cgroup", .flags = KEY_ELSEWHERE, .why = NO_TARGET},
	{.name = "host", .flags = KEY_PLANNED},
	{0},
};

static void check_node_name(struct reader *reader, const struct ynode *item, const struct node *list, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++)
		if (list[i].name && list[count - 1].name && !strcmp(list[i].name, list[count - 1].name)) {
			problem_duplicate_name(reader, item, "node", list[i].name, list[i].place.line);
			return;
		}
}

static void read_members(struct reader *reader, const struct ynode *value, const char *what, const struct key *keys,
			 struct node **list, size_t *count)
{
	if (!list_check(reader, value, CONFIG_MEMBERS_MAX))
		return;
	for (const struct ynode *item = value->children; item; item = item->next) {
		struct node *grown = array_grow(reader, *list, count, sizeof(*grown)), *node;

		if (!grown)
			return;
		*list = grown;
		node = &grown[*count - 1];
		node->place = item->place;
		decode_mapping(reader, item, what, &(struct key_set){keys, node}, 1);
		reader->failed |= !strings_append(&node->addresses, NULL) || !strings_append(&node->data_dirs, NULL);
		check_node_name(reader, item, grown, *count);
	}
}

void read_node_list(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct subject *subject = object;

	read_members(reader, value, "a node", node_keys, &subject->nodes, &subject->node_count);
	if (value->kind == YNODE_SEQUENCE && !value->count)
		problem_error(reader, &value->place, "'nodes' must not be empty");
}

void read_peer_list(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct subject *subject = object;

	read_members(reader, value, "a peer", peer_keys, &subject->peers, &subject->peer_count);
}
