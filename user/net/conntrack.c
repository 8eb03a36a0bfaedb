/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "net/conntrack.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <sys/socket.h>

#include "net/netlink.h"

struct flow_visit {
	void (*visit)(const struct conntrack_flow *flow, void *data);
	void *data;
};

static void read_addresses(const struct nlattr *ip, struct endpoint *source, struct endpoint *destination)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, ip)
	{
		uint16_t type = mnl_attr_get_type(attr);
		bool is_source = type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC;

		if (is_source || type == CTA_IP_V4_DST || type == CTA_IP_V6_DST)
			endpoint_from_bytes(is_source ? source : destination, mnl_attr_get_payload(attr),
					    mnl_attr_get_payload_len(attr));
	}
}

static void read_tuple(const struct nlattr *tuple, struct endpoint *source, struct endpoint *destination)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, tuple) if (mnl_attr_get_type(attr) == CTA_TUPLE_IP)
		read_addresses(attr, source, destination);
}

static int visit_flow(const struct nlmsghdr *message, void *data)
{
	const struct flow_visit *visit = data;
	struct conntrack_flow flow = {};
	const struct nlattr *attr;

	mnl_attr_for_each (attr, message, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) == CTA_TUPLE_ORIG)
			read_tuple(attr, &flow.source, &flow.destination);
		else if (mnl_attr_get_type(attr) == CTA_TUPLE_REPLY)
			read_tuple(attr, &flow.reply_source, &flow.reply_destination);
	}
	if (memcmp(flow.source.address, flow.reply_destination.address, sizeof(flow.source.address)) != 0 ||
	    memcmp(flow.destination.address, flow.reply_source.address, sizeof(flow.source.address)) != 0)
		visit->visit(&flow, visit->data);
	return MNL_CB_OK;
}

int conntrack_visit_translated(void (*visit)(const struct conntrack_flow *flow, void *data), void *data)
{
	const struct nfgenmsg all = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0};
	struct flow_visit flows = {.visit = visit, .data = data};

	return netlink_dump(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, &all, sizeof(all), visit_flow, NULL,
			    &flows);
}
