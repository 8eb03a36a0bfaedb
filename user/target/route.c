/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The devices that the target's packets take to and from its peers, by its own routes and addresses, in the current
 * network namespace; and whether that has changed since.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "net/device.h"
#include "net/endpoint.h"
#include "net/route.h"
#include "target/internal.h"
#include "util/cleanup.h"

/* Each device carries hooks, maps and perhaps a delay line: more than this is a mistake. */
#define DEVICES_MAX 32

struct device_set {
	struct net_device *devices;
	size_t count;
};

static bool contains(const struct net_device *devices, size_t count, unsigned int ifindex)
{
	for (size_t i = 0; i < count; i++)
		if (devices[i].ifindex == ifindex)
			return true;
	return false;
}

static int add_device(unsigned int ifindex, void *data)
{
	struct device_set *set = data;
	int ret;

	if (contains(set->devices, set->count, ifindex))
		return 0;
	if (set->count == DEVICES_MAX)
		return -E2BIG;
	ret = device_find_index(&set->devices[set->count], ifindex, NULL);
	if (ret)
		return ret;
	set->count++;
	return 0;
}

static int too_many(struct error *err)
{
	return error_set(err, -E2BIG, "more than %d devices lead to the peers: name one (interface, --dev)",
			 DEVICES_MAX);
}

/* Not an answer of the routing table, but a failure of the question. */
static bool is_failure(int code)
{
	return code == -E2BIG || code == -ENOMEM || code == -EMFILE || code == -ENFILE || code == -ENODEV;
}

static bool is_own(const struct target *target, const struct endpoint *address)
{
	for (size_t i = 0; i < target->local_count; i++)
		if (!memcmp(target->locals[i].address, address->address, sizeof(address->address)))
			return true;
	return !target->local_count;
}

/* From one of the target's addresses, also by the VRF that its device is part of. */
static int add_ways_from(struct device_set *set, const struct route_address *from, const struct endpoint *peer,
			 bool *found, struct error *err)
{
	const unsigned int vrfs[] = {0, from->master};

	for (size_t i = 0; i < ARRAY_SIZE(vrfs) && (!i || vrfs[i]); i++) {
		int ret = route_visit_devices(peer, &from->endpoint, vrfs[i], add_device, set, NULL);

		if (ret == -E2BIG)
			return too_many(err);
		if (is_failure(ret))
			return error_set_errno(err, ret, "cannot look for the way to a peer");
		*found |= !ret;
	}
	return 0;
}

/* Without a source, and from each of the target's addresses: rules may choose the route by the source. */
static int add_ways_to(struct device_set *set, const struct target *target, const struct endpoint *peer,
		       const struct route_addresses *own, struct error *err)
{
	bool found;
	int ret = route_visit_devices(peer, NULL, 0, add_device, set, err);

	if (is_failure(ret))
		return ret == -E2BIG ? too_many(err) : ret;
	found = !ret;
	for (size_t i = 0; i < own->count; i++) {
		const struct route_address *from = &own->items[i];
		int one = 0;

		if (endpoint_is_ipv4(&from->endpoint) == endpoint_is_ipv4(peer) && is_own(target, &from->endpoint))
			one = add_ways_from(set, from, peer, &found, err);
		if (one)
			return one;
	}
	if (found && err)
		*err = (struct error){0};
	return found ? 0 : ret;
}

/* A link-local address is on every link: without a device, the kernel would choose one of them. */
static int check_link_local(const struct endpoint *peer, const struct route_addresses *own, struct error *err)
{
	char text[ENDPOINT_TEXT_SIZE];
	unsigned int first = 0;

	if (!endpoint_is_link_local(peer) || endpoint_is_network(peer))
		return 0;
	for (size_t i = 0; i < own->count; i++) {
		if (first && own->items[i].ifindex != first)
			return error_set(err, -EINVAL,
					 "peer %s is a link-local address, and there are several devices: name one "
					 "(interface, --dev, or as in fe80::1%%eth0)",
					 endpoint_format(peer, text));
		first = own->items[i].ifindex;
	}
	return 0;
}

