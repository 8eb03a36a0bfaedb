/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether this process goes before others. */
#pragma once

/*
 * What holds a live fault, or has to end others', must get the processor at once, also on a host that its chaos keeps
 * busy: until sched_take_turns() this process, but none of its children and threads, goes before all that is not
 * real time. Not if whoever started it made it nicer, nor where that is forbidden. For what is soon done: what takes
 * long, such as loading programs, would keep the target from running.
 */
void sched_go_first(void);
void sched_take_turns(void);
