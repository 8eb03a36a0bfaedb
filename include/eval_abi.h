/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel programs and the program share: fixed width, sizes asserted. In bpf/ include vmlinux.h first.
 */
#pragma once

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define EVAL_MAGIC 0x6c6176656f616863ULL
#define EVAL_ABI_VERSION 3

/* Map names: how bpf-status, cleanup and the guard find a live fault. At most 15 characters (BPF_OBJ_NAME_LEN). */
#define EVAL_CTL_MAP "eval_ctl"
#define EVAL_STATS_MAP "eval_stats"
#define EVAL_LINE_MAP "eval_line"
#define EVAL_DISK_MAP "eval_disk"
#define EVAL_PROTECT_MAP "protect"

/*
 * One per fault and device, in a mmapable array map of one entry. Programs do nothing unless now is before both
 * deadline_ns and lease_ns (CLOCK_MONOTONIC); storing 0 to deadline_ns makes the fault inert at once, and for good: its
 * holder sets a deadline only in place of EVAL_DEADLINE_NOT_YET, so that one stopped on its way never goes live. Up to
 * deadline_ns it is the same in all versions, and at most 4096 bytes, so that each sees and stops the others' faults.
 */
#define EVAL_DEADLINE_NOT_YET 1ULL

struct eval_ctl {
	__u64 magic;
	__u32 abi_version;
	__u32 kind; /* enum eval_kind */
	__u64 deadline_ns;
	__u64 lease_ns;
	__u64 holder_start_ticks; /* since the host's boot, whatever the time namespace: tells a reused pid */
	__u32 holder_pid;
	__u32 ifindex;
	__u64 holder_pidns_ino;  /* the PID namespace that holder_pid is of */
	__u64 holder_timens_ino; /* the time namespace that holder_start_ticks was read in; 0: none */
	__u64 netns_ino;
	__u32 draining;    /* 1: stopped for good; the line's hooks restore marks, the device's may go */
	__u32 clsact;      /* 1: the device's clsact qdisc is ours: it goes with the last filter of it */
	__u64 cgroup_id;   /* of the target, 0 = none; renewed with the lease: a restarted unit gets another */
	char campaign[64]; /* strings end with NUL; "" for an injection by hand */
	char trial[96];
	char target[64];
	char device[16];
	char engine[16];
};
_Static_assert(sizeof(struct eval_ctl) == 344, "eval_ctl is ABI");
_Static_assert(__builtin_offsetof(struct eval_ctl, deadline_ns) == 16, "in all versions");

/* How far ahead of now its holder sets eval_ctl.lease_ns, and how often. */
#define LEASE_NS 2000000000ULL
#define LEASE_RENEW_NS 500000000ULL

enum eval_direction { EVAL_EGRESS, EVAL_INGRESS, EVAL_DIRECTIONS };

/* log2[i] counts delays in [2^i, 2^(i+1)) microseconds, 0 counts all below 2. 10 s is in bucket 23. */
#define EVAL_HISTOGRAM_BUCKETS 24

struct eval_histogram {
	__u64 sum_ns;
	__u64 log2_us[EVAL_HISTOGRAM_BUCKETS];
};

/* Per-CPU, one per direction. */
struct eval_stats {
	__u64 seen;                    /* packets looked at while live */
	__u64 hit;                     /* packets delayed or dropped */
	__u64 bytes;                   /* of these, as the device sees them (a GSO packet is one) */
	__u64 failed;                  /* matched, but left alone because the kernel refused (no memory) */
	__u64 first_hit_ns;            /* 0: none on this CPU */
	struct eval_histogram drawn;   /* what the random draw gave */
	struct eval_histogram applied; /* after keeping the flow's order */
};
_Static_assert(sizeof(struct eval_stats) == 40 + 2 * 200, "eval_stats is ABI");

/* skb->mark of a packet that comes back from a line. */
#define EVAL_MARK 0xeba00000U
#define EVAL_MARK_MASK 0xfff00000U

/* splitmix64: the one generator of the kernel's and the program's draws. Draw n of a seed is eval_random(seed, n). */
static inline __u64 eval_random(__u64 seed, __u64 n)
{
	__u64 z = seed + (n + 1) * 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* Uniform in [min_ns, max_ns]; the span is below 2^34 ns, so 30 bits of randomness times it fit 64 bits. */
static inline __u64 eval_draw_ns(__u64 seed, __u64 n, __u64 min_ns, __u64 max_ns)
{
	return min_ns + (((eval_random(seed, n) >> 34) * (max_ns - min_ns + 1)) >> 30);
}
