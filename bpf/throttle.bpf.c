/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Maps only, no programs: the control block and the counters of a fault that limits a cgroup's disks. */
#include "common.bpf.h"
#include "eval_throttle.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct eval_throttle);
} eval_throttle SEC(".maps");
