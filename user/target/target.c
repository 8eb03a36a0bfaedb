/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/target.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/device.h"
#include "net/endpoint.h"
#include "net/netns.h"
#include "net/route.h"
#include "process/cgroup.h"
#include "target/guards.h"
#include "target/internal.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

const char *const target_guards[] = {"gateway", "root_fs", "shared_fs", "ssh", "stacked", NULL};

static size_t list_count(const char *const *list)
{
	size_t count = 0;

	while (list && list[count])
		count++;
	return count;
}

static bool list_has(const char *const *list, const char *word)
{
	for (size_t i = 0; list && list[i]; i++)
		if (!strcmp(list[i], word))
			return true;
	return false;
}

/* In this host's namespace; text may be a host name. */
static bool is_own_address(const char *text)
{
	const char *const texts[] = {text, NULL};
	_cleanup_json_ json_t *names = json_object();
	_cleanup_free_ struct endpoint *found = NULL;
	size_t count = 0;

	if (target_read_addresses(&found, &count, texts, endpoint_parse, -1, NULL, names, NULL))
		return false;
	for (size_t i = 0; i < count; i++)
		if (route_owns_address(&found[i]))
			return true;
	return false;
}

bool target_is_local(const char *netns, const char *const *addresses, const char *const *data_dirs)
{
	if (netns || (!list_count(addresses) && list_count(data_dirs)))
		return true;
	/* One by one: of those that can be read, one is enough. */
	for (size_t i = 0; addresses && addresses[i]; i++)
		if (is_own_address(addresses[i]))
			return true;
	return false;
}

static int check_devices(const struct target *target, struct error *err)
{
	if (!target->device_count)
		return error_set(err, -ENODEV, "no device leads to a peer: name one (interface, --dev)");
	for (size_t i = 0; i < target->device_count; i++)
		if (target->devices[i].ifindex == DEVICE_LOOPBACK_IFINDEX)
			return error_set(err, -EOPNOTSUPP,
					 "a peer is reached through %s (loopback), which is not yet supported: "
					 "narrow `peers` to nodes with addresses of their own",
					 target->devices[i].name);
	return 0;
}

static int check_addresses(const struct target *target, struct error *err)
{
	char text[ENDPOINT_TEXT_SIZE];

	if (!target->local_count)
		return 0;
	for (size_t i = 0; i < target->local_count; i++)
		if (route_owns_address(&target->locals[i]))
			return 0;
	return error_set(err, -EADDRNOTAVAIL, "the target does not own its address %s: wrong netns or address?",
			 endpoint_format(&target->locals[0], text));
}

/* The checks that need the target's namespace. */
static int target_look_around(struct target *target, const struct target_spec *spec, struct error *err)
{
	int saved = -1, ret;

	ret = target_enter_netns(target, &saved, err);
	if (ret)
		return ret;
	ret = target_expand_networks(target, err);
	if (!ret)
		ret = check_addresses(target, err);
	if (!ret)
		ret = target_find_devices(target, spec->interface, err);
	if (!ret)
		ret = check_devices(target, err);
	if (!ret && !list_has(spec->allow, "ssh"))
		ret = target_protect_sshd(target, err);
	/* Not in a namespace of the node's own: no user's connection to the host needs its gateway. */
	if (!ret && !target->own_netns && !list_has(spec->allow, "gateway"))
		ret = target_refuse_gateway(target, err);
	target_leave_netns(&saved);
	return ret;
}

static int target_identify_netns(struct target *target, const struct target_spec *spec, struct error *err)
{
	struct stat theirs, ours;

	target->netns_fd = netns_open(spec->netns, err);
	if (target->netns_fd < 0)
		return target->netns_fd;
	if (fstat(target->netns_fd, &theirs) || stat("/proc/thread-self/ns/net", &ours))
		return error_set_errno(err, -errno, "cannot identify the network namespace");
	target->netns_ino = theirs.st_ino;
	target->own_netns = theirs.st_ino != ours.st_ino;
	return 0;
}

