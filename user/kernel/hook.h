/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The places in the kernel where a fault's programs run on a device. */
#pragma once

#include <stdbool.h>

#include "util/error.h"

/* UAPI since 6.6 (commit e420bed02507); Debian 12's header has no names for them. */
#define EVAL_BPF_TCX_INGRESS 46
#define EVAL_BPF_TCX_EGRESS 47

enum hook { HOOK_TC_INGRESS, HOOK_TC_EGRESS, HOOK_XDP };
/* Before others' programs: these see a packet that comes back from a delay line, and as it was, once. */
enum hook_place {
	HOOK_FIRST,
	HOOK_BEHIND_DROPS, /* first, but for programs of ours that drop */
};

/* True where this kernel has no tcx, found out by asking it. */
bool hook_needs_filters(void);
/* A tcx or XDP link, which closes with its descriptor. Returns the descriptor or a negative errno. */
int hook_link(int program_fd, enum hook hook, unsigned int ifindex, enum hook_place place);
/* What went wrong, for the operator; returns code. */
int hook_error(int code, enum hook hook, const char *device, struct error *err);
