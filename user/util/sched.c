/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/sched.h"

#include <sched.h>
#include <sys/resource.h>

void sched_go_first(void)
{
	const struct sched_param lowest = {.sched_priority = 1};

	/* Not by a nice value: it counts only within a session if the kernel has autogroups (sched(7)). */
	if (getpriority(PRIO_PROCESS, 0) <= 0)
		sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &lowest);
}

void sched_take_turns(void)
{
	const struct sched_param none = {};

	if (sched_getscheduler(0) == (SCHED_RR | SCHED_RESET_ON_FORK))
		sched_setscheduler(0, SCHED_OTHER, &none);
}
