/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The default gateways of the calling thread's network namespace: cutting one off takes more down than its link. */
#include "target_internal.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Of a dump that changes while it is read. */
#define DUMP_TRIES 20
#define DUMP_PAUSE_NS 10000000

struct gateway_search {
	const struct target *target;
	const struct endpoint *found;
};

static void look_for(struct gateway_search *search, const void *gateway, size_t size)
{
	uint8_t address[16] = {[10] = 0xff, [11] = 0xff};

	if (size != 4 && size != sizeof(address))
		return;
	memcpy(address + sizeof(address) - size, gateway, size);
	for (size_t i = 0; i < search->target->peer_count; i++)
		if (!memcmp(search->target->peers[i].address, address, sizeof(address)))
			search->found = &search->target->peers[i];
}

/* Of a route, or of one of its next hops. */
static void visit_hop(const struct nlattr *attr, struct gateway_search *search)
{
	size_t size = mnl_attr_get_payload_len(attr), before = offsetof(struct rtvia, rtvia_addr);

	if (mnl_attr_get_type(attr) == RTA_GATEWAY)
		look_for(search, mnl_attr_get_payload(attr), size);
	else if (mnl_attr_get_type(attr) == RTA_VIA && size > before)
		look_for(search, (const uint8_t *)mnl_attr_get_payload(attr) + before, size - before);
}

static void visit_hops(const struct nlattr *multipath, struct gateway_search *search)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(multipath);
	int left = mnl_attr_get_payload_len(multipath);

	while (left >= (int)sizeof(*hop) && hop->rtnh_len >= sizeof(*hop) && hop->rtnh_len <= left) {
		const struct nlattr *attr;

		mnl_attr_for_each_payload((const void *)RTNH_DATA(hop), hop->rtnh_len - RTNH_LENGTH(0))
			visit_hop(attr, search);
		left -= (int)RTNH_ALIGN(hop->rtnh_len);
		hop = RTNH_NEXT(hop);
	}
}

/* Of any table. */
static int visit_route(const struct nlmsghdr *message, void *data)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;

	if (route->rtm_dst_len || (route->rtm_family != AF_INET && route->rtm_family != AF_INET6))
		return MNL_CB_OK;
	mnl_attr_for_each (attr, message, sizeof(*route)) {
		if (mnl_attr_get_type(attr) == RTA_MULTIPATH)
			visit_hops(attr, data);
		else
			visit_hop(attr, data);
	}
	return MNL_CB_OK;
}

/* -EINTR: routes changed meanwhile, and some may be missing. */
static int search_once(struct gateway_search *search)
{
	char buffer[MNL_NLMSG_HDRLEN + 32768];
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	int ret = MNL_CB_OK;

	if (!socket)
		return -errno;
	message->nlmsg_type = RTM_GETROUTE;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(message, sizeof(struct rtmsg)); /* AF_UNSPEC: every protocol that there is */
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		ret = MNL_CB_ERROR;
	while (ret > MNL_CB_STOP) {
		ssize_t size = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));

		ret = size < 0
			      ? MNL_CB_ERROR
			      : mnl_cb_run(buffer, (size_t)size, 0, mnl_socket_get_portid(socket), visit_route, search);
	}
	ret = ret < 0 ? -errno : 0;
	mnl_socket_close(socket);
	return ret;
}

int target_refuse_gateway(const struct target *target, struct error *err)
{
	struct gateway_search search = {.target = target};
	char text[ENDPOINT_TEXT_SIZE];
	int ret = search_once(&search);

	for (int i = 1; i < DUMP_TRIES && ret == -EINTR && !search.found; i++) {
		nanosleep(&(struct timespec){.tv_nsec = DUMP_PAUSE_NS}, NULL);
		ret = search_once(&search);
	}
	if (ret && !search.found)
		return error_set_errno(err, ret, "cannot find the default gateway, which must not be touched");
	if (!search.found)
		return 0;
	return error_set(err, -EPERM,
			 "peer %s is this host's default gateway: the fault could lock you out; leave it out, or "
			 "allow: [gateway]",
			 endpoint_format(search.found, text));
}
