/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Network devices, routes and addresses of the calling thread's network namespace. Netlink and ioctl only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/target.h"

/* How the delay lines' devices are named. */
#define LINE_DEVICE_PREFIX "evline"

/* In every network namespace: the kernel insists on it (loopback_net_init). */
#define NETDEV_LOOPBACK_IFINDEX 1

/* -ENODEV with the devices there are, where there is none of this name. */
int netdev_find(struct target_device *out, const char *name, struct error *err);
int netdev_find_index(struct target_device *out, unsigned int ifindex, struct error *err);
/* Every device that is up, has no master (bond, bridge), is not loopback nor a delay line; *out is malloc'ed. */
int netdev_list_up(struct target_device **out, size_t *count, struct error *err);
/*
 * Calls visit with each device that the routing table sends packets for address to (several with multipath).
 * -ENETUNREACH where there is no route, -ENODEV where its device is gone by now. An own address leads to loopback,
 * NETDEV_LOOPBACK_IFINDEX.
 */
int netdev_route(const struct endpoint *to, int (*visit)(unsigned int ifindex, void *data), void *data,
		 struct error *err);
bool netdev_owns_address(const struct endpoint *address);
/* Brings a device up with this transmit queue length; speaks no IPv6 on it. */
int netdev_set_up(const char *name, unsigned int queue_length, struct error *err);
/* How many packets more than *known the device could not take (tx_dropped); *known follows. 0 where it is gone. */
uint64_t netdev_tx_dropped(const char *name, uint64_t *known);

/* A veth pair: name here, and peer in the namespace of peer_netns_fd. -EEXIST: one of the names is taken. */
int netdev_add_veth(const char *name, const char *peer, int peer_netns_fd);
/* Takes a veth's peer along. */
int netdev_delete(const char *name);

/*
 * All that the device receives goes through the queue of one CPU (RPS), so that it stays in order; a veth has a queue
 * per CPU else, and what is sent from several overtakes. Where it cannot be had, nothing changes.
 */
void netdev_receive_in_order(const char *name);

/* fq so that only skb->tstamp decides when a packet leaves. */
struct netdev_fq {
	uint32_t packets;     /* of the qdisc, and of each of its flows */
	uint32_t horizon_us;  /* what would leave later leaves then */
	uint32_t orphan_mask; /* of skb->hash: which packets are one flow and keep their order */
};

/* The device's root qdisc. -ENOPKG: this kernel has no sch_fq. */
int netdev_set_fq(const char *name, const struct netdev_fq *fq, struct error *err);
