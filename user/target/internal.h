/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the files of a target share; of this room alone. */
#pragma once

#include "target/target.h"

/* Once each. Zero what is not used. -ENOMEM. */
int target_protect_add(struct target *target, const struct protect_port *port);
/* Adds PROTECT_DEFAULT, unless ssh is allowed, and texts ("tcp/2379"; NULL or ends with NULL). */
int target_protect_parse(struct target *target, const char *const *texts, bool allow_ssh, struct error *err);
/* Adds the local addresses and ports of every sshd socket in the current network namespace to target->protect. */
int target_protect_sshd(struct target *target, struct error *err);
/* -EBUSY: another live fault has the same target. The claim ends with target->claim. */
int target_claim(struct target *target, const struct target_spec *spec, struct error *err);
/* -EPERM where a peer is a default gateway of the current network namespace. */
int target_refuse_gateway(const struct target *target, struct error *err);

/* Opens and checks the data directories. */
int target_open_directories(struct target *target, const char *const *paths, struct error *err);
void target_close_directories(struct target *target);
