/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers the random draws, one sequence per direction: draw n of a seed is eval_random(seed, n). */
#pragma once

#include "common.bpf.h"

/* An atomic add that returns a value needs 5.12 (commit 5ca419f2864a); a spin lock needs only 5.1. */
struct draw_counter {
	struct bpf_spin_lock lock;
	__u64 next;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EVAL_DIRECTIONS);
	__type(key, __u32);
	__type(value, struct draw_counter);
} draws SEC(".maps");

static __always_inline int draw_next(__u32 direction, __u64 *n)
{
	struct draw_counter *counter = bpf_map_lookup_elem(&draws, &direction);

	if (!counter)
		return -1;
	bpf_spin_lock(&counter->lock);
	*n = counter->next++;
	bpf_spin_unlock(&counter->lock);
	return 0;
}
