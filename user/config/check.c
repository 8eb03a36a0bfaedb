/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Checks across keys: every chaos type against every subject that it will run on. */
#include <string.h>

#include "config/placeholder.h"
#include "config/reader.h"
#include "config/roles.h"
#include "net/endpoint.h"
#include "util/cleanup.h"
#include "util/text.h"

/* One chaos type on one subject. */
struct pairing {
	struct reader *reader;
	const struct subject *subject;
	const struct chaos *chaos;
	const struct effective *effective;
	const struct level *levels[3]; /* weakest first */
	const struct place *target_place;
	const struct node *const *sharing; /* by node: a member that shares its IP, or NULL */
};

static const struct node *find_member(const struct node *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].name && !strcmp(list[i].name, name))
			return &list[i];
	return NULL;
}

static void report_unknown_target(const struct pairing *pairing, const char *target)
{
	static const char *const roles[] = {ROLES};
	const struct subject *subject = pairing->subject;
	const char *known[CONFIG_MEMBERS_MAX + ARRAY_SIZE(roles)];
	size_t count = 0;
	char hint[266];

	if (find_member(subject->peers, subject->peer_count, target)) {
		problem_error(pairing->reader, pairing->target_place,
			      "target '%s' is a peer of subject '%s', and a peer is never a target", target,
			      subject->name);
		return;
	}
	for (size_t i = 0; i < subject->node_count; i++)
		if (subject->nodes[i].name)
			known[count++] = subject->nodes[i].name;
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		known[count++] = roles[i];
	problem_error(pairing->reader, pairing->target_place, "no target '%s' in subject '%s'; %s", target,
		      subject->name, problem_hint(hint, sizeof(hint), target, known, count));
}

static bool check_target(const struct pairing *pairing)
{
	const struct subject *subject = pairing->subject;
	const char *target = pairing->effective->target;

	if (!role_is_known(target) && !node_find(subject, target)) {
		report_unknown_target(pairing, target);
		return false;
	}
	if (role_needs_leader(target) && !subject->roles.exec)
		problem_error(
			pairing->reader, pairing->target_place,
			"target '%s' needs the command 'roles' (prints the leader's node name), and subject '%s' has "
			"none",
			target, subject->name);
	if (!strcmp(target, ROLE_FOLLOWER) && subject->node_count == 1)
		problem_error(pairing->reader, pairing->target_place,
			      "target 'follower' needs two nodes, and subject '%s' has one", subject->name);
	return true;
}

/* "latency", or "latency 'slow-leader'". */
static const char *chaos_shown(const struct pairing *pairing)
{
	static char text[2 * NODE_NAME_MAX];
	const char *type = pairing->chaos->ops->name, *name = pairing->chaos->name ?: type;

	snprintf(text, sizeof(text), strcmp(type, name) ? "%s '%s'" : "%s", type, name);
	return text;
}

static void check_sharing(const struct pairing *pairing, const struct node *node)
{
	const struct node *sharing = node->cgroup ? NULL : pairing->sharing[node - pairing->subject->nodes];

	if (!sharing)
		return;
	if (pairing->chaos->ops->needs_own_traffic)
		problem_error(
			pairing->reader, &node->place,
			"%s may target node '%s', which shares its IP with '%s': what it sends cannot be told apart "
			"without a cgroup; give the node its 'cgroup' or an address of its own",
			chaos_shown(pairing), node->name, sharing->name);
	else
		problem_warning(
			pairing->reader, &node->place,
			"%s may target node '%s', which shares its IP with '%s': without a 'cgroup' it also acts on "
			"what that one sends",
			chaos_shown(pairing), node->name, sharing->name);
}

static bool has_port(const char *address)
{
	struct endpoint endpoint;
	struct host_name name;

	if (host_name_parse(&name, address))
		return name.port;
	return !endpoint_parse(&endpoint, address, NULL) && endpoint.port;
}

/* If the address has a port, only traffic to and from that port is known to be the node's. */
static void check_dialled(const struct pairing *pairing, const struct node *node)
{
	for (size_t i = 0; i < node->addresses.count; i++) {
		struct node expanded = {};

		if (node_expand(&expanded, node, pairing->subject, 0, NULL))
			return;
		if (has_port(expanded.addresses.items[i])) {
			problem_error(pairing->reader, &node->place,
				      "%s may target node '%s', whose address has a port: connections that the node "
				      "opens itself cannot be told apart without a cgroup; give the node its 'cgroup' "
				      "or its address without a port",
				      chaos_shown(pairing), node->name);
			node_clear(&expanded);
			return;
		}
		node_clear(&expanded);
	}
}

/* Where the effective value of a parameter stands; NULL if nowhere. */
static const struct ynode *param_node(const struct pairing *pairing, const char *name)
{
	const struct ynode *node = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(pairing->levels); i++)
		node = params_field_node(level_params(pairing->levels[i], pairing->chaos->ops), name) ?: node;
	return node;
}

