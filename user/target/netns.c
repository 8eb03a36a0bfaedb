/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Entering the target's network namespace. */
#include "net/netns.h"
#include "target/target.h"

int target_enter_netns(const struct target *target, int *saved, struct error *err)
{
	int ret = netns_enter(target->netns_fd, saved);

	return ret ? error_set_errno(err, ret, "cannot enter the network namespace of '%s'",
				     *target->node ? target->node : "the target")
		   : 0;
}

void target_leave_netns(int *saved)
{
	netns_leave(saved);
}
