/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "chaos/net/match.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include "chaos/fault.h"
#include "eval_net.h"
#include "kernel/object.h"
#include "target/target.h"
#include "util/cleanup.h"

static int protocol_number(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} protocols[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"icmp", IPPROTO_ICMP}};

	for (size_t i = 0; name && i < ARRAY_SIZE(protocols); i++)
		if (!strcmp(name, protocols[i].name))
			return protocols[i].number;
	return 0;
}

static bool protects(const struct target *target, uint8_t protocol)
{
	for (size_t i = 0; i < target->protect_count; i++)
		if (target->protect[i].protocol == protocol)
			return true;
	return false;
}

int net_match_prepare(struct bpf_object *obj, struct eval_match_config *config, const struct fault_spec *spec,
		      const struct net_device *device, struct error *err)
{
	const struct target *target = spec->target;
	size_t ports = json_array_size(json_object_get(spec->params, "ports"));
	int ret;

	*config = (struct eval_match_config){
		.ifindex = device->ifindex,
		.l3_offset = device->ethernet ? ETH_HLEN : 0,
		.protocol = (__u16)protocol_number(json_string_value(json_object_get(spec->params, "protocol"))),
		.peers_all = target->peers_all,
		.locals_any = !target->local_count,
		.has_ports = ports > 0,
		.protect_tcp = protects(target, IPPROTO_TCP),
		.protect_udp = protects(target, IPPROTO_UDP),
		.has_cgroup = target->cgroup_path != NULL,
		.cgroup_level = target->cgroup_level,
	};
	/* A peer with a port takes two entries, see net_match_fill(). */
	ret = object_size_map(obj, "rules", target->peer_count * 2, err);
	if (!ret)
		ret = object_size_map(obj, "locals", target->local_count, err);
	if (!ret)
		ret = object_size_map(obj, "ports", ports, err);
	return ret ?: object_size_map(obj, EVAL_PROTECT_MAP, target->protect_count, err);
}

static int map_add(int fd, const void *key, __u32 value, struct error *err)
{
	int ret = bpf_map_update_elem(fd, key, &value, BPF_ANY);

	return ret ? error_set_errno(err, ret, "cannot fill a BPF map") : 0;
}

static void rule_key(struct eval_rule_key *key, const struct endpoint *endpoint, uint16_t port)
{
	memset(key, 0, sizeof(*key));
	memcpy(key->address, endpoint->address, sizeof(key->address));
	key->port = port;
}

static int fill_peers(int fd, const struct target *target, struct error *err)
{
	for (size_t i = 0; i < target->peer_count; i++) {
		const struct endpoint *peer = &target->peers[i];
		struct eval_rule_key key;
		__u32 value = 0;
		int ret;

		rule_key(&key, peer, peer->port);
		ret = map_add(fd, &key, EVAL_RULE_MATCH, err);
		if (ret)
			return ret;
		if (!peer->port)
			continue;
		/* The address alone matches only if our end is a service port of the node, unless it is a peer too. */
		rule_key(&key, peer, 0);
		if (!bpf_map_lookup_elem(fd, &key, &value) && (value & EVAL_RULE_MATCH))
			continue;
		ret = map_add(fd, &key, EVAL_RULE_SERVICE, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int fill_locals(int fd, const struct target *target, struct error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < target->local_count; i++) {
		struct eval_rule_key key;

		rule_key(&key, &target->locals[i], target->locals[i].port);
		ret = map_add(fd, &key, EVAL_RULE_MATCH, err);
	}
	return ret;
}

static int fill_ports(int fd, const json_t *ports, struct error *err)
{
	size_t i;
	const json_t *value;
	int ret = 0;

	json_array_foreach (ports, i, value) {
		__u16 port = (__u16)json_integer_value(value);

		ret = map_add(fd, &port, 1, err);
		if (ret)
			break;
	}
	return ret;
}

static int fill_protect(int fd, const struct target *target, struct error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < target->protect_count; i++) {
		struct eval_protect_key key = {
			.port = target->protect[i].port,
			.protocol = target->protect[i].protocol,
			.local_only = target->protect[i].local_only,
		};

		memcpy(key.address, target->protect[i].address, sizeof(key.address));
		ret = map_add(fd, &key, 1, err);
	}
	return ret;
}

int net_match_fill(struct bpf_object *obj, const struct fault_spec *spec, struct error *err)
{
	int ret = fill_peers(object_map_fd(obj, "rules"), spec->target, err);

	if (!ret)
		ret = fill_locals(object_map_fd(obj, "locals"), spec->target, err);
	if (!ret)
		ret = fill_ports(object_map_fd(obj, "ports"), json_object_get(spec->params, "ports"), err);
	return ret ?: fill_protect(object_map_fd(obj, EVAL_PROTECT_MAP), spec->target, err);
}
