/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of every fault: its control block and its counters. */
#pragma once

#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "eval_abi.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct eval_ctl);
} eval_ctl SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EVAL_DIRECTIONS);
	__type(key, __u32);
	__type(value, struct eval_stats);
} eval_stats SEC(".maps");

static __always_inline const volatile struct eval_ctl *fault_ctl(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&eval_ctl, &zero);
}

static __always_inline bool fault_is_live(__u64 now_ns)
{
	const volatile struct eval_ctl *ctl = fault_ctl();

	return ctl && now_ns < ctl->deadline_ns && now_ns < ctl->lease_ns && !ctl->draining;
}

static __always_inline struct eval_stats *stats_of(__u32 direction)
{
	return bpf_map_lookup_elem(&eval_stats, &direction);
}

static __always_inline void stats_count_hit(struct eval_stats *stats, __u64 now_ns, __u32 bytes)
{
	if (!stats->first_hit_ns)
		stats->first_hit_ns = now_ns;
	stats->hit++;
	stats->bytes += bytes;
}
