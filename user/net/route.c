/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "net/route.h"

#include <errno.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "net/device.h"
#include "net/endpoint.h"
#include "net/netlink.h"

struct route_search {
	int (*visit)(unsigned int ifindex, void *data);
	void *data;
	unsigned int found;
};

static int visit_hop(const struct rtnexthop *hop, void *data)
{
	struct route_search *visit = data;
	int ret = visit->visit((unsigned int)hop->rtnh_ifindex, visit->data);

	visit->found += !ret;
	return ret;
}

static int route_reply(const struct nlmsghdr *message, void *data)
{
	struct route_search *visit = data;
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;
	int ret = 0;

	if (message->nlmsg_type != RTM_NEWROUTE)
		return MNL_CB_OK;
	/* A local address's route names the device that has the address, but its packets go through loopback. */
	if (route->rtm_type == RTN_LOCAL) {
		visit->found++;
		ret = visit->visit(DEVICE_LOOPBACK_IFINDEX, visit->data);
		errno = -ret;
		return ret ? MNL_CB_ERROR : MNL_CB_STOP;
	}
	mnl_attr_for_each (attr, message, sizeof(struct rtmsg)) {
		if (mnl_attr_get_type(attr) == RTA_OIF) {
			visit->found++;
			ret = visit->visit(mnl_attr_get_u32(attr), visit->data);
		} else if (mnl_attr_get_type(attr) == RTA_MULTIPATH) {
			ret = netlink_each_hop(attr, visit_hop, visit);
		}
		if (ret) {
			errno = -ret;
			return MNL_CB_ERROR;
		}
	}
	return MNL_CB_STOP;
}

static void put_address(struct nlmsghdr *message, uint16_t type, const struct endpoint *endpoint)
{
	bool ipv4 = endpoint_is_ipv4(endpoint);

	mnl_attr_put(message, type, ipv4 ? 4 : 16, ipv4 ? endpoint->address + 12 : endpoint->address);
}

/* What the routing table is asked; from may be NULL, and vrf 0. */
struct question {
	const struct endpoint *to, *from;
	unsigned int vrf;
};

static int route_ask(struct mnl_socket *socket, const struct question *question, unsigned int flags,
		     struct route_search *visit)
{
	char buffer[MNL_NLMSG_HDRLEN + 8192];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	bool ipv4 = endpoint_is_ipv4(question->to);
	struct rtmsg *route;
	ssize_t size;

	message->nlmsg_type = RTM_GETROUTE;
	message->nlmsg_flags = NLM_F_REQUEST;
	route = mnl_nlmsg_put_extra_header(message, sizeof(*route));
	route->rtm_family = ipv4 ? AF_INET : AF_INET6;
	route->rtm_dst_len = ipv4 ? 32 : 128;
	route->rtm_flags = flags;
	put_address(message, RTA_DST, question->to);
	if (question->from) {
		route->rtm_src_len = ipv4 ? 32 : 128;
		put_address(message, RTA_SRC, question->from);
	}
	if (question->vrf)
		mnl_attr_put_u32(message, RTA_OIF, question->vrf);
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	size = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
	if (size < 0)
		return -errno;
	return mnl_cb_run(buffer, (size_t)size, 0, mnl_socket_get_portid(socket), route_reply, visit) < 0 ? -errno : 0;
}

int route_visit_devices(const struct endpoint *to, const struct endpoint *from, unsigned int vrf,
			int (*visit_device)(unsigned int ifindex, void *data), void *data, struct error *err)
{
	const struct question question = {.to = to, .from = from, .vrf = vrf};
	struct route_search visit = {.visit = visit_device, .data = data};
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char text[ENDPOINT_TEXT_SIZE];
	int ret;

	if (!socket)
		return error_set_errno(err, -errno, "cannot open a netlink socket");
	/* The whole FIB entry names every hop of a multipath route, a plain lookup only one. */
	ret = route_ask(socket, &question, RTM_F_FIB_MATCH, &visit);
	if (!ret && !visit.found)
		ret = route_ask(socket, &question, 0, &visit);
	mnl_socket_close(socket);
	if (!ret && visit.found)
		return 0;
	endpoint_format(to, text);
	if (ret == -ENODEV)
		return error_set(err, ret, "the device that leads to peer %s has just gone", text);
	if (ret == -EMFILE || ret == -ENFILE || ret == -ENOMEM)
		return error_set_errno(err, ret, "cannot look for the way to peer %s", text);
	return error_set(err, ret ? ret : -ENETUNREACH, "no route to peer %s from the target", text);
}

struct network_search {
	struct route_search devices;
	const struct endpoint *network;
};