/* Reports picked data_dirs that the node does not have. */
static void check_data_dirs(const struct pairing *pairing, const struct node *node)
{
	const json_t *asked = json_object_get(pairing->effective->params, "data_dirs"), *one;
	const struct ynode *list = param_node(pairing, "data_dirs");
	struct error err;
	size_t i;

	json_array_foreach (asked, i, one)
		if (list && node->data_dirs.count && node_find_data_dir(node, one, &err) < 0)
			problem_error(pairing->reader, &list->place, "%s", err.text);
}

static void check_node_needs(const struct pairing *pairing, const struct node *node, const struct ynode *ynode)
{
	const struct chaos_ops *ops = pairing->chaos->ops;
	bool on_network = ops->target == TARGET_NETWORK;

	/* A present but wrong key already has its own message. */
	if (on_network && !node->addresses.count && !ynode_find(ynode, "address"))
		problem_error(pairing->reader, &node->place, "node '%s' needs the key 'address': %s may target it",
			      node->name, chaos_shown(pairing));
	if (ops->target == TARGET_DISK && !node->data_dirs.count && !ynode_find(ynode, "data_dir"))
		problem_error(pairing->reader, &node->place, "node '%s' needs the key 'data_dir': %s may target it",
			      node->name, chaos_shown(pairing));
	if (ops->needs_cgroup && !node->cgroup && !ynode_find(ynode, "cgroup"))
		problem_error(pairing->reader, &node->place, "node '%s' needs the key 'cgroup': %s may target it",
			      node->name, chaos_shown(pairing));
	check_data_dirs(pairing, node);
	if (on_network)
		check_sharing(pairing, node);
	if (ops->needs_own_traffic && !node->cgroup && !pairing->sharing[node - pairing->subject->nodes])
		check_dialled(pairing, node);
}

/* False if an earlier chaos type inherits the same list from defaults or the subject and has checked it. */
static bool is_first_use(const struct pairing *pairing, const struct ynode *peers)
{
	const struct config *config = pairing->reader->config;
	const struct params *own = level_params(pairing->levels[2], pairing->chaos->ops);

	if (params_field_node(own, "peers") == peers)
		return true;
	for (const struct chaos *other = config->chaos; other != pairing->chaos; other++) {
		const struct level *level = &pairing->reader->chaos_levels[other - config->chaos];

		if (other->ops == pairing->chaos->ops && !params_field_node(level_params(level, other->ops), "peers"))
			return false;
	}
	return true;
}

/* A word without a dot and a port is a member's name that is written wrong. */
static bool is_peer_address(const char *text)
{
	struct endpoint endpoint;
	struct host_name name;

	return host_name_parse(&name, text) ? name.port || strchr(name.name, '.')
					    : !endpoint_parse_peer(&endpoint, text, NULL);
}

/* Reports items that are neither a member's name nor an address. */
static void check_peer_items(const struct pairing *pairing, const struct ynode *list)
{
	const struct subject *subject = pairing->subject;

	for (const struct ynode *item = list_first(list); item; item = list_next(list, item)) {
		if (item->kind != YNODE_SCALAR || node_find(subject, item->text) ||
		    find_member(subject->peers, subject->peer_count, item->text) || is_peer_address(item->text))
			continue;
		problem_error(pairing->reader, &item->place,
			      "'%.*s' is neither a node nor a peer of subject '%s' nor an address (a host name has a "
			      "dot or a port here)",
			      text_cut(item->text, 80), item->text, subject->name);
	}
}

/* True if a peer other than the target has an address. */
static bool has_others(const struct pairing *pairing, const struct node *target)
{
	const struct subject *subject = pairing->subject;
	const json_t *peers = json_object_get(pairing->effective->params, "peers"), *peer;
	bool found = json_is_string(peers);
	size_t i;

	if (!peers) {
		for (i = 0; !found && i < subject->node_count; i++)
			found = &subject->nodes[i] != target && subject->nodes[i].addresses.count;
		for (i = 0; !found && i < subject->peer_count; i++)
			found = subject->peers[i].addresses.count;
	}
	for (i = 0; !found && (peer = json_array_get(peers, i)); i++) {
		const struct node *node = node_find(subject, json_string_value(peer));

		found = node != target && (!node || node->addresses.count);
	}
	return found;
}

static void check_reach(const struct pairing *pairing, const struct ynode *peers, size_t candidates, size_t idle,
			const struct node *idle_node)
{
	const struct place *place = peers ? &peers->place : &pairing->chaos->place;
	const struct chaos_field *field = chaos_field_find(pairing->chaos->ops, "peers");
	const char *verb = pairing->chaos->ops->verb;

	if (!idle || problem_exists(pairing->reader, &idle_node->place))
		return;
	if (idle < candidates && pairing->reader->failed)
		return;
	if (idle < candidates)
		problem_warning(pairing->reader, place, "%s would %s nothing if the target is '%s', its only peer",
				chaos_shown(pairing), verb, idle_node->name);
	else if (peers)
		problem_error(pairing->reader, place, "%s would %s nothing: the only peer is the target itself",
			      chaos_shown(pairing), verb);
	else
		problem_error(
			pairing->reader, place,
			"%s would %s nothing: subject '%s' has no other node or peer with an address; add peers%s",
			chaos_shown(pairing), verb, pairing->subject->name,
			field && field->all_allowed ? ", or write peers: all" : "");
}

