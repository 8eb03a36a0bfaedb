/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which of a subject's nodes is meant: by its name, by its role, drawn, or all. */
#pragma once

#include <stdint.h>

#include "config/config.h"

struct choice {
	const struct subject *subject;
	unsigned int instance;
	const char *target; /* a node's name, leader, follower, random, all */
	const char *leader; /* the node that `roles` named, "": none */
	uint64_t seed;      /* of the trial: the same seed draws the same node */
};

/*
 * One node, or all (*out NULL). Only nodes of this host are drawn: -EHOSTUNREACH where there is none. -ENOENT: there is
 * no such node, or `roles` names none.
 */
int choose_node(const struct choice *choice, const struct node **out, struct error *err);
/* "leader" or "follower"; NULL: `roles` names no node of the subject. */
const char *choose_role(const struct choice *choice, const char *node);
