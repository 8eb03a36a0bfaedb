/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The default gateways of the calling thread's network namespace: a fault on a gateway cuts off more than its link. */
#include "target/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "net/endpoint.h"
#include "net/netlink.h"

struct gateway_search {
	const struct target *target;
	const struct endpoint *found;
};

static void look_for(struct gateway_search *search, const void *gateway, size_t size)
{
	struct endpoint address;

	if (endpoint_from_bytes(&address, gateway, size))
		search->found = target_find_peer(search->target, address.address) ?: search->found;
}

static void visit_hop(const struct nlattr *attr, struct gateway_search *search)
{
	size_t size = mnl_attr_get_payload_len(attr), before = offsetof(struct rtvia, rtvia_addr);

	if (mnl_attr_get_type(attr) == RTA_GATEWAY)
		look_for(search, mnl_attr_get_payload(attr), size);
	else if (mnl_attr_get_type(attr) == RTA_VIA && size > before)
		look_for(search, (const uint8_t *)mnl_attr_get_payload(attr) + before, size - before);
}

static int visit_next(const struct rtnexthop *hop, void *data)
{
	const struct nlattr *attr;

	mnl_attr_for_each_payload((const void *)RTNH_DATA(hop), hop->rtnh_len - RTNH_LENGTH(0)) visit_hop(attr, data);
	return 0;
}

/* Routes of every table; only default routes count. */
static int visit_route(const struct nlmsghdr *message, void *data)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;

	if (route->rtm_dst_len || (route->rtm_family != AF_INET && route->rtm_family != AF_INET6))
		return MNL_CB_OK;
	mnl_attr_for_each (attr, message, sizeof(*route)) {
		if (mnl_attr_get_type(attr) == RTA_MULTIPATH)
			netlink_each_hop(attr, visit_next, data);
		else
			visit_hop(attr, data);
	}
	return MNL_CB_OK;
}

int target_refuse_gateway(const struct target *target, struct error *err)
{
	const struct rtmsg all = {}; /* AF_UNSPEC: every address family */
	struct gateway_search search = {.target = target};
	char text[ENDPOINT_TEXT_SIZE];
	int ret = netlink_dump(RTM_GETROUTE, &all, sizeof(all), visit_route, NULL, &search);

	if (ret && !search.found)
		return error_set_errno(err, ret, "cannot find the default gateway, which must not be touched");
	if (!search.found)
		return 0;
	return error_set(err, -EPERM,
			 "peer %s %s this host's default gateway: the fault could lock you out; leave it out, or "
			 "allow: [gateway]",
			 endpoint_format(search.found, text), endpoint_is_network(search.found) ? "has" : "is");
}