static void check_pairing(const struct pairing *pairing)
{
	const struct subject *subject = pairing->subject;
	const struct ynode *peers = param_node(pairing, "peers"),
			   *ynodes = ynode_find(pairing->levels[1]->node, "nodes");
	const struct ynode *ynode = ynodes ? ynodes->children : NULL;
	const struct node *named, *idle_node = NULL;
	size_t candidates = 0, idle = 0;

	if (peers && json_is_array(json_object_get(pairing->effective->params, "peers")) &&
	    is_first_use(pairing, peers))
		check_peer_items(pairing, peers);
	if (!check_target(pairing))
		return;
	named = node_find(subject, pairing->effective->target);
	for (size_t i = 0; i < subject->node_count && ynode; i++, ynode = ynode->next) {
		const struct node *node = &subject->nodes[i];

		if (!node->name || (named && node != named))
			continue;
		check_node_needs(pairing, node, ynode);
		candidates++;
		if (chaos_field_find(pairing->chaos->ops, "peers") && !has_others(pairing, node)) {
			idle++;
			idle_node = node;
		}
	}
	check_reach(pairing, peers, candidates, idle, idle_node);
}

/* Runs after decoding, because `peers` may precede `nodes` in the file. */
static void check_peer_names(struct reader *reader, const struct subject *subject, const struct ynode *ynode)
{
	const struct ynode *peers = ynode_find(ynode, "peers"), *item = peers ? peers->children : NULL;

	for (size_t i = 0; i < subject->peer_count && item; i++, item = item->next) {
		const char *name = subject->peers[i].name;
		const struct node *node = name ? node_find(subject, name) : NULL;

		if (node)
			problem_error(reader, &(ynode_find(item, "name") ?: item)->place,
				      "the peer '%s' has the name of the node on line %u", name, node->place.line);
	}
}

static void check_chaos(struct reader *reader, size_t index, size_t chaos, const struct node *const *sharing)
{
	const struct config *config = reader->config;
	struct pairing pairing = {
		.reader = reader,
		.subject = &config->subjects[index],
		.chaos = &config->chaos[chaos],
		.effective = config_effective(config, index, chaos),
		.levels = {&reader->defaults, &reader->subject_levels[index], &reader->chaos_levels[chaos]},
		.target_place = &config->chaos[chaos].place,
		.sharing = sharing,
	};

	if (!pairing.chaos->ops || !pairing.effective->target || !pairing.effective->params)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(pairing.levels); i++)
		if (pairing.levels[i]->target)
			pairing.target_place = &pairing.levels[i]->target_node->place;
	check_pairing(&pairing);
}

static void check_subject(struct reader *reader, size_t index)
{
	const struct subject *subject = &reader->config->subjects[index];
	_cleanup_free_ const struct node **sharing = NULL;

	if (!subject->name || !subject->node_count)
		return;
	check_peer_names(reader, subject, reader->subject_levels[index].node);
	check_addresses(reader, index);
	check_probes(reader, subject);
	sharing = nodes_sharing_ip(subject);
	if (!sharing) {
		reader->failed = true;
		return;
	}
	for (size_t i = 0; i < reader->config->chaos_count; i++)
		check_chaos(reader, index, i, sharing);
}

/* Reports a subject's wrong target even if no chaos type uses it. */
static void check_default_target(struct reader *reader, size_t index)
{
	const struct subject *subject = &reader->config->subjects[index];
	const struct level *level = &reader->subject_levels[index];

	if (!level->target || !subject->name || !subject->node_count || role_is_known(level->target) ||
	    node_find(subject, level->target) || problem_exists(reader, &level->target_node->place))
		return;
	report_unknown_target(&(struct pairing){.reader = reader,
						.subject = subject,
						.target_place = &level->target_node->place},
			      level->target);
}

static void check_size(struct reader *reader)
{
	const struct config *config = reader->config;
	const struct ynode *root = reader->documents[0].root;
	const struct ynode *parallel = ynode_find(root, "parallel");
	size_t combinations = config->subject_count * (config->chaos_count + config->include_baseline);
	unsigned int slots = 0;

	if (combinations * config->trials_per_combination > CONFIG_TRIALS_MAX)
		problem_error(reader, &(ynode_find(root, "trials_per_combination") ?: root)->place,
			      "%zu trials are more than %d", combinations * config->trials_per_combination,
			      CONFIG_TRIALS_MAX);
	for (size_t i = 0; i < config->subject_count; i++)
		slots += config->subjects[i].instances;
	if (parallel && config->subject_count && config->parallel > slots)
		problem_warning(reader, &parallel->place,
				"parallel is %u, but the subjects have %u instance%s: so many run at once",
				config->parallel, slots, text_plural(slots));
}

void config_check(struct reader *reader)
{
	for (size_t i = 0; i < reader->config->subject_count; i++) {
		check_subject(reader, i);
		check_default_target(reader, i);
	}
	check_size(reader);
}
