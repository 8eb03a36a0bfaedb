/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Chooses the target among a subject's nodes: by name, by role, by a draw, or all. */
#pragma once

#include <stdint.h>

#include "config/config.h"

struct choice {
	const struct subject *subject;
	unsigned int instance;
	const char *target; /* a node's name, leader, follower, random, all */
	const char *leader; /* the node that `roles` named; "" if none */
	uint64_t seed;      /* the trial's; the same seed draws the same node */
};

/*
 * Sets *out to the node, or to NULL for all. Draws only among nodes on this host: -EHOSTUNREACH if there are none.
 * -ENOENT: the subject has no such node, or `roles` names none. -EINVAL: the target needs `roles`, which is not set.
 */
int choose_node(const struct choice *choice, const struct node **out, struct error *err);
/* "leader" or "follower"; NULL if the leader is unknown or is not a node of the subject. */
const char *choose_role(const struct choice *choice, const char *node);
