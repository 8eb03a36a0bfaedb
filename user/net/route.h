/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Routes and addresses of the calling thread's network namespace. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "net/endpoint.h"
#include "util/cleanup.h"

/*
 * Calls visit with each device through which the routing table sends packets to `to` (several with multipath), from an
 * address of this namespace or, if from is NULL, from the one that the kernel would choose; by the routing table of the
 * VRF with this ifindex, 0: by the usual rules. -ENETUNREACH if there is no route, -ENODEV if its device has just been
 * removed. A local address leads to loopback, DEVICE_LOOPBACK_IFINDEX.
 */
int route_visit_devices(const struct endpoint *to, const struct endpoint *from, unsigned int vrf,
			int (*visit)(unsigned int ifindex, void *data), void *data, struct error *err);
/*
 * The same for a network, by all routes that lead to a part of it, in all routing tables. Loopback does not count:
 * local addresses in the network are the target's own.
 */
int route_visit_network(const struct endpoint *network, int (*visit)(unsigned int ifindex, void *data), void *data,
			struct error *err);
/* True if an address of this namespace is the endpoint's, or in its network. */
bool route_owns_address(const struct endpoint *address);

struct route_address {
	struct endpoint endpoint; /* port 0 */
	unsigned int ifindex;
	unsigned int master; /* see device_master() */
};
struct route_addresses {
	struct route_address *items;
	size_t count;
};
/* The addresses of all devices but loopback. */
int route_own_addresses(struct route_addresses *out, struct error *err);
static inline void cleanup_route_addressesp(struct route_addresses *addresses)
{
	free(addresses->items);
}
#define _cleanup_route_addresses_ _cleanup_(cleanup_route_addressesp)

/* Opens a socket that gets a message for each change of a route, rule, address or device. Returns it or -errno. */
int route_watch(struct error *err);
/* True if something has changed since the last call. */
bool route_changed(int fd);
