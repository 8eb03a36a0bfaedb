/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Priority of this process over others. */
#pragma once

/*
 * A process that holds a live fault, or ends the faults of others, needs the CPU at once, even on a host that its chaos
 * keeps busy: until sched_take_turns() it runs before every process that is not real time. Children and threads do not
 * inherit this. Does nothing if the nice value is above 0 or the kernel forbids it. Only for short work: long work,
 * such as loading programs, would keep the target from running.
 */
void sched_go_first(void);
void sched_take_turns(void);
