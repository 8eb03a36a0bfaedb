/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "net/tc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "net/netlink.h"
#include "util/array.h"

/* The largest quantum that every kernel takes; fairness between flows is of no use here. */
#define FQ_QUANTUM_BYTES (1U << 20)
#define FQ_REQUEST_SIZE (MNL_NLMSG_HDRLEN + 512)

struct filter_list {
	struct tc_filter *filters;
	size_t count, room;
};

struct qdisc_search {
	unsigned int ifindex;
	int found; /* result of tc_has_clsact() */
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

	/* Older kernels dump the qdiscs of every device. */
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

static struct nlmsghdr *fq_request(void *buffer, unsigned int ifindex)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct tcmsg *tc;

	message->nlmsg_type = RTM_NEWQDISC;
	message->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
	tc = mnl_nlmsg_put_extra_header(message, sizeof(*tc));
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = TC_H_ROOT;
	mnl_attr_put_strz(message, TCA_KIND, "fq");
	return message;
}

int tc_try_fq(unsigned int ifindex)
{
	char buffer[FQ_REQUEST_SIZE] = {};

	return netlink_request(fq_request(buffer, ifindex), NULL, NULL);
}

int tc_set_fq(const char *name, const struct tc_fq *fq, struct error *err)
{
	char buffer[FQ_REQUEST_SIZE] = {};
	struct nlmsghdr *message = fq_request(buffer, if_nametoindex(name));
	struct nlattr *options;
	int ret;

	options = mnl_attr_nest_start(message, TCA_OPTIONS);
	mnl_attr_put_u32(message, TCA_FQ_PLIMIT, fq->packets);
	mnl_attr_put_u32(message, TCA_FQ_FLOW_PLIMIT, fq->packets);
	mnl_attr_put_u32(message, TCA_FQ_QUANTUM, FQ_QUANTUM_BYTES);
	mnl_attr_put_u32(message, TCA_FQ_INITIAL_QUANTUM, FQ_QUANTUM_BYTES);
	mnl_attr_put_u32(message, TCA_FQ_RATE_ENABLE, 0);
	mnl_attr_put_u32(message, TCA_FQ_ORPHAN_MASK, fq->orphan_mask);
	/* In ns; the default makes every delay up to 10 µs longer. */
	mnl_attr_put_u32(message, TCA_FQ_TIMER_SLACK, 1);
	/* Kernels before 5.8 have no horizon (commit 39d010504e6b) and ignore it. */
	mnl_attr_put_u32(message, TCA_FQ_HORIZON, fq->horizon_us);
	mnl_attr_put_u8(message, TCA_FQ_HORIZON_DROP, 0);
	mnl_attr_nest_end(message, options);
	ret = netlink_request(message, NULL, NULL);
	if (ret == -ENOENT)
		return error_set(
			err, -ENOPKG,
			"this kernel has no sch_fq (CONFIG_NET_SCH_FQ), which line: fq needs: use line: tap or auto");
	return ret ? error_set_errno(err, ret, "cannot set fq on %s", name) : 0;
}