/* True if the route's destination and the network have addresses in common: one contains the other. */
static bool overlaps(const struct nlmsghdr *message, const struct endpoint *network)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	bool ipv4 = endpoint_is_ipv4(network);
	struct endpoint shorter = *network;
	struct endpoint destination = {};
	unsigned int bits = route->rtm_dst_len + (ipv4 ? 96 : 0);
	const struct nlattr *attr;

	if (route->rtm_family != (ipv4 ? AF_INET : AF_INET6))
		return false;
	mnl_attr_for_each (attr, message, sizeof(*route))
		if (mnl_attr_get_type(attr) == RTA_DST)
			endpoint_from_bytes(&destination, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	/* The default route. */
	if (!route->rtm_dst_len)
		return true;
	if (bits < shorter.prefix)
		shorter.prefix = (uint8_t)bits;
	return endpoint_covers(&shorter, destination.address);
}

static int network_route(const struct nlmsghdr *message, void *data)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	struct network_search *search = data;
	int ret;

	if (message->nlmsg_type != RTM_NEWROUTE || route->rtm_type != RTN_UNICAST || route->rtm_flags & RTM_F_CLONED ||
	    !overlaps(message, search->network))
		return MNL_CB_OK;
	ret = route_reply(message, &search->devices);
	return ret == MNL_CB_STOP ? MNL_CB_OK : ret;
}

int route_visit_network(const struct endpoint *network, int (*visit)(unsigned int ifindex, void *data), void *data,
			struct error *err)
{
	struct network_search search = {.devices = {.visit = visit, .data = data}, .network = network};
	const struct rtmsg all = {.rtm_family = endpoint_is_ipv4(network) ? AF_INET : AF_INET6};
	int ret = netlink_dump(RTM_GETROUTE, &all, sizeof(all), network_route, NULL, &search);
	char text[ENDPOINT_TEXT_SIZE];

	if (ret)
		return error_set_errno(err, ret, "cannot look for the routes to %s", endpoint_format(network, text));
	if (!search.devices.found)
		return error_set(err, -ENETUNREACH, "no route to any part of %s", endpoint_format(network, text));
	return 0;
}

bool route_owns_address(const struct endpoint *address)
{
	struct ifaddrs *all = NULL;
	struct endpoint own;
	bool found = false;

	if (getifaddrs(&all))
		return false;
	for (struct ifaddrs *i = all; i && !found; i = i->ifa_next)
		found = endpoint_from_sockaddr(&own, i->ifa_addr) && endpoint_covers(address, own.address);
	freeifaddrs(all);
	return found;
}

static bool read_address(struct route_address *out, const struct ifaddrs *entry)
{
	*out = (struct route_address){};
	if ((entry->ifa_flags & IFF_LOOPBACK) || !endpoint_from_sockaddr(&out->endpoint, entry->ifa_addr))
		return false;
	out->ifindex = if_nametoindex(entry->ifa_name);
	out->master = device_master(out->ifindex);
	return out->ifindex && strncmp(entry->ifa_name, LINE_DEVICE_PREFIX, strlen(LINE_DEVICE_PREFIX)) != 0;
}

int route_own_addresses(struct route_addresses *out, struct error *err)
{
	struct ifaddrs *all = NULL;
	size_t room = 0;

	if (getifaddrs(&all))
		return error_set_errno(err, -errno, "cannot list the addresses");
	for (const struct ifaddrs *i = all; i; i = i->ifa_next)
		room++;
	out->items = calloc(room + 1, sizeof(*out->items));
	out->count = 0;
	for (const struct ifaddrs *i = all; i && out->items; i = i->ifa_next)
		out->count += read_address(&out->items[out->count], i);
	freeifaddrs(all);
	return out->items ? 0 : error_set(err, -ENOMEM, "out of memory");
}

int route_watch(struct error *err)
{
	static const int groups[] = {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,  RTNLGRP_IPV6_RULE,
				     RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	const struct sockaddr_nl any = {.nl_family = AF_NETLINK};

	/* A socket without a port of its own gets no messages of the kernel, whose port is 0. */
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&any, sizeof(any)))
		fd = fd_close(fd);
	for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(groups); i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i])))
			fd = fd_close(fd);
	return fd < 0 ? error_set_errno(err, -errno, "cannot watch the routes") : TAKE_FD(fd);
}

bool route_changed(int fd)
{
	bool changed = false;
	char byte;
	ssize_t got;

	/* ENOBUFS: more changed than the socket could hold. */
	while ((got = recv(fd, &byte, sizeof(byte), MSG_TRUNC)) > 0 || (got < 0 && errno == ENOBUFS))
		changed = true;
	return changed;
}
