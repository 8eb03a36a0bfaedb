/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "net/route.h"

#include <errno.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
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

static int route_ask(struct mnl_socket *socket, const struct endpoint *to, unsigned int flags,
		     struct route_search *visit)
{
	char buffer[MNL_NLMSG_HDRLEN + 8192];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	bool ipv4 = endpoint_is_ipv4(to);
	struct rtmsg *route;
	ssize_t size;

	message->nlmsg_type = RTM_GETROUTE;
	message->nlmsg_flags = NLM_F_REQUEST;
	route = mnl_nlmsg_put_extra_header(message, sizeof(*route));
	route->rtm_family = ipv4 ? AF_INET : AF_INET6;
	route->rtm_dst_len = ipv4 ? 32 : 128;
	route->rtm_flags = flags;
	mnl_attr_put(message, RTA_DST, ipv4 ? 4 : 16, ipv4 ? to->address + 12 : to->address);
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	size = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
	if (size < 0)
		return -errno;
	return mnl_cb_run(buffer, (size_t)size, 0, mnl_socket_get_portid(socket), route_reply, visit) < 0 ? -errno : 0;
}

int route_visit_devices(const struct endpoint *to, int (*visit_device)(unsigned int ifindex, void *data), void *data,
			struct error *err)
{
	struct route_search visit = {.visit = visit_device, .data = data};
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char text[ENDPOINT_TEXT_SIZE];
	int ret;

	if (!socket)
		return error_set_errno(err, -errno, "cannot open a netlink socket");
	/* The whole FIB entry names every hop of a multipath route, a plain lookup only one. */
	ret = route_ask(socket, to, RTM_F_FIB_MATCH, &visit);
	if (!ret && !visit.found)
		ret = route_ask(socket, to, 0, &visit);
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

static bool address_equals(const struct sockaddr *sa, const struct endpoint *address)
{
	if (!sa)
		return false;
	if (sa->sa_family == AF_INET && endpoint_is_ipv4(address))
		return !memcmp(&((const struct sockaddr_in *)(const void *)sa)->sin_addr, address->address + 12, 4);
	if (sa->sa_family == AF_INET6 && !endpoint_is_ipv4(address))
		return !memcmp(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, address->address, 16);
	return false;
}

bool route_owns_address(const struct endpoint *address)
{
	struct ifaddrs *all = NULL;
	bool found = false;

	if (getifaddrs(&all))
		return false;
	for (struct ifaddrs *i = all; i && !found; i = i->ifa_next)
		found = address_equals(i->ifa_addr, address);
	freeifaddrs(all);
	return found;
}
