/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "net/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "util/clock.h"

#define AGAIN_NS_MAX NSEC_PER_SEC
#define AGAIN_PAUSE_NS (5 * NSEC_PER_MSEC)

static int dump_once(uint16_t type, const void *header, size_t header_size, mnl_cb_t visit, void *data)
{
	char buffer[MNL_NLMSG_HDRLEN + 32768];
	/* A netfilter type has its subsystem, from 1 on, in the upper byte. */
	struct mnl_socket *socket = mnl_socket_open2(type >> 8 ? NETLINK_NETFILTER : NETLINK_ROUTE, SOCK_CLOEXEC);
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	int ret = MNL_CB_OK;

	if (!socket)
		return -errno;
	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	memcpy(mnl_nlmsg_put_extra_header(message, header_size), header, header_size);
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		ret = MNL_CB_ERROR;
	while (ret > MNL_CB_STOP) {
		ssize_t size = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));

		ret = size < 0 ? MNL_CB_ERROR
			       : mnl_cb_run(buffer, (size_t)size, 0, mnl_socket_get_portid(socket), visit, data);
	}
	ret = ret < 0 ? -errno : 0;
	mnl_socket_close(socket);
	return ret;
}

int netlink_dump(uint16_t type, const void *header, size_t header_size, mnl_cb_t visit, void (*forget)(void *data),
		 void *data)
{
	uint64_t end_ns = clock_monotonic_ns() + AGAIN_NS_MAX;
	int ret;

	while ((ret = dump_once(type, header, header_size, visit, data)) == -EINTR && clock_monotonic_ns() < end_ns) {
		if (forget)
			forget(data);
		nanosleep(&(struct timespec){.tv_nsec = AGAIN_PAUSE_NS}, NULL);
	}
	return ret;
}

int netlink_each_hop(const struct nlattr *multipath, int (*visit)(const struct rtnexthop *hop, void *data), void *data)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(multipath);
	int left = mnl_attr_get_payload_len(multipath);

	while (left >= (int)sizeof(*hop) && hop->rtnh_len >= sizeof(*hop) && hop->rtnh_len <= left) {
		int ret = visit(hop, data);

		if (ret)
			return ret;
		left -= (int)RTNH_ALIGN(hop->rtnh_len);
		hop = RTNH_NEXT(hop);
	}
	return 0;
}

int netlink_request(struct nlmsghdr *message, mnl_cb_t reply, void *data)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char buffer[MNL_NLMSG_HDRLEN + 8192];
	ssize_t size;
	int ret = 0;

	if (!socket)
		return -errno;
	message->nlmsg_flags |= NLM_F_REQUEST | (reply ? 0 : NLM_F_ACK);
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0 ||
	    (size = mnl_socket_recvfrom(socket, buffer, sizeof(buffer))) < 0 ||
	    mnl_cb_run(buffer, (size_t)size, 0, mnl_socket_get_portid(socket), reply, data) < 0)
		ret = -errno;
	mnl_socket_close(socket);
	return ret;
}
