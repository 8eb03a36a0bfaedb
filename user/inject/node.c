/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "inject/node.h"

#include <errno.h>
#include <string.h>

#include "config/placeholder.h"
#include "util/cleanup.h"
#include "util/text.h"

/* Every node and member of the subject, expanded. */
struct members {
	struct node *nodes;
	size_t count, node_count; /* nodes first, then peers, which are never a target */
};

static void members_clear(struct members *members)
{
	for (size_t i = 0; i < members->count; i++)
		node_clear(&members->nodes[i]);
	free(members->nodes);
}

static int members_expand(struct members *members, const struct subject *subject, unsigned int instance,
			  struct error *err)
{
	size_t total = subject->node_count + subject->peer_count;

	members->nodes = calloc(total + 1, sizeof(*members->nodes));
	if (!members->nodes)
		return error_set(err, -ENOMEM, "out of memory");
	members->node_count = subject->node_count;
	for (size_t i = 0; i < total; i++) {
		const struct node *node =
			i < subject->node_count ? &subject->nodes[i] : &subject->peers[i - subject->node_count];
		int ret = node_expand(&members->nodes[i], node, subject, instance, err);

		if (ret)
			return ret;
		members->count++;
	}
	return 0;
}

static const struct node *members_find(const struct members *members, const char *name)
{
	for (size_t i = 0; i < members->count; i++)
		if (!strcmp(members->nodes[i].name, name))
			return &members->nodes[i];
	return NULL;
}

static bool is_here(const struct node *node)
{
	return target_is_local(node->netns, (const char *const *)node->addresses.items,
			       (const char *const *)node->data_dirs.items);
}

int node_is_local(const struct node *node, const struct subject *subject, unsigned int instance, bool *local,
		  struct error *err)
{
	struct node expanded = {};
	int ret = node_expand(&expanded, node, subject, instance, err);

	if (ret)
		return ret;
	*local = is_here(&expanded);
	node_clear(&expanded);
	return 0;
}

static int not_local(const struct members *members, const struct node *node, struct error *err)
{
	char local[256] = "";

	for (size_t i = 0; i < members->node_count; i++)
		if (is_here(&members->nodes[i]))
			text_append(local, sizeof(local), "%s%s", *local ? ", " : "", members->nodes[i].name);
	return error_set(err, -EHOSTUNREACH, "node '%s' is not on this host (local nodes: %s)", node->name,
			 *local ? local : "none");
}

/* A NULL-terminated list of borrowed strings. */
struct words {
	const char **items;
	size_t count;
};

static int words_add(struct words *words, const char *word)
{
	const char **items = realloc(words->items, (words->count + 2) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	words->items = items;
	items[words->count++] = word;
	items[words->count] = NULL;
	return 0;
}

static int words_add_addresses(struct words *words, const struct node *node)
{
	for (size_t i = 0; i < node->addresses.count; i++)
		if (words_add(words, node->addresses.items[i]))
			return -ENOMEM;
	return 0;
}

static int collect_peers(struct words *peers, const struct members *members, const struct node *target,
			 const json_t *asked, struct error *err)
{
	int ret = 0;
	size_t i;
	const json_t *value;

	if (!json_is_array(asked)) {
		for (i = 0; !ret && i < members->count; i++)
			if (&members->nodes[i] != target)
				ret = words_add_addresses(peers, &members->nodes[i]);
		return ret ? error_set(err, ret, "out of memory") : 0;
	}
	json_array_foreach (asked, i, value) {
		const struct node *peer = members_find(members, json_string_value(value));

		ret = peer ? words_add_addresses(peers, peer) : words_add(peers, json_string_value(value));
		if (ret)
			return error_set(err, ret, "out of memory");
	}
	return 0;
}

/* All of the node's data_dirs, or those that the parameter data_dirs picks, each once. */
static int collect_data_dirs(struct words *out, const struct node *node, const json_t *asked, struct error *err)
{
	_cleanup_free_ bool *picked = calloc(node->data_dirs.count + 1, sizeof(*picked));
	int ret = picked ? 0 : -ENOMEM;
	const json_t *one;
	size_t i;

	json_array_foreach (asked, i, one) {
		int found = node_find_data_dir(node, one, err);

		if (found < 0)
			return found;
		if (picked)
			picked[found] = true;
	}
	for (i = 0; !ret && i < node->data_dirs.count; i++)
		if (!asked || picked[i])
			ret = words_add(out, node->data_dirs.items[i]);
	return ret ? error_set(err, ret, "out of memory") : 0;
}

static int open_member(struct target **out, const struct config *config, const struct members *members,
		       const struct node *node, const struct chaos_ops *ops, const json_t *params, struct error *err)
{
	const json_t *asked = json_object_get(params, "peers");
	struct words peers = {}, data_dirs = {};
	struct target_spec spec;
	int ret;

	if (!is_here(node))
		return not_local(members, node, err);
	ret = collect_peers(&peers, members, node, asked, err);
	ret = ret ?: collect_data_dirs(&data_dirs, node, json_object_get(params, "data_dirs"), err);
	spec = (struct target_spec){
		.node = node->name,
		.addresses = (const char *const *)node->addresses.items,
		.netns = node->netns,
		.interface = node->interface,
		.cgroup = node->cgroup,
		.peers = peers.items,
		.data_dirs = data_dirs.items,
		.kind = ops->target,
		.peers_all = json_is_string(asked),
		.needs_own_traffic = ops->needs_own_traffic,
		.protect = (const char *const *)config->protect.items,
		.allow = (const char *const *)config->allow.items,
	};
	if (!ret)
		ret = target_open(out, &spec, err);
	free(data_dirs.items);
	free(peers.items);
	return ret;
}

int node_target_open(struct target **out, const struct config *config, const struct subject *subject,
		     unsigned int instance, const char *node_name, const struct chaos_ops *ops, const json_t *params,
		     struct error *err)
{
	struct members members = {};
	const struct node *node;
	int ret = members_expand(&members, subject, instance, err);

	if (!ret) {
		node = members_find(&members, node_name);
		ret = node ? open_member(out, config, &members, node, ops, params, err)
			   : error_set(err, -ENOENT, "no node '%s' in subject '%s'", node_name, subject->name);
	}
	members_clear(&members);
	return ret;
}
