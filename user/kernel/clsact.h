/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The clsact qdiscs that eval makes on kernels without tcx, in the current network namespace. A note below /run/eval
 * tells that one is ours, also while it has no filter yet or no more: its holder and guard may be killed just then.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Keeps other evals from adding a filter between our check that a clsact is empty and its removal. Returns a descriptor
 * that holds the lock; -1 if it is not free within a second. Callers then proceed: a stopped holder must not delay an
 * emergency stop.
 */
int clsact_lock(void);
/*
 * parent is the hook that is needed, see net/tc.h; noted: the device is not a delay line's. 1 if it made the clsact, 0
 * if a suitable qdisc was there, -EEXIST if an ingress qdisc is in the way, or another negative errno.
 */
int clsact_make(unsigned int ifindex, uint32_t parent, bool noted);
/* Removes the clsact if neither of its hooks has a filter. */
void clsact_remove(unsigned int ifindex);
/* Removes what is noted and has no filter, in all namespaces. Returns how many; 0 if the lock is not free. */
int clsact_sweep(void);
