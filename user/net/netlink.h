/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Requests to rtnetlink, and dumps of netfilter, in the calling thread's network namespace. */
#pragma once

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Dumps every object of a kind: type is RTM_GET…, header what its messages begin with (struct ifinfomsg, rtmsg, tcmsg);
 * or a netfilter type, NFNL_SUBSYS_… << 8 | …, and struct nfgenmsg. Calls visit with each answer; visit ends the dump
 * by errno and MNL_CB_ERROR. If objects changed during the dump (NLM_F_DUMP_INTR), some may be missing: repeats the
 * dump for up to a second, after forget (may be NULL) has discarded the answers. Returns 0 or a negative errno; -EINTR
 * if the objects kept changing.
 */
int netlink_dump(uint16_t type, const void *header, size_t header_size, mnl_cb_t visit, void (*forget)(void *data),
		 void *data);
/* Calls visit with each next hop of an RTA_MULTIPATH; a result other than 0 ends the loop and is returned. */
int netlink_each_hop(const struct nlattr *multipath, int (*visit)(const struct rtnexthop *hop, void *data), void *data);
/* Sends one request and waits for the answer, which reply gets; an acknowledgement if reply is NULL. */
int netlink_request(struct nlmsghdr *message, mnl_cb_t reply, void *data);