static bool shares_packets(const struct device_set *set, unsigned int ifindex)
{
	for (size_t i = 0; i < set->count; i++)
		if (device_shares_packets(set->devices[i].ifindex, ifindex))
			return true;
	return false;
}

/*
 * The devices that own the target's addresses: what a peer sends may come in there, although the answer leaves by
 * another. All addresses of a namespace of its own are the target's. Not the device below a macvlan that leads to a
 * peer, for example: its packets would be hit twice.
 */
static int add_owners(struct device_set *set, const struct target *target, const struct route_addresses *own,
		      struct error *err)
{
	for (size_t i = 0; (target->local_count || target->own_netns) && i < own->count; i++) {
		unsigned int ifindex = own->items[i].ifindex;
		size_t before = set->count;
		int ret = 0;

		if (is_own(target, &own->items[i].endpoint) && !contains(set->devices, set->count, ifindex) &&
		    !shares_packets(set, ifindex))
			ret = add_device(ifindex, set);
		/* A router's namespace may have more devices than lead to the peers. */
		if (ret == -E2BIG && !target->local_count)
			return 0;
		if (ret == -E2BIG)
			return too_many(err);
		if (set->count > before)
			set->devices[before].optional = true;
	}
	return 0;
}

static int add_ways(struct device_set *set, const struct target *target, const struct endpoint *peer,
		    const struct route_addresses *own, struct error *err)
{
	struct net_device device;
	int ret;

	if (endpoint_is_network(peer)) {
		ret = route_visit_network(peer, add_device, set, err);
		return ret == -E2BIG ? too_many(err) : ret;
	}
	if (!*peer->zone)
		return check_link_local(peer, own, err) ?: add_ways_to(set, target, peer, own, err);
	ret = device_find(&device, peer->zone, err);
	if (ret)
		return ret;
	ret = add_device(device.ifindex, set);
	return ret == -E2BIG ? too_many(err) : ret;
}

static int find_by_routes(struct device_set *set, const struct target *target, struct error *err)
{
	_cleanup_route_addresses_ struct route_addresses own = {};
	int ret = route_own_addresses(&own, err);

	for (size_t i = 0; !ret && i < target->peer_count; i++)
		ret = add_ways(set, target, &target->peers[i], &own, err);
	return ret ?: add_owners(set, target, &own, err);
}

static int find_all(struct device_set *set, const struct target *target, struct error *err)
{
	if (target->peers_all)
		return device_list_up(&set->devices, &set->count, err);
	set->devices = calloc(DEVICES_MAX, sizeof(*set->devices));
	return set->devices ? find_by_routes(set, target, err) : error_set(err, -ENOMEM, "out of memory");
}

int target_find_devices(struct target *target, const char *interface, struct error *err)
{
	struct device_set set = {};
	int ret;

	target->route_events = -1;
	if (interface) {
		target->devices = calloc(1, sizeof(*target->devices));
		target->device_count = 1;
		return target->devices ? device_find(&target->devices[0], interface, err)
				       : error_set(err, -ENOMEM, "out of memory");
	}
	/* Before the look, so that no change is missed. */
	target->route_events = route_watch(err);
	ret = target->route_events < 0 ? target->route_events : find_all(&set, target, err);
	target->devices = set.devices;
	target->device_count = set.count;
	return ret;
}

int target_check_routes(const struct target *target, struct error *err)
{
	struct device_set set = {};
	int saved = -1, ret;

	if (target->route_events < 0 || !route_changed(target->route_events))
		return 0;
	ret = target_enter_netns(target, &saved, err);
	if (ret)
		return ret;
	/* A peer without a route gets no packets: nothing of the fault is undone. */
	find_all(&set, target, NULL);
	for (size_t i = 0; !ret && i < set.count; i++)
		if (set.devices[i].ifindex != DEVICE_LOOPBACK_IFINDEX &&
		    !contains(target->devices, target->device_count, set.devices[i].ifindex))
			ret = error_set(err, -ENETRESET,
					"packets from or to the peers may now take %s, where the fault has no hooks: a "
					"route, an address or a device has changed",
					set.devices[i].name);
	target_leave_netns(&saved);
	free(set.devices);
	return ret;
}
