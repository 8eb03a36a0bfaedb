/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The words that `target` takes beside a node's name: one list for what reads, checks and chooses. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define ROLE_LEADER "leader"
#define ROLE_FOLLOWER "follower"
#define ROLE_RANDOM "random"
#define ROLE_ALL "all"
/* The items of a list, in the order in which messages name them. */
#define ROLES ROLE_LEADER, ROLE_FOLLOWER, ROLE_RANDOM, ROLE_ALL

static inline bool role_is_known(const char *target)
{
	static const char *const roles[] = {ROLES};

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (!strcmp(target, roles[i]))
			return true;
	return false;
}

/* True where the subject's command `roles` must say which node leads. */
static inline bool role_needs_leader(const char *target)
{
	return !strcmp(target, ROLE_LEADER) || !strcmp(target, ROLE_FOLLOWER);
}
