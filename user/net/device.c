/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "net/device.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "net/netlink.h"
#include "util/array.h"
#include "util/cleanup.h"

/* The largest that veth takes: a line must carry whatever its device does. */
#define VETH_MTU 65535
/* Fairness between flows is of no use here; the largest that every kernel takes. */
#define FQ_QUANTUM_BYTES (1U << 20)

static int ioctl_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static int device_ioctl(unsigned long request, struct ifreq *ifr)
{
	_cleanup_close_ int fd = ioctl_socket();

	if (fd < 0 || ioctl(fd, request, ifr))
		return -errno;
	return 0;
}

static void name_set(struct ifreq *ifr, const char *name)
{
	memset(ifr, 0, sizeof(*ifr));
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
}

static void list_names(char *out, size_t size)
{
	struct if_nameindex *all = if_nameindex();
	size_t used = 0;

	out[0] = '\0';
	for (struct if_nameindex *i = all; i && i->if_index && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", i->if_name);
	if_freenameindex(all);
}

int netdev_find(struct target_device *out, const char *name, struct error *err)
{
	struct ifreq ifr;
	char names[256];
	unsigned int ifindex;
	int ret;

	if (strlen(name) >= IFNAMSIZ)
		return error_set(err, -ENODEV, "'%s' is too long for a device name", name);
	name_set(&ifr, name);
	ifindex = if_nametoindex(name);
	ret = ifindex ? device_ioctl(SIOCGIFHWADDR, &ifr) : -errno;
	if (ret && ret != -ENODEV)
		return error_set_errno(err, ret, "cannot look at device '%s'", name);
	if (ret) {
		list_names(names, sizeof(names));
		return error_set(err, -ENODEV, "no device '%s' here; there are: %s", name, names);
	}
	snprintf(out->name, sizeof(out->name), "%s", name);
	out->ifindex = ifindex;
	out->ethernet = ifr.ifr_hwaddr.sa_family == ARPHRD_ETHER || ifr.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
	return 0;
}

int netdev_find_index(struct target_device *out, unsigned int ifindex, struct error *err)
{
	char name[IF_NAMESIZE];

	if (!if_indextoname(ifindex, name))
		return errno == ENXIO ? error_set(err, -ENODEV, "device %u is gone", ifindex)
				      : error_set_errno(err, -errno, "cannot look at device %u", ifindex);
	return netdev_find(out, name, err);
}

static int device_flags(const char *name)
{
	struct ifreq ifr;

	name_set(&ifr, name);
	return device_ioctl(SIOCGIFFLAGS, &ifr) ? 0 : (unsigned short)ifr.ifr_flags;
}

struct device_list {
	struct target_device *devices;
	size_t count, room;
};

static bool is_wanted(const struct nlmsghdr *message, const char **name)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;
	bool has_master = false;

	*name = "";
	mnl_attr_for_each (attr, message, sizeof(*info)) {
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			*name = mnl_attr_get_str(attr);
		else if (mnl_attr_get_type(attr) == IFLA_MASTER)
			has_master = true;
	}
	/* What a bond's slave or a bridge's port carries passes its master as well; a line is another fault's. */
	return (info->ifi_flags & IFF_UP) && !(info->ifi_flags & IFF_LOOPBACK) && !has_master &&
	       strncmp(*name, LINE_DEVICE_PREFIX, strlen(LINE_DEVICE_PREFIX));
}

static int list_add(const struct nlmsghdr *message, void *data)
{
	struct device_list *list = data;
	struct target_device *grown;
	const char *name;

	if (message->nlmsg_type != RTM_NEWLINK || !is_wanted(message, &name))
		return MNL_CB_OK;
	grown = array_reserve(list->devices, list->count, &list->room, 16, sizeof(*grown));
	if (!grown) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	list->devices = grown;
	/* It may be gone by now. */
	if (!netdev_find(&list->devices[list->count], name, NULL))
		list->count++;
	return MNL_CB_OK;
}

static void list_forget(void *data)
{
	struct device_list *list = data;

	list->count = 0;
}

