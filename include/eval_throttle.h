/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the process that limits a cgroup's disks shares with the fault's holder and bpf-status. */
#pragma once

#include "eval_abi.h"

/* In the order of io.max and io.stat: what is read, what is written; bytes first, then operations. */
enum eval_throttle_limit {
	EVAL_THROTTLE_READ_BPS,
	EVAL_THROTTLE_WRITE_BPS,
	EVAL_THROTTLE_READ_IOPS,
	EVAL_THROTTLE_WRITE_IOPS,
	EVAL_THROTTLE_LIMITS
};

#define EVAL_THROTTLE_NO_LIMIT (~0ULL) /* "max" */
#define EVAL_THROTTLE_DISKS 8

enum eval_throttle_state {
	EVAL_THROTTLE_IDLE,
	EVAL_THROTTLE_LIMITED,  /* since before the limit is written */
	EVAL_THROTTLE_RESTORED, /* or its cgroup or disk is gone */
	EVAL_THROTTLE_CHANGED,  /* by somebody else, whose limits stay */
};

struct eval_throttle_disk {
	__u32 major, minor;
	__u32 state;                         /* enum eval_throttle_state */
	__u32 is_asked;                      /* a bit per limit that is ours */
	__u64 before[EVAL_THROTTLE_LIMITS];  /* what is restored */
	__u64 ours[EVAL_THROTTLE_LIMITS];    /* what is in force: before, but for the limits that are asked for */
	__u64 done[EVAL_THROTTLE_LIMITS];    /* bytes and operations under the fault */
	__u64 held[EVAL_THROTTLE_LIMITS];    /* those of them in intervals in which a limit was reached */
	__u64 reached[EVAL_THROTTLE_LIMITS]; /* intervals in which this limit was */
	char name[32];                       /* of the disk, for people */
};

/* The only entry of an mmapable array map; the process is its only writer while it lives. */
struct eval_throttle {
	__u32 ctl_map; /* id of the fault's eval_ctl, for bpf-status; first, see live_fault_copy() */
	__u32 disk_count;
	__u64 beat_ns;   /* when the process last looked around (CLOCK_MONOTONIC) */
	__u64 cgroup_id; /* that is limited */
	__u64 first_hit_ns;
	__u64 limited_ns; /* for how long the limits have been in force */
	__u64 intervals;  /* that were looked at */
	__u64 waited_us;  /* "some" of the cgroup's io.pressure under the fault */
	__u32 cgroups;    /* how many were limited: a unit that restarts gets a new one */
	__u32 is_over;    /* the process has restored what there was */
	struct eval_throttle_disk disks[EVAL_THROTTLE_DISKS];
	char failure[256]; /* why the process gave up; "" : it did not */
	char cgroup[256], data_dirs[256];
};
