/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the process that holds file calls, or the hook that refuses them, shares with the fault's holder and bpf-status,
 * in addition to eval_abi.h. */
#pragma once

#include "eval_abi.h"

enum eval_call {
	EVAL_CALL_READ,
	EVAL_CALL_WRITE,
	EVAL_CALL_FALLOCATE,
	EVAL_CALL_TRUNCATE,
	EVAL_CALL_UNKNOWN, /* io_uring's, or of a process whose system call cannot be read */
	EVAL_CALLS
};

/* One of the calls that were held longest. */
struct eval_slow_call {
	__u64 held_ns, asked_ns; /* asked_ns 0: it was to hang */
	__u64 offset, length;    /* in bytes; as the call gave them, or the pages that they touch */
	__u32 call;              /* enum eval_call */
	__u32 thread;
	char file[96]; /* the end of its path */
};

#define EVAL_SLOW_CALLS 10

/* Of disk_pressure: a file system, its first data_dir's in their order. In bytes; the first two at the start. */
struct eval_calls_space {
	__u64 available_bytes, reserved_bytes, left_bytes;
};

#define EVAL_CALLS_SPACES 4

/* Which calls are hit, of those that match: numbered from 0, whichever thread makes them. */
struct eval_call_draw {
	__u64 seed;
	__u64 every, first; /* 0: not given */
	__u64 share;        /* without them: of 2^53 */
};

static inline int eval_call_is_hit(const struct eval_call_draw *draw, __u64 n)
{
	if (draw->every)
		return (n + 1) % draw->every == 0;
	if (draw->first)
		return n < draw->first;
	return eval_random(draw->seed, 2 * n) >> 11 < draw->share;
}

/* The only entry of an mmapable array map; written by the process that answers, or by the hooks of the engine bpf. */
struct eval_calls {
	__u32 ctl_map; /* id of the fault's eval_ctl, for bpf-status; first, see live_fault_copy() */
	__u32 folders; /* marked; 0: by the engine bpf */
	__u64 beat_ns; /* when the process last looked around (CLOCK_MONOTONIC) */
	__u64 seen[EVAL_CALLS], hit[EVAL_CALLS];
	__u64 matched;                                   /* calls drawn for */
	__u64 bytes;                                     /* of the hit calls; the engine bpf does not know them: 0 */
	__u64 first_hit_ns;                              /* 0: none */
	__u64 held;                                      /* now */
	__u64 other_cgroup, other_file, other_operation; /* calls that passed for this reason */
	__u64 released;                                  /* held calls that went on early, because the fault ended */
	__u64 overflowed;                                /* calls that passed because too many were held */
	__u64 folders_lost;                              /* new folders that could not be marked */
	struct eval_histogram asked, applied;
	struct eval_slow_call slowest[EVAL_SLOW_CALLS]; /* longest first */
	struct eval_calls_space spaces[EVAL_CALLS_SPACES];
	__u64 stalls, files_stalled; /* of disk_stall: so far; files in the last one */
	char data_dirs[256];         /* for bpf-status */
};
_Static_assert(sizeof(struct eval_calls) == 16 + 80 + 10 * 8 + 400 + 1360 + 96 + 16 + 256, "eval_calls is ABI");