int netdev_list_up(struct target_device **out, size_t *count, struct error *err)
{
	const struct ifinfomsg all = {};
	struct device_list list = {};
	int ret = netlink_dump(RTM_GETLINK, &all, sizeof(all), list_add, list_forget, &list);

	if (ret) {
		free(list.devices);
		return error_set_errno(err, ret, "cannot list the network devices");
	}
	*out = list.devices;
	*count = list.count;
	return 0;
}

struct route_visit {
	int (*visit)(unsigned int ifindex, void *data);
	void *data;
	unsigned int found;
};

static int visit_hop(const struct rtnexthop *hop, void *data)
{
	struct route_visit *visit = data;
	int ret = visit->visit((unsigned int)hop->rtnh_ifindex, visit->data);

	visit->found += !ret;
	return ret;
}

static int route_reply(const struct nlmsghdr *message, void *data)
{
	struct route_visit *visit = data;
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;
	int ret = 0;

	if (message->nlmsg_type != RTM_NEWROUTE)
		return MNL_CB_OK;
	/* The entry of an own address names the device that has it, but its packets go through loopback. */
	if (route->rtm_type == RTN_LOCAL) {
		visit->found++;
		ret = visit->visit(NETDEV_LOOPBACK_IFINDEX, visit->data);
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
		     struct route_visit *visit)
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

int netdev_route(const struct endpoint *to, int (*visit_device)(unsigned int ifindex, void *data), void *data,
		 struct error *err)
{
	struct route_visit visit = {.visit = visit_device, .data = data};
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

bool netdev_owns_address(const struct endpoint *address)
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

int netdev_set_up(const char *name, unsigned int queue_length, struct error *err)
{
	_cleanup_close_ int ipv6 = -1;
	char path[96];
	struct ifreq ifr;
	int ret;

	/* Our own device; without this it would announce itself to whoever looks at addresses. No IPv6: no file. */
	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	ipv6 = open(path, O_WRONLY | O_CLOEXEC);
	if (ipv6 >= 0 && write(ipv6, "1", 1) != 1)
		return error_set_errno(err, -errno, "cannot write %s", path);
	name_set(&ifr, name);
	ifr.ifr_qlen = (int)queue_length;
	ret = device_ioctl(SIOCSIFTXQLEN, &ifr);
	if (ret)
		return error_set_errno(err, ret, "cannot set the queue length of %s", name);
	ifr.ifr_flags = (short)(device_flags(name) | IFF_UP);
	ret = device_ioctl(SIOCSIFFLAGS, &ifr);
	return ret ? error_set_errno(err, ret, "cannot bring %s up", name) : 0;
}

/* Sends one request and waits for the kernel's answer to it: what reply takes, else an acknowledgement. */
static int request(struct nlmsghdr *message, mnl_cb_t reply, void *data)
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

static int tx_dropped_reply(const struct nlmsghdr *message, void *data)
{
	size_t from = offsetof(struct rtnl_link_stats64, tx_dropped);
	const struct nlattr *attr;

	/* Kernels differ in how long it is. It is aligned to 4 bytes only. */
	mnl_attr_for_each (attr, message, sizeof(struct ifinfomsg))
		if (mnl_attr_get_type(attr) == IFLA_STATS64 &&
		    mnl_attr_get_payload_len(attr) >= from + sizeof(uint64_t))
			memcpy(data, (const char *)mnl_attr_get_payload(attr) + from, sizeof(uint64_t));
	return MNL_CB_STOP;
}

uint64_t netdev_tx_dropped(const char *name, uint64_t *known)
{
	char buffer[MNL_NLMSG_HDRLEN + 256] = {};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	uint64_t before = *known;

	message->nlmsg_type = RTM_GETLINK;
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	return request(message, tx_dropped_reply, known) ? 0 : *known - before;
}

int netdev_add_veth(const char *name, const char *peer, int peer_netns_fd)
{
	char buffer[MNL_NLMSG_HDRLEN + 1024] = {};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nlattr *link_info, *data, *peer_info;

	message->nlmsg_type = RTM_NEWLINK;
	message->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	mnl_attr_put_u32(message, IFLA_MTU, VETH_MTU);
	link_info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	peer_info = mnl_attr_nest_start(message, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, peer);
	mnl_attr_put_u32(message, IFLA_MTU, VETH_MTU);
	mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t)peer_netns_fd);
	mnl_attr_nest_end(message, peer_info);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, link_info);
	return request(message, NULL, NULL);
}

