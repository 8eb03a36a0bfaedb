/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/inject_target.h"

#include <errno.h>
#include <string.h>

#include "config/load.h"
#include "inject/node.h"
#include "util/cleanup.h"
#include "util/text.h"

int inject_target_exit_code(int code)
{
	static const int usage[] = {EINVAL, ENOENT,       ENODEV,     EADDRNOTAVAIL, ENETUNREACH,
				    E2BIG,  EHOSTUNREACH, EOPNOTSUPP, EPERM,         EROFS};

	for (size_t i = 0; i < ARRAY_SIZE(usage); i++)
		if (code == -usage[i])
			return EXIT_USAGE;
	if (code == -ECANCELED)
		return EXIT_INTERRUPTED;
	/* -ENOSYS: the request is valid, but eval cannot fulfil it on this host. */
	return code == -ENOSYS ? EXIT_HOST : EXIT_TRIALS;
}

/* Sets *all for "--peer all"; -EINVAL if the type does not take it, or if other peers are given too. */
static int check_all(const struct chaos_ops *ops, const struct inject_where *where, bool *all, struct error *err)
{
	const struct chaos_field *peers = chaos_field_find(ops, "peers");

	*all = where->peers[0] && !strcmp(where->peers[0], "all");
	if (where->peers[0] && !peers)
		return error_set(err, -EINVAL, "%s takes no --peer", ops->name);
	if (*all && where->peers[1])
		return error_set(err, -EINVAL, "--peer all stands alone");
	if (*all && !peers->all_allowed)
		return error_set(err, -EINVAL, "this type takes no --peer all: name the peers");
	return 0;
}

static int open_disk_by_hand(struct target **out, const struct chaos_ops *ops, const struct inject_where *where,
			     struct error *err)
{
	struct target_spec spec = {
		.node = where->data_dirs[0],
		.data_dirs = where->data_dirs,
		.kind = TARGET_DISK,
		.cgroup = where->cgroup,
		.allow = where->allow,
	};

	if (where->netns || where->interface || where->peers[0] || where->addresses[0] || where->protect[0])
		return error_set(err, -EINVAL,
				 "%s acts on a disk: leave out --netns, --dev, --peer, --address and --protect",
				 ops->name);
	if (!where->data_dirs[0])
		return error_set(err, -EINVAL, "which disk? name its directory by --data-dir DIR");
	return target_open(out, &spec, err);
}

static int open_by_hand(struct target **out, const struct chaos_ops *ops, const struct inject_where *where,
			struct error *err)
{
	struct target_spec spec = {
		.node = where->netns ? where->netns : where->interface,
		.addresses = where->addresses[0] ? where->addresses : NULL,
		.netns = where->netns,
		.interface = where->interface,
		.cgroup = where->cgroup,
		.needs_own_traffic = ops->needs_own_traffic,
		.protect = where->protect,
		.allow = where->allow,
	};
	const struct chaos_field *peers = chaos_field_find(ops, "peers");
	int ret;

	if (ops->target == TARGET_DISK)
		return open_disk_by_hand(out, ops, where, err);
	if (where->data_dirs[0])
		return error_set(err, -EINVAL, "%s takes no --data-dir", ops->name);
	ret = check_all(ops, where, &spec.peers_all, err);
	if (ret)
		return ret;
	if (peers && !where->peers[0])
		return error_set(err, -EINVAL, "which traffic? name the other end by --peer ADDR[:PORT]%s",
				 peers->all_allowed ? ", or --peer all" : "");
	/* A type without `peers` acts on all of the node's traffic. */
	spec.peers_all = spec.peers_all || !peers;
	spec.peers = spec.peers_all ? NULL : where->peers;
	return target_open(out, &spec, err);
}

/* "n1, n2", with their subjects if there are several. */
static void list_nodes(char *out, size_t size, const struct config *config)
{
	out[0] = '\0';
	for (size_t i = 0; i < config->subject_count; i++) {
		const struct subject *subject = &config->subjects[i];

		for (size_t j = 0; j < subject->node_count; j++)
			text_append(out, size, "%s%s%s%s", *out ? ", " : "",
				    config->subject_count > 1 ? subject->name : "",
				    config->subject_count > 1 ? "/" : "", subject->nodes[j].name);
	}
}

