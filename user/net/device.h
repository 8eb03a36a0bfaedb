/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Network devices of the calling thread's network namespace. Netlink and ioctl only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

/* Name prefix of the delay lines' devices. */
#define LINE_DEVICE_PREFIX "evline"

/* The same in every network namespace: the kernel enforces it (loopback_net_init). */
#define DEVICE_LOOPBACK_IFINDEX 1

struct net_device {
	char name[16];
	unsigned int ifindex;
	bool ethernet; /* has an Ethernet header */
	bool optional; /* not named, and not known to lead to a peer: a fault that cannot act on it leaves it out */
};

/* The VRF, bridge or bond that the device is part of; 0: none. */
unsigned int device_master(unsigned int ifindex);
/*
 * True if the packets of one also pass the other, in this network namespace: a VLAN, macvlan or ipvlan and the device
 * below it, a bridge or bond and its ports.
 */
bool device_shares_packets(unsigned int one, unsigned int other);
/* -ENODEV if it does not exist; device_find() then lists the existing devices in err. */
int device_find(struct net_device *out, const char *name, struct error *err);
int device_find_index(struct net_device *out, unsigned int ifindex, struct error *err);
/* Every device that is up, has no master (bond, bridge), and is not loopback nor a delay line; *out is malloc'ed. */
int device_list_up(struct net_device **out, size_t *count, struct error *err);
/* Brings a device up with this transmit queue length and without IPv6. */
int device_set_up(const char *name, unsigned int queue_length, struct error *err);
/* Returns how many packets the device dropped (tx_dropped) beyond *known, which is updated; 0 on failure. */
uint64_t device_tx_dropped(const char *name, uint64_t *known);

/* Creates a veth pair: name here, peer in the namespace of peer_netns_fd. -EEXIST if either name is taken. */
int device_add_veth(const char *name, const char *peer, int peer_netns_fd);
/* A veth's peer is deleted as well. */
int device_delete(const char *name);

/*
 * Sends everything that the device receives through the queue of one CPU (RPS), which keeps the order: a veth has a
 * queue per CPU otherwise, and packets sent from several CPUs overtake each other. Does nothing on failure.
 */
void device_receive_in_order(const char *name);
