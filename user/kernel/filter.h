/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hooks of kernels without tcx (before 6.6): direct-action filters on a clsact qdisc. They outlive their process: if it
 * dies, the guard removes them, or the next eval if the guard died as well. Other programs' filters are left alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "eval_abi.h"
#include "kernel/hook.h"
#include "net/tc.h"

/* Per fault: one filter per hook, one that learns flows, and those of its lines. */
#define FAULT_FILTERS_MAX 16

struct filter {
	int netns_fd; /* owned; -1: none attached */
	struct tc_filter at;
	bool clsact_is_ours; /* it is removed with its last filter */
};

/*
 * Attaches in the current network namespace. ctl is the fault's and records whether its device's clsact is ours.
 * -EEXIST: the device has an ingress qdisc, which has no egress hook.
 */
int filter_attach(struct filter *filter, int program_fd, enum hook hook, unsigned int ifindex, enum hook_place place,
		  struct eval_ctl *ctl, const char *device, struct error *err);
/* False if the filter was removed or replaced. */
bool filter_is_attached(const struct filter *filter);
/* As hook_list_before(), for the filter's hook. A filter without a program is named by its priority. */
void filter_list_before(const struct filter *filter, char *names, size_t size);
/* Removes the filter if it is still ours, and the clsact if that is ours and empty. */
void filter_detach(struct filter *filter);

/*
 * Finds the filters of the fault with this control block in the namespace netns_fd, on the fault's device and on delay
 * lines. Fills at most max entries of out[] and returns how many, or a negative errno.
 */
int filters_find(struct tc_filter *out, size_t max, int netns_fd, const struct eval_ctl *ctl, unsigned int map_id);
/* Removes the filters on the fault's device, whoever holds the fault. Returns how many. */
int filters_remove(const struct eval_ctl *ctl, unsigned int map_id);
