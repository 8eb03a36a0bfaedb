/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Network devices of the calling thread's network namespace. Netlink and ioctl only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

/* How the delay lines' devices are named. */
#define LINE_DEVICE_PREFIX "evline"

/* In every network namespace: the kernel insists on it (loopback_net_init). */
#define DEVICE_LOOPBACK_IFINDEX 1

struct net_device {
	char name[16];
	unsigned int ifindex;
	bool ethernet; /* has an Ethernet header */
};

/* -ENODEV with the devices there are, where there is none of this name. */
int device_find(struct net_device *out, const char *name, struct error *err);
int device_find_index(struct net_device *out, unsigned int ifindex, struct error *err);
/* Every device that is up, has no master (bond, bridge), is not loopback nor a delay line; *out is malloc'ed. */
int device_list_up(struct net_device **out, size_t *count, struct error *err);
/* Brings a device up with this transmit queue length; speaks no IPv6 on it. */
int device_set_up(const char *name, unsigned int queue_length, struct error *err);
/* How many packets more than *known the device could not take (tx_dropped); *known follows. 0 where it is gone. */
uint64_t device_tx_dropped(const char *name, uint64_t *known);

/* A veth pair: name here, and peer in the namespace of peer_netns_fd. -EEXIST: one of the names is taken. */
int device_add_veth(const char *name, const char *peer, int peer_netns_fd);
/* Takes a veth's peer along. */
int device_delete(const char *name);

/*
 * All that the device receives goes through the queue of one CPU (RPS), so that it stays in order; a veth has a queue
 * per CPU else, and what is sent from several overtakes. Where it cannot be had, nothing changes.
 */
void device_receive_in_order(const char *name);
