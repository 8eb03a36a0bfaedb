/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netlink.h"

struct walk {
	int (*visit)(const struct tc_filter *filter, void *data);
	void *data;
	unsigned int ifindex;
	int ret; /* of visit, or what a qdisc says */
};

static int tc_dump(uint16_t type, unsigned int ifindex, uint32_t parent, mnl_cb_t handle, struct walk *walk)
{
	const struct tcmsg tc = {.tcm_ifindex = (int)ifindex, .tcm_parent = parent};

	return netlink_dump(type, &tc, sizeof(tc), handle, NULL, walk) ?: walk->ret;
}

static uint32_t program_id_of(const struct nlattr *options)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr,
				 options) if (mnl_attr_get_type(attr) == TCA_BPF_ID) return mnl_attr_get_u32(attr);
	return 0;
}

static int filter_reply(const struct nlmsghdr *message, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr, *options = NULL;
	struct walk *walk = data;
	struct tc_filter filter = {
		.ifindex = (unsigned int)tc->tcm_ifindex,
		.parent = tc->tcm_parent,
		.handle = tc->tcm_handle,
		.priority = (uint16_t)(tc->tcm_info >> 16),
		.protocol = ntohs((uint16_t)tc->tcm_info),
	};

	/* What is left of the dump is read all the same. */
	if (message->nlmsg_type != RTM_NEWTFILTER || walk->ret)
		return MNL_CB_OK;
	mnl_attr_for_each (attr, message, sizeof(*tc)) {
		if (mnl_attr_get_type(attr) == TCA_KIND)
			filter.is_bpf = !strcmp(mnl_attr_get_str(attr), "bpf");
		else if (mnl_attr_get_type(attr) == TCA_CHAIN)
			filter.chain = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == TCA_OPTIONS)
			options = attr;
	}
	if (filter.is_bpf && options)
		filter.program_id = program_id_of(options);
	walk->ret = walk->visit(&filter, walk->data);
	return MNL_CB_OK;
}

int tc_each_filter(unsigned int ifindex, uint32_t parent, int (*visit)(const struct tc_filter *filter, void *data),
		   void *data)
{
	struct walk walk = {.visit = visit, .data = data, .ifindex = ifindex};

	return tc_dump(RTM_GETTFILTER, ifindex, parent, filter_reply, &walk);
}

static int qdisc_reply(const struct nlmsghdr *message, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;
	struct walk *walk = data;

	/* Older kernels dump every device's, whatever was asked for. */
	if (message->nlmsg_type != RTM_NEWQDISC || tc->tcm_ifindex != (int)walk->ifindex ||
	    tc->tcm_parent != TC_H_CLSACT)
		return MNL_CB_OK;
	mnl_attr_for_each (attr, message, sizeof(*tc))
		if (mnl_attr_get_type(attr) == TCA_KIND)
			walk->ret = strcmp(mnl_attr_get_str(attr), "clsact") ? -EEXIST : 1;
	return MNL_CB_OK;
}

int tc_has_clsact(unsigned int ifindex)
{
	struct walk walk = {.ifindex = ifindex};

	return tc_dump(RTM_GETQDISC, ifindex, 0, qdisc_reply, &walk);
}
