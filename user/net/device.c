/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "net/device.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
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
#include "util/text.h"

/* The largest MTU of veth: a delay line must carry every packet of its device. */
#define VETH_MTU 65535
/* The kernel's MAX_NEST_DEV. */
#define STACK_DEPTH_MAX 8

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

	out[0] = '\0';
	for (struct if_nameindex *i = all; i && i->if_index; i++)
		text_append(out, size, "%s%s", *out ? ", " : "", i->if_name);
	if_freenameindex(all);
}

int device_find(struct net_device *out, const char *name, struct error *err)
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
	out->optional = false;
	out->ethernet = ifr.ifr_hwaddr.sa_family == ARPHRD_ETHER || ifr.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
	return 0;
}

int device_find_index(struct net_device *out, unsigned int ifindex, struct error *err)
{
	char name[IF_NAMESIZE];

	if (!if_indextoname(ifindex, name))
		return errno == ENXIO ? error_set(err, -ENODEV, "device %u is gone", ifindex)
				      : error_set_errno(err, -errno, "cannot look at device %u", ifindex);
	return device_find(out, name, err);
}

static int device_flags(const char *name)
{
	struct ifreq ifr;

	name_set(&ifr, name);
	return device_ioctl(SIOCGIFFLAGS, &ifr) ? 0 : (unsigned short)ifr.ifr_flags;
}

struct device_list {
	struct net_device *devices;
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
	/* Skips slaves and bridge ports, whose packets also pass their master, and the delay lines of other faults. */
	return (info->ifi_flags & IFF_UP) && !(info->ifi_flags & IFF_LOOPBACK) && !has_master &&
	       strncmp(*name, LINE_DEVICE_PREFIX, strlen(LINE_DEVICE_PREFIX));
}

static int list_add(const struct nlmsghdr *message, void *data)
{
	struct device_list *list = data;
	struct net_device *grown;
	const char *name;

	if (message->nlmsg_type != RTM_NEWLINK || !is_wanted(message, &name))
		return MNL_CB_OK;
	grown = array_reserve(list->devices, list->count, &list->room, 16, sizeof(*grown));
	if (!grown) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	list->devices = grown;
	/* It may have been removed since the dump. */
	if (!device_find(&list->devices[list->count], name, NULL))
		list->devices[list->count++].optional = true;
	return MNL_CB_OK;
}

static void list_forget(void *data)
{
	struct device_list *list = data;

	list->count = 0;
}

int device_list_up(struct net_device **out, size_t *count, struct error *err)
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

struct device_ties {
	unsigned int link, master; /* 0: none here */
};

static int ties_reply(const struct nlmsghdr *message, void *data)
{
	struct device_ties *ties = data;
	const struct nlattr *attr;
	bool elsewhere = false;

	mnl_attr_for_each (attr, message, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(attr) == IFLA_LINK)
			ties->link = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == IFLA_MASTER)
			ties->master = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == IFLA_LINK_NETNSID)
			elsewhere = true;
	}
	if (elsewhere)
		ties->link = 0;
	return MNL_CB_STOP;
}

static struct device_ties device_ties(unsigned int ifindex)
{
	char buffer[MNL_NLMSG_HDRLEN + 256] = {};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct device_ties ties = {};
	struct ifinfomsg *info;

	message->nlmsg_type = RTM_GETLINK;
	info = mnl_nlmsg_put_extra_header(message, sizeof(*info));
	info->ifi_index = (int)ifindex;
	netlink_request(message, ties_reply, &ties);
	return ties;
}

unsigned int device_master(unsigned int ifindex)
{
	return device_ties(ifindex).master;
}

static bool leads_to(unsigned int from, unsigned int to)
{
	for (unsigned int depth = 0; from && depth < STACK_DEPTH_MAX; depth++) {
		struct device_ties ties = device_ties(from);

		if (ties.master == to || ties.link == to)
			return true;
		from = ties.link == from ? 0 : ties.link;
	}
	return false;
}

bool device_shares_packets(unsigned int one, unsigned int other)
{
	return leads_to(one, other) || leads_to(other, one);
}

int device_set_up(const char *name, unsigned int queue_length, struct error *err)
{
	_cleanup_close_ int ipv6 = -1;
	char path[96];
	struct ifreq ifr;
	int ret;

	/* Otherwise our device gets an IPv6 address that other programs see. A kernel without IPv6 has no such file. */
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

static int tx_dropped_reply(const struct nlmsghdr *message, void *data)
{
	size_t from = offsetof(struct rtnl_link_stats64, tx_dropped);
	const struct nlattr *attr;

	/* Its length depends on the kernel. It is only aligned to 4 bytes. */
	mnl_attr_for_each (attr, message, sizeof(struct ifinfomsg))
		if (mnl_attr_get_type(attr) == IFLA_STATS64 &&
		    mnl_attr_get_payload_len(attr) >= from + sizeof(uint64_t))
			memcpy(data, (const char *)mnl_attr_get_payload(attr) + from, sizeof(uint64_t));
	return MNL_CB_STOP;
}

uint64_t device_tx_dropped(const char *name, uint64_t *known)
{
	char buffer[MNL_NLMSG_HDRLEN + 256] = {};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	uint64_t before = *known;

	message->nlmsg_type = RTM_GETLINK;
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	return netlink_request(message, tx_dropped_reply, known) ? 0 : *known - before;
}

int device_add_veth(const char *name, const char *peer, int peer_netns_fd)
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
	return netlink_request(message, NULL, NULL);
}

int device_delete(const char *name)
{
	char buffer[MNL_NLMSG_HDRLEN + 256] = {};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = RTM_DELLINK;
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	return netlink_request(message, NULL, NULL);
}

/* Opens the current network namespace's sysfs, unmounted; /sys may be another's. */
static int sysfs_open(void)
{
	_cleanup_close_ int fd = fsopen("sysfs", FSOPEN_CLOEXEC);

	if (fd < 0 || fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -1;
	return fsmount(fd, FSMOUNT_CLOEXEC, 0);
}

void device_receive_in_order(const char *name)
{
	_cleanup_close_ int sysfs = sysfs_open(), fd = -1;
	int cpu = sched_getcpu(), size;
	char text[512];

	if (sysfs < 0 || cpu < 0)
		return;
	snprintf(text, sizeof(text), "class/net/%s/queues/rx-0/rps_cpus", name);
	fd = openat(sysfs, text, O_WRONLY | O_CLOEXEC);
	/* The mask: groups of 32 CPUs, the last group first. */
	size = snprintf(text, sizeof(text), "%x", 1U << cpu % 32);
	for (int group = cpu / 32; group && size < (int)sizeof(text); group--)
		size += snprintf(text + size, sizeof(text) - (size_t)size, ",0");
	if (fd >= 0 && write(fd, text, (size_t)size) < 0)
		return;
}
