/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ABI between the BPF programs and eval: fixed-width types, asserted sizes. In bpf/, include vmlinux.h first.
 */
#pragma once

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define EVAL_MAGIC 0x6c6176656f616863ULL
#define EVAL_ABI_VERSION 3

/* Map names, by which bpf-status, cleanup and the guard find a live fault. At most 15 characters (BPF_OBJ_NAME_LEN). */
#define EVAL_CTL_MAP "eval_ctl"
#define EVAL_STATS_MAP "eval_stats"
#define EVAL_LINE_MAP "eval_line"
#define EVAL_DISK_MAP "eval_disk"
#define EVAL_CALLS_MAP "eval_calls"
#define EVAL_THROTTLE_MAP "eval_throttle"
#define EVAL_PROTECT_MAP "protect"

/*
 * The control block of a fault on one device, the only entry of an mmapable array map. The fault is live while now is
 * before both deadline_ns and lease_ns (CLOCK_MONOTONIC). Storing 0 to deadline_ns makes it inert at once and for good:
 * the holder sets a deadline only in place of EVAL_DEADLINE_NOT_YET, so a fault stopped during activation never goes
 * live. All versions share the layout up to deadline_ns and the limit of 4096 bytes, so that each can stop the others'
 * faults.
 */
#define EVAL_DEADLINE_NOT_YET 1ULL

struct eval_ctl {
	__u64 magic;
	__u32 abi_version;
	__u32 kind; /* enum eval_kind */
	__u64 deadline_ns;
	__u64 lease_ns;
	__u64 holder_start_ticks; /* since the host's boot, in any time namespace; detects a reused pid */
	__u32 holder_pid;
	__u32 ifindex;
	__u64 holder_pidns_ino;  /* the PID namespace of holder_pid */
	__u64 holder_timens_ino; /* the time namespace in which holder_start_ticks was read; 0: none or unknown */
	__u64 netns_ino;
	__u32 draining;    /* 1: stopped for good; the line's hooks restore marks, so the device's can be detached */
	__u32 clsact;      /* 1: eval created the device's clsact qdisc and removes it with its last filter */
	__u64 cgroup_id;   /* the target's; 0: none; updated with the lease: a restarted unit gets a new cgroup */
	char campaign[64]; /* strings end with NUL; "" for an injection by hand */
	char trial[96];
	char target[64];
	char device[16];
	char engine[16];
};
_Static_assert(sizeof(struct eval_ctl) == 344, "eval_ctl is ABI");
_Static_assert(__builtin_offsetof(struct eval_ctl, deadline_ns) == 16, "in all versions");

/* The holder sets eval_ctl.lease_ns to now + LEASE_NS every LEASE_RENEW_NS. */
#define LEASE_NS 2000000000ULL
#define LEASE_RENEW_NS 500000000ULL

enum eval_direction { EVAL_EGRESS, EVAL_INGRESS, EVAL_DIRECTIONS };

/* log2_us[i] counts delays in [2^i, 2^(i+1)) microseconds, log2_us[0] all below 2. 10 s is in bucket 23. */
#define EVAL_HISTOGRAM_BUCKETS 24

struct eval_histogram {
	__u64 sum_ns;
	__u64 log2_us[EVAL_HISTOGRAM_BUCKETS];
};

/* Per-CPU, one per direction; a disk fault uses the first. */
struct eval_stats {
	__u64 seen;                    /* packets inspected while live */
	__u64 hit;                     /* packets delayed or dropped */
	__u64 bytes;                   /* of the hit packets, as the device sees them (a GSO packet is one) */
	__u64 failed;                  /* matched, but passed undelayed because a helper failed (no memory) */
	__u64 first_hit_ns;            /* 0: none on this CPU */
	struct eval_histogram drawn;   /* delays as drawn */
	struct eval_histogram applied; /* delays after keeping the flow's order */
};
_Static_assert(sizeof(struct eval_stats) == 40 + 2 * 200, "eval_stats is ABI");

/* skb->mark of a packet that a delay line returned. */
#define EVAL_MARK 0xeba00000U
#define EVAL_MARK_MASK 0xfff00000U

/* splitmix64, for all draws in the BPF programs and in eval. Draw n of a seed is eval_random(seed, n). */
static inline __u64 eval_random(__u64 seed, __u64 n)
{
	__u64 z = seed + (n + 1) * 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* Uniform in [min_ns, max_ns]. The span is below 2^34 ns, so its product with 30 random bits fits 64 bits. */
static inline __u64 eval_draw_ns(__u64 seed, __u64 n, __u64 min_ns, __u64 max_ns)
{
	return min_ns + (((eval_random(seed, n) >> 34) * (max_ns - min_ns + 1)) >> 30);
}
