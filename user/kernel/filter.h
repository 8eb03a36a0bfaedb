/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hooks of kernels without tcx (before 6.6): direct-action filters on a clsact qdisc. They outlive their process, so
 * the guard removes them when it dies, and the next eval where the guard died as well. What is not ours stays.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "eval_abi.h"
#include "kernel/hook.h"
#include "net/tc.h"

/* Of a fault: one a hook, one that learns, and the lines'. */
#define FAULT_FILTERS_MAX 16

struct filter {
	int netns_fd; /* owned; -1: none attached */
	struct tc_filter at;
	bool clsact_is_ours; /* it goes with the last filter */
};

/* In the current network namespace. ctl: the fault's, which keeps whether its device's clsact is ours. */
int filter_attach(struct filter *filter, int program_fd, enum hook hook, unsigned int ifindex, enum hook_place place,
		  struct eval_ctl *ctl, const char *device, struct error *err);
/* False where it is gone or somebody replaced it. */
bool filter_is_attached(const struct filter *filter);
/* Removes the filter if it is still ours, and a clsact of ours that holds nothing any more. */
void filter_detach(struct filter *filter);

/*
 * The filters of the fault that has this control block, on its device and on delay lines; netns_fd is its namespace.
 * Fills out[] up to max and returns how many there are in it, or a negative errno.
 */
int filters_find(struct tc_filter *out, size_t max, int netns_fd, const struct eval_ctl *ctl, unsigned int map_id);
/* Removes those of the fault's device, whoever holds it. Returns how many. */
int filters_remove(const struct eval_ctl *ctl, unsigned int map_id);