/* Finds "NODE", or "SUBJECT/NODE", which is needed if several subjects have a node of that name. */
static const struct subject *find_subject(const struct config *config, const char *node, const char **name,
					  struct error *err)
{
	const char *slash = strchr(node, '/');
	const struct subject *found = NULL;
	char nodes[512];

	*name = slash ? slash + 1 : node;
	for (size_t i = 0; i < config->subject_count; i++) {
		const struct subject *subject = &config->subjects[i];

		if (slash && (strlen(subject->name) != (size_t)(slash - node) ||
			      strncmp(subject->name, node, (size_t)(slash - node))))
			continue;
		for (size_t j = 0; j < subject->node_count; j++) {
			if (strcmp(subject->nodes[j].name, *name))
				continue;
			if (found) {
				error_set(err, -EINVAL, "several subjects have a node '%s': say SUBJECT/%s", *name,
					  *name);
				return NULL;
			}
			found = subject;
		}
	}
	if (!found) {
		list_nodes(nodes, sizeof(nodes), config);
		error_set(err, -ENOENT, "no node '%s' in the file; there are %s", node, nodes);
	}
	return found;
}

/* Turns --data-dir options into the parameter `data_dirs` of a campaign file: paths, or numbers. */
static int add_data_dirs(json_t *params, const struct chaos_ops *ops, const struct inject_where *where,
			 struct error *err)
{
	json_t *list;

	if (!where->data_dirs[0])
		return 0;
	if (ops->target != TARGET_DISK)
		return error_set(err, -EINVAL, "%s takes no --data-dir", ops->name);
	list = json_array();
	json_object_set_new(params, "data_dirs", list);
	for (size_t i = 0; where->data_dirs[i]; i++) {
		const char *text = where->data_dirs[i];
		bool is_number = *text && strlen(text) < 4 && strspn(text, "0123456789") == strlen(text);

		json_array_append_new(list, is_number ? json_integer(atoi(text)) : json_string(text));
	}
	return 0;
}

/* Turns --peer options into the parameter `peers` of a campaign file; without any, leaves it out: all members. */
static int peers_to_params(const struct chaos_ops *ops, const struct inject_where *where, json_t **out,
			   struct error *err)
{
	json_t *params = json_object();
	bool all;
	int ret = check_all(ops, where, &all, err);

	if (ret) {
		json_decref(params);
		return ret;
	}
	if (all)
		json_object_set_new(params, "peers", json_string("all"));
	else if (where->peers[0])
		json_object_set_new(params, "peers", json_array());
	for (size_t i = 0; !all && where->peers[i]; i++)
		json_array_append_new(json_object_get(params, "peers"), json_string(where->peers[i]));
	*out = params;
	return 0;
}

static int open_from_config(struct target **out, const struct chaos_ops *ops, const struct inject_where *where,
			    struct error *err)
{
	struct config *config = NULL;
	const struct subject *subject;
	const char *name;
	int ret;

	if (!where->node)
		return error_set(err, -EINVAL, "which node of %s? --node N", where->config);
	ret = config_load(&config, where->config, CONFIG_TO_RUN, stderr, err);
	if (ret)
		return err->code ? ret : error_set(err, ret, "%s is not valid", where->config);
	subject = find_subject(config, where->node, &name, err);
	if (!subject) {
		ret = err->code;
	} else if (where->instance >= subject->instances) {
		ret = error_set(err, -EINVAL, "subject '%s' has %u instance(s), 0 is the first", subject->name,
				subject->instances);
	} else {
		_cleanup_json_ json_t *params = NULL;

		ret = peers_to_params(ops, where, &params, err);
		ret = ret ?: add_data_dirs(params, ops, where, err);
		if (!ret)
			ret = node_target_open(out, config, subject, where->instance, name, ops, params, err);
	}
	config_free(config);
	return ret;
}

int inject_target_open(struct target **out, const struct chaos_ops *ops, const struct inject_where *where,
		       struct error *err)
{
	if (where->config && (where->netns || where->interface || where->cgroup || where->addresses[0] ||
			      where->protect[0] || where->allow[0]))
		return error_set(err, -EINVAL,
				 "--config describes the node and what is protected: leave out --netns, --dev, "
				 "--address, --cgroup, --protect and --allow");
	if (!where->config && (where->node || where->instance))
		return error_set(err, -EINVAL,
				 "--node and --instance name a node of a campaign file: give it by --config");
	return where->config ? open_from_config(out, ops, where, err) : open_by_hand(out, ops, where, err);
}