/* An address with a port identifies only that port's traffic; the node's outgoing connections need the cgroup. */
static int check_own_traffic(const struct target *target, const struct target_spec *spec, struct error *err)
{
	char text[ENDPOINT_TEXT_SIZE];

	for (size_t i = 0; spec->needs_own_traffic && !target->cgroup_path && i < target->local_count; i++)
		if (target->locals[i].port)
			return error_set(
				err, -EINVAL,
				"%s has a port, and no cgroup tells what else is the node's: connections that it "
				"opens itself would not be cut; give the node's cgroup, or its address without a "
				"port",
				endpoint_format(&target->locals[i], text));
	return 0;
}

static int target_fill_network(struct target *target, const struct target_spec *spec, struct error *err)
{
	/* A name of this host's own namespace has this host's files. */
	int netns_fd = target->own_netns ? target->netns_fd : -1, ret;
	const char *netns = target->own_netns ? spec->netns : NULL;

	target->peers_all = spec->peers_all;
	if (target->peers_all && !target->own_netns && !list_has(spec->allow, "gateway"))
		return error_set(err, -EPERM,
				 "peers: all in this host's own namespace would touch the default gateway: "
				 "name the peers, or allow: [gateway]");
	target->names = json_object();
	ret = target_read_addresses(&target->locals, &target->local_count, spec->addresses, endpoint_parse, netns_fd,
				    netns, target->names, err);
	if (!ret)
		ret = target_read_addresses(&target->peers, &target->peer_count, spec->peers, endpoint_parse_peer,
					    netns_fd, netns, target->names, err);
	if (!ret)
		ret = target_protect_parse(target, spec->protect, list_has(spec->allow, "ssh"), err);
	if (ret)
		return ret;
	if (!target->peers_all && !target->peer_count)
		return error_set(err, -EINVAL, "no peers: the fault would touch nothing");
	ret = check_own_traffic(target, spec, err);
	return ret ? ret : target_look_around(target, spec, err);
}

static int target_fill(struct target *target, const struct target_spec *spec, struct error *err)
{
	int ret;

	target->node = strdup(spec->node ? spec->node : "");
	if (!target->node)
		return error_set(err, -ENOMEM, "out of memory");
	ret = target_identify_netns(target, spec, err);
	if (ret)
		return ret;
	target->allow_root_fs = list_has(spec->allow, "root_fs");
	target->allow_shared_fs = list_has(spec->allow, "shared_fs");
	if (spec->cgroup && *spec->cgroup) {
		ret = cgroup_find(&target->cgroup_path, &target->cgroup_level, spec->cgroup, err);
		if (ret)
			return ret;
	}
	ret = spec->kind == TARGET_DISK ? target_open_directories(target, spec->data_dirs, err)
					: target_fill_network(target, spec, err);
	if (ret)
		return ret;
	return list_has(spec->allow, "stacked") ? 0 : target_claim(target, spec, err);
}

int target_open(struct target **out, const struct target_spec *spec, struct error *err)
{
	struct target *target = calloc(1, sizeof(*target));
	int ret;

	if (!target)
		return error_set(err, -ENOMEM, "out of memory");
	target->netns_fd = target->route_events = -1;
	target->claim = HOST_LOCK_NONE;
	ret = target_fill(target, spec, err);
	if (ret) {
		target_free(target);
		return ret;
	}
	*out = target;
	return 0;
}

json_t *target_devices_json(const struct target *target)
{
	json_t *devices = json_array();

	for (size_t i = 0; i < target->device_count; i++)
		json_array_append_new(devices, json_outside(target->devices[i].name));
	return devices;
}

void target_directories_text(const struct target *target, char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < target->directory_count; i++)
		text_append(out, size, "%s%s", i ? "," : "", target->directories[i].path);
}

json_t *target_directories_json(const struct target *target)
{
	json_t *directories = json_array();

	for (size_t i = 0; i < target->directory_count; i++)
		json_array_append_new(directories, json_outside(target->directories[i].path));
	return directories;
}

uint64_t target_cgroup_id(const struct target *target)
{
	return cgroup_id(AT_FDCWD, target->cgroup_path);
}

void target_free(struct target *target)
{
	if (!target)
		return;
	fd_close(target->netns_fd);
	fd_close(target->route_events);
	host_lock_release(&target->claim);
	free(target->node);
	free(target->cgroup_path);
	free(target->devices);
	json_decref(target->names);
	free(target->locals);
	free(target->peers);
	free(target->protect);
	target_close_directories(target);
	free(target);
}
