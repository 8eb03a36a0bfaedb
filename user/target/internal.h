/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Functions that the files of target/ share. */
#pragma once

#include "target/target.h"

/* target/lookup.c */
typedef int (*lookup_visit)(size_t name, const struct endpoint *address, void *data);
/*
 * Calls visit with each address of each host name, in the order of names, as seen from the namespace netns_fd (-1: the
 * caller's) with the files of /etc that belong to netns (NULL: the caller's). Returns 0, what visit returned,
 * -EADDRNOTAVAIL if a name has no address, -ETIMEDOUT after 10 s in all, -ECANCELED after a signal that ends this
 * process.
 */
int target_look_up(int netns_fd, const char *netns, const char *const *names, size_t count, lookup_visit visit,
		   void *data, struct error *err);

/* target/address.c */
typedef int (*address_parse)(struct endpoint *out, const char *text, struct error *err);
/*
 * Parses texts (NULL, or ends with NULL); host names are looked up as by target_look_up, and their addresses added to
 * names.
 */
int target_read_addresses(struct endpoint **out, size_t *count, const char *const *texts, address_parse parse,
			  int netns_fd, const char *netns, json_t *names, struct error *err);
/* Replaces each network among the target's own addresses by those in it that the current network namespace has. */
int target_expand_networks(struct target *target, struct error *err);

/* Adds port once; unused fields must be zero. 0 or -ENOMEM. */
int target_protect_add(struct target *target, const struct protect_port *port);
/* Adds PROTECT_DEFAULT, unless ssh is allowed, and texts ("tcp/2379"; NULL or ends with NULL). */
int target_protect_parse(struct target *target, const char *const *texts, bool allow_ssh, struct error *err);
/* Adds the local addresses and ports of every sshd socket in the current network namespace to target->protect. */
int target_protect_sshd(struct target *target, struct error *err);
/* Holds target->claim. -EBUSY if another live fault has any part of the target. */
int target_claim(struct target *target, const struct target_spec *spec, struct error *err);
/*
 * Finds the named device; without a name, each that leads to a peer or owns an address of the target, or, with
 * peers_all, each that is up.
 */
int target_find_devices(struct target *target, const char *interface, struct error *err);
/* -EPERM if a peer is a default gateway of the current network namespace. */
int target_refuse_gateway(const struct target *target, struct error *err);

/* Opens and checks the data directories. */
int target_open_directories(struct target *target, const char *const *paths, struct error *err);
void target_close_directories(struct target *target);
