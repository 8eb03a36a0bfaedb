/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "chaos/net/match.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "chaos/fault.h"
#include "eval_net.h"
#include "kernel/object.h"
#include "net/device.h"
#include "net/endpoint.h"
#include "target/target.h"
#include "util/cleanup.h"

#define UNMATCHED_MAX 256

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

static size_t count_networks(const struct target *target)
{
	size_t count = 0;

	for (size_t i = 0; i < target->peer_count; i++)
		count += endpoint_is_network(&target->peers[i]);
	return count;
}

/* The ports of a range "N-M", or the only one. */
static void port_range(const json_t *value, unsigned int *first, unsigned int *last)
{
	*first = *last = (unsigned int)json_integer_value(value);
	if (json_is_string(value))
		sscanf(json_string_value(value), "%u-%u", first, last);
}

static size_t count_ports(const json_t *ports)
{
	size_t i, count = 0;
	const json_t *value;

	json_array_foreach (ports, i, value) {
		unsigned int first, last;

		port_range(value, &first, &last);
		count += last - first + 1;
	}
	return count;
}

static size_t port_entries(const struct endpoint *endpoints, size_t count)
{
	size_t entries = 0;

	for (size_t i = 0; i < count; i++)
		entries += endpoint_port_count(&endpoints[i]);
	return entries;
}

int net_match_prepare(struct bpf_object *obj, struct eval_match_config *config, const struct fault_spec *spec,
		      const struct net_device *device, struct error *err)
{
	const struct target *target = spec->target;
	size_t ports = count_ports(json_object_get(spec->params, "ports")), networks = count_networks(target);
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
		.has_networks = networks > 0,
	};
	/* A peer with ports takes one entry more, see fill_peers(). */
	ret = object_size_map(obj, "rules", port_entries(target->peers, target->peer_count) + target->peer_count, err);
	if (!ret)
		ret = object_size_map(obj, "networks", networks, err);
	if (!ret)
		ret = object_size_map(obj, "locals", port_entries(target->locals, target->local_count), err);
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

static __u32 rule_of(enum eval_rule kind, size_t peer)
{
	return kind | (peer < EVAL_PEERS_COUNTED ? (__u32)(peer + 1) << EVAL_RULE_PEER_SHIFT : 0);
}

static int fill_networks(int fd, const struct target *target, struct error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < target->peer_count; i++) {
		const struct endpoint *peer = &target->peers[i];
		struct eval_network_key key = {.bits = peer->prefix};

		memcpy(key.address, peer->address, sizeof(key.address));
		if (endpoint_is_network(peer))
			ret = map_add(fd, &key, rule_of(EVAL_RULE_MATCH, i), err);
	}
	return ret;
}

/* A peer with a zone is one on that device only. */
static bool is_elsewhere(const struct endpoint *peer, const struct net_device *device)
{
	return *peer->zone && strcmp(peer->zone, device->name) != 0;
}

static int fill_peer(int fd, const struct endpoint *peer, size_t index, struct error *err)
{
	struct eval_rule_key key;
	__u32 value = 0;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < endpoint_port_count(peer); i++) {
		rule_key(&key, peer, (uint16_t)(peer->port + i));
		/* Named twice: the first one counts. */
		if (bpf_map_lookup_elem(fd, &key, &value) || !(value & EVAL_RULE_MATCH))
			ret = map_add(fd, &key, rule_of(EVAL_RULE_MATCH, index), err);
	}
	if (ret || !peer->port)
		return ret;
	/* The address alone matches only if our end is a service port of the node, unless it is a peer too. */
	rule_key(&key, peer, 0);
	return bpf_map_lookup_elem(fd, &key, &value) ? map_add(fd, &key, rule_of(EVAL_RULE_SERVICE, index), err) : 0;
}

static int fill_peers(int fd, const struct target *target, const struct net_device *device, struct error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < target->peer_count; i++)
		if (!endpoint_is_network(&target->peers[i]) && !is_elsewhere(&target->peers[i], device))
			ret = fill_peer(fd, &target->peers[i], i, err);
	return ret;
}

static int fill_locals(int fd, const struct target *target, struct error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < target->local_count; i++) {
		const struct endpoint *local = &target->locals[i];
		struct eval_rule_key key;

		for (unsigned int port = 0; !ret && port < endpoint_port_count(local); port++) {
			rule_key(&key, local, (uint16_t)(local->port + port));
			ret = map_add(fd, &key, EVAL_RULE_MATCH, err);
		}
	}
	return ret;
}

static int fill_ports(int fd, const json_t *ports, struct error *err)
{
	size_t i;
	const json_t *value;
	int ret = 0;

	json_array_foreach (ports, i, value) {
		unsigned int first, last;

		port_range(value, &first, &last);
		for (unsigned int number = first; !ret && number <= last; number++) {
			__u16 port = (__u16)number;

			ret = map_add(fd, &port, 1, err);
		}
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

int net_match_fill(struct bpf_object *obj, const struct fault_spec *spec, const struct net_device *device,
		   struct error *err)
{
	int ret = fill_peers(object_map_fd(obj, "rules"), spec->target, device, err);

	if (!ret)
		ret = fill_networks(object_map_fd(obj, "networks"), spec->target, err);

	if (!ret)
		ret = fill_locals(object_map_fd(obj, "locals"), spec->target, err);
	if (!ret)
		ret = fill_ports(object_map_fd(obj, "ports"), json_object_get(spec->params, "ports"), err);
	return ret ?: fill_protect(object_map_fd(obj, EVAL_PROTECT_MAP), spec->target, err);
}

int net_match_add_hits(struct bpf_object *obj, struct net_peer_hits *sum, size_t count)
{
	int fd = object_map_fd(obj, EVAL_PEER_HITS_MAP), cpus = libbpf_num_possible_cpus();
	_cleanup_free_ __u64 *per_cpu = cpus > 0 ? calloc((size_t)cpus, sizeof(*per_cpu)) : NULL;

	if (!per_cpu)
		return cpus < 0 ? cpus : -ENOMEM;
	for (__u32 key = 0; key < count * EVAL_DIRECTIONS; key++) {
		int ret = bpf_map_lookup_elem(fd, &key, per_cpu);

		if (ret)
			return ret;
		for (int i = 0; i < cpus; i++)
			sum[key / EVAL_DIRECTIONS].in[key % EVAL_DIRECTIONS] += per_cpu[i];
	}
	return 0;
}

/* Keeps the list sorted by packets; drops the last one if it is full. */
static void list_insert(struct net_unmatched *list, size_t max, size_t *count, const struct net_unmatched *one)
{
	size_t i = *count;

	while (i && list[i - 1].packets < one->packets)
		i--;
	if (i == max)
		return;
	*count += *count < max;
	memmove(&list[i + 1], &list[i], (*count - i - 1) * sizeof(*list));
	list[i] = *one;
}

void net_match_list_unmatched(struct bpf_object *obj, struct net_unmatched *list, size_t max, size_t *count)
{
	int fd = object_map_fd(obj, EVAL_UNMATCHED_MAP);
	struct eval_unmatched_key key, *previous = NULL;

	/* The map may change meanwhile: then a key may be missing or come twice. */
	for (unsigned int i = 0; i < UNMATCHED_MAX && !bpf_map_get_next_key(fd, previous, &key); i++) {
		struct net_unmatched one = {.endpoint.prefix = 128, .direction = key.direction};

		memcpy(one.endpoint.address, key.address, sizeof(key.address));
		if (!bpf_map_lookup_elem(fd, &key, &one.packets))
			list_insert(list, max, count, &one);
		previous = &key;
	}
}
