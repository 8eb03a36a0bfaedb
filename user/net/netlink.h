/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What several readers of rtnetlink share, in the calling thread's network namespace. */
#pragma once

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Asks for all there is of a kind: type is RTM_GET…, header what its messages begin with (struct ifinfomsg, rtmsg,
 * tcmsg). Calls visit with each answer; one that sets errno and returns MNL_CB_ERROR ends it. Where something changed
 * meanwhile (NLM_F_DUMP_INTR), so that some may be missing, it asks again for a second, forget (NULL: nothing is to be)
 * before each. Returns 0 or a negative errno; -EINTR: it went on changing.
 */
int netlink_dump(uint16_t type, const void *header, size_t header_size, mnl_cb_t visit, void (*forget)(void *data),
		 void *data);
/* Calls visit with each next hop of an RTA_MULTIPATH, until it returns other than 0, which is returned. */
int netlink_each_hop(const struct nlattr *multipath, int (*visit)(const struct rtnexthop *hop, void *data), void *data);
/* Sends one request and waits for the kernel's answer: what reply takes, else (NULL) an acknowledgement. */
int netlink_request(struct nlmsghdr *message, mnl_cb_t reply, void *data);
