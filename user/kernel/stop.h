/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ending faults from outside, whoever holds them. */
#pragma once

#include <stdio.h>

#include "util/error.h"

/*
 * Emergency stop. First every fault of ours on this host, of whatever version, is made inert; then they are told of in
 * report, a line each; then the hooks of their devices are detached (those of another version's its holder detaches).
 * Holders that are stopped (SIGSTOP) go on. What a delay line holds is still delivered. Returns how many it stopped.
 */
int live_stop_all(FILE *report, struct error *err);
/*
 * Removes what filters dead holders left, and makes them inert first; for kernels without tcx, elsewhere they went with
 * their holder. Returns how many faults it swept, or a negative errno.
 */
int live_sweep_dead(struct error *err);
