/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The hooks of a device on which a fault's programs run, and their links. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/error.h"

/* UAPI since 6.6 (commit e420bed02507); Debian 12's header has no names for them. */
#define EVAL_BPF_TCX_INGRESS 46
#define EVAL_BPF_TCX_EGRESS 47

enum hook { HOOK_TC_INGRESS, HOOK_TC_EGRESS, HOOK_XDP };
/* Before other owners' programs: these see a delayed packet once, when the line has returned it unchanged. */
enum hook_place {
	HOOK_FIRST,
	HOOK_BEHIND_DROPS, /* first, except after our programs that drop */
};

/* True if this kernel has no tcx, found by a query. */
bool hook_needs_filters(void);
/* Attaches by a tcx or XDP link, which ends with its descriptor. Returns the descriptor or a negative errno. */
int hook_link(int program_fd, enum hook hook, unsigned int ifindex, enum hook_place place);
/*
 * Appends the names of other owners' programs that run before the link's on its tcx hook, in the current network
 * namespace: "NAME, NAME". Nothing for XDP, which runs one program.
 */
void hook_list_before(int link_fd, char *names, size_t size);
/* Describes a failed attach for the operator; returns code. */
int hook_error(int code, enum hook hook, const char *device, struct error *err);
