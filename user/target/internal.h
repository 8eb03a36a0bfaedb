/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Functions that the files of target/ share. */
#pragma once

#include "target/target.h"

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
