/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "net/tc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "net/netlink.h"
#include "util/array.h"

struct filter_list {
	struct tc_filter *filters;
	size_t count, room;
};

struct qdisc_search {
	unsigned int ifindex;
	int found; /* as tc_has_clsact tells it */
};

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
	struct filter_list *list = data;
	struct tc_filter *grown, filter = {
					 .ifindex = (unsigned int)tc->tcm_ifindex,
					 .parent = tc->tcm_parent,
					 .handle = tc->tcm_handle,
					 .priority = (uint16_t)(tc->tcm_info >> 16),
					 .protocol = ntohs((uint16_t)tc->tcm_info),
				 };

	if (message->nlmsg_type != RTM_NEWTFILTER)
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
	grown = array_reserve(list->filters, list->count, &list->room, 16, sizeof(*grown));
	if (!grown) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	list->filters = grown;
	list->filters[list->count++] = filter;
	return MNL_CB_OK;
}

static void filters_forget(void *data)
{
	struct filter_list *list = data;

	list->count = 0;
}

int tc_each_filter(unsigned int ifindex, uint32_t parent, int (*visit)(const struct tc_filter *filter, void *data),
		   void *data)
{
	const struct tcmsg tc = {.tcm_ifindex = (int)ifindex, .tcm_parent = parent};
	struct filter_list list = {};
	int ret = netlink_dump(RTM_GETTFILTER, &tc, sizeof(tc), filter_reply, filters_forget, &list);

	for (size_t i = 0; !ret && i < list.count; i++)
		ret = visit(&list.filters[i], data);
	free(list.filters);
	return ret;
}

static int qdisc_reply(const struct nlmsghdr *message, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;
	struct qdisc_search *search = data;

	/* Older kernels dump every device's, whatever was asked for. */
	if (message->nlmsg_type != RTM_NEWQDISC || tc->tcm_ifindex != (int)search->ifindex ||
	    tc->tcm_parent != TC_H_CLSACT)
		return MNL_CB_OK;
	mnl_attr_for_each (attr, message, sizeof(*tc))
		if (mnl_attr_get_type(attr) == TCA_KIND)
			search->found = strcmp(mnl_attr_get_str(attr), "clsact") ? -EEXIST : 1;
	return MNL_CB_OK;
}

int tc_has_clsact(unsigned int ifindex)
{
	const struct tcmsg tc = {.tcm_ifindex = (int)ifindex};
	struct qdisc_search search = {.ifindex = ifindex};

	return netlink_dump(RTM_GETQDISC, &tc, sizeof(tc), qdisc_reply, NULL, &search) ?: search.found;
}
