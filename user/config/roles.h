/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The roles that `target` accepts besides a node's name; decoding, checks and target selection share this list. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define ROLE_LEADER "leader"
#define ROLE_FOLLOWER "follower"
#define ROLE_RANDOM "random"
#define ROLE_ALL "all"
/* List initialiser, in the order in which messages name the roles. */
#define ROLES ROLE_LEADER, ROLE_FOLLOWER, ROLE_RANDOM, ROLE_ALL

static inline bool role_is_known(const char *target)
{
	static const char *const roles[] = {ROLES};

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (!strcmp(target, roles[i]))
			return true;
	return false;
}

/* True if the target needs the subject's command `roles`, which names the leader. */
static inline bool role_needs_leader(const char *target)
{
	return !strcmp(target, ROLE_LEADER) || !strcmp(target, ROLE_FOLLOWER);
}