int netdev_delete(const char *name)
{
	char buffer[MNL_NLMSG_HDRLEN + 256] = {};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = RTM_DELLINK;
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	return request(message, NULL, NULL);
}

/* sysfs of the current network namespace, mounted nowhere; /sys is that of another. */
static int sysfs_open(void)
{
	_cleanup_close_ int fd = fsopen("sysfs", FSOPEN_CLOEXEC);

	if (fd < 0 || fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -1;
	return fsmount(fd, FSMOUNT_CLOEXEC, 0);
}

void netdev_receive_in_order(const char *name)
{
	_cleanup_close_ int sysfs = sysfs_open(), fd = -1;
	int cpu = sched_getcpu(), size;
	char text[512];

	if (sysfs < 0 || cpu < 0)
		return;
	snprintf(text, sizeof(text), "class/net/%s/queues/rx-0/rps_cpus", name);
	fd = openat(sysfs, text, O_WRONLY | O_CLOEXEC);
	/* Groups of 32 CPUs, the last one first. */
	size = snprintf(text, sizeof(text), "%x", 1U << cpu % 32);
	for (int group = cpu / 32; group && size < (int)sizeof(text); group--)
		size += snprintf(text + size, sizeof(text) - (size_t)size, ",0");
	if (fd >= 0 && write(fd, text, (size_t)size) < 0)
		return;
}

int netdev_set_fq(const char *name, const struct netdev_fq *fq, struct error *err)
{
	char buffer[MNL_NLMSG_HDRLEN + 512] = {};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nlattr *options;
	struct tcmsg *tc;
	int ret;

	message->nlmsg_type = RTM_NEWQDISC;
	message->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
	tc = mnl_nlmsg_put_extra_header(message, sizeof(*tc));
	tc->tcm_ifindex = (int)if_nametoindex(name);
	tc->tcm_parent = TC_H_ROOT;
	mnl_attr_put_strz(message, TCA_KIND, "fq");
	options = mnl_attr_nest_start(message, TCA_OPTIONS);
	mnl_attr_put_u32(message, TCA_FQ_PLIMIT, fq->packets);
	mnl_attr_put_u32(message, TCA_FQ_FLOW_PLIMIT, fq->packets);
	mnl_attr_put_u32(message, TCA_FQ_QUANTUM, FQ_QUANTUM_BYTES);
	mnl_attr_put_u32(message, TCA_FQ_INITIAL_QUANTUM, FQ_QUANTUM_BYTES);
	mnl_attr_put_u32(message, TCA_FQ_RATE_ENABLE, 0);
	mnl_attr_put_u32(message, TCA_FQ_ORPHAN_MASK, fq->orphan_mask);
	/* In ns. By default every delay may be 10 µs longer. */
	mnl_attr_put_u32(message, TCA_FQ_TIMER_SLACK, 1);
	/* Before 5.8 there is none (commit 39d010504e6b), and it is ignored. */
	mnl_attr_put_u32(message, TCA_FQ_HORIZON, fq->horizon_us);
	mnl_attr_put_u8(message, TCA_FQ_HORIZON_DROP, 0);
	mnl_attr_nest_end(message, options);
	ret = request(message, NULL, NULL);
	if (ret == -ENOENT)
		return error_set(
			err, -ENOPKG,
			"this kernel has no sch_fq (CONFIG_NET_SCH_FQ), which line: fq needs: use line: tap or auto");
	return ret ? error_set_errno(err, ret, "cannot set fq on %s", name) : 0;
}
