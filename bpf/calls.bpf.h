/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The map of a fault on file calls, in addition to those of common.bpf.h: its counters. */
#pragma once

#include "common.bpf.h"
#include "eval_calls.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct eval_calls);
} eval_calls SEC(".maps");

static __always_inline struct eval_calls *calls_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&eval_calls, &zero);
}
