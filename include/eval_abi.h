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

/*
 * One per direction, in a mmapable array map. Of a TAP line all but delivered is counted by the process that holds it,
 * of an fq line all but packets lost on the way by the programs.
 */
struct eval_line {
	__u64 delivered; /* came back to the device, counted by the line's hook */
	__s64 held_packets, held_bytes;
	__u64 dropped;                  /* did not fit the memory bound or a queue on the way */
	__u64 late_sum_ns, late_max_ns; /* departure time against the return to the device; see keeps_departure */
};
_Static_assert(sizeof(struct eval_line) == 48, "eval_line is ABI");

/* Bounds a line's memory: what does not fit is dropped and counted. */
#define EVAL_LINE_BYTES_MAX (256LL << 20)
/* What a packet in an fq line costs beside its bytes: struct sk_buff, its head's end, a flow of fq. */
#define EVAL_LINE_PACKET_BYTES 1024

/* What the TAP line puts in front of a frame, host order. */
struct eval_line_header {
	__u64 magic;
	__u64 departure_ns;
};

/* Addresses are IPv6, IPv4 as ::ffff:a.b.c.d; ports in host order, 0 = any. */
struct eval_rule_key {
	__u8 address[16];
	__u16 port;
	__u16 zero;
};

enum eval_rule {
	EVAL_RULE_MATCH = 1,   /* this address and port (0: any port) */
	EVAL_RULE_SERVICE = 2, /* this address, any port, where the local end is a port of the node's own */
};

/* The address is the target's own, all zero = any; only with local_only. */
struct eval_protect_key {
	__u8 address[16];
	__u16 port;
	__u8 protocol;
	__u8 local_only;
};

struct eval_flow_key {
	__u8 source[16], destination[16];
	__u16 source_port, destination_port;
	__u32 protocol;
};

struct eval_flow {
	__u64 drawn_at_ns;
	__u64 delay_ns;
	__u64 departure_ns;   /* of the flow's last packet: none leaves before it */
	__u32 mark, priority; /* of the skb: a line loses them */
};

/* Set before load. */
struct eval_match_config {
	__u32 ifindex;
	__u32 l3_offset; /* 14 with an Ethernet header, else 0 */
	__u32 cgroup_level;
	__u16 protocol; /* IPPROTO_*, 0 = any; ICMP stands for ICMPv6 too */
	__u8 peers_all;
	__u8 locals_any; /* no filter by the node's own address */
	__u8 has_ports;
	__u8 has_cgroup;               /* eval_ctl.cgroup_id, cgroup_level */
	__u8 protect_tcp, protect_udp; /* some port of it is protected */
	__u8 zero[4];
};

struct eval_latency_config {
	__u64 min_ns, max_ns;
	__u64 seed;
	__u32 line_ifindex[EVAL_DIRECTIONS];
	__u32 mark; /* EVAL_MARK | 20 bits of its own */
	__u8 reorder;
	__u8 fq;              /* the line is an fq line */
	__u8 keeps_departure; /* fq line: skb->hash holds the departure to the end, not the flow's hash */
	__u8 zero;
};

#define EVAL_DISK_DIRS 4

enum eval_disk_call { EVAL_DISK_WRITE, EVAL_DISK_APPEND, EVAL_DISK_FALLOCATE, EVAL_DISK_CALLS };

/* How a file system tells what a file has, and whether a write in place allocates. */
enum eval_disk_layout {
	EVAL_LAYOUT_UNKNOWN, /* i_blocks may lag behind */
	EVAL_LAYOUT_BLOCKS,  /* i_blocks is exact */
	EVAL_LAYOUT_EXT4,
	EVAL_LAYOUT_XFS,
	EVAL_LAYOUT_BTRFS,
	EVAL_LAYOUT_COW, /* every write allocates */
};

/*
 * One per file system. What is left is limit_bytes - charged_bytes; the holder's samples move limit_bytes. The fill
 * engine sums all of them up in the first: reserved_bytes is what its files hold.
 */
struct eval_disk_space {
	__u64 super_block; /* the kernel's address; 0: unused */
	__u64 charged_bytes;
	__u64 limit_bytes;
	__u64 reserved_bytes;
	__u64 ahead_bytes; /* allocated behind the ends of files, unasked: the next sample counts them as left */
	__u32 layout;      /* enum eval_disk_layout */
	__u32 zero;
};

/* In a mmapable array map of one entry. All but the last two are for the hook engine. */
struct eval_disk {
	__u64 directories[EVAL_DISK_DIRS]; /* the kernel's addresses of their inodes; 0: unused */
	struct eval_disk_space spaces[EVAL_DISK_DIRS];
	__u64 samples; /* of the real file systems */
	__u64 refused[EVAL_DISK_CALLS];
	__u64 statfs_shrunk;
	__u32 learning;     /* a thread of the holder: takes the inode of the next directory that it lists; 0: none */
	__u32 probe_thread; /* the holder's self-test: refuse this thread's writes, whatever is left; 0: none */
	__u64 learned_directory, learned_super_block;
	__u64 program; /* the kernel's address of the inode of eval's own binary */
	/* As the kernel's programs see them, which is not as a PID namespace does. */
	__u32 exempt[2]; /* processes that are never refused: the holder and its coordinator; 0: none */
	__u32 thread, process, parent, zero; /* disk_who_asks: of whoever ran it last */
	__u32 probed;                        /* bits by enum eval_disk_call: what the self-test came by */
	__u32 ctl_map;        /* id of the fault's eval_ctl, for bpf-status: not every program uses both maps */
	char file_system[16]; /* of the last one learned: "ext4" */
	char data_dirs[256];  /* for bpf-status */
};
_Static_assert(sizeof(struct eval_disk) == 600, "eval_disk is ABI");

/* Set before load. */
struct eval_disk_config {
	__s32 refusal; /* negative errno */
	__u32 cgroup_level;
	__u8 has_cgroup;
	__u8 zero[3];
};

/* skb->mark of a packet that comes back from a line. */
#define EVAL_MARK 0xeba00000U
#define EVAL_MARK_MASK 0xfff00000U

/*
 * How far apart packets of a flow leave that have caught up with one another: they may reach the line by two CPUs, so
 * only the time tells their order, and all at once they would overrun a queue.
 */
#define EVAL_FLOW_SPACING_NS 1000

/*
 * TCP leaves pacing to fq on the device by writing down when each packet is to go. A line is where it waits for that;
 * this far ahead is believed, and more is another clock (of a received packet, of SO_TXTIME).
 */
#define EVAL_PACING_NS_MAX 5000000000ULL

/* How long a flow's packets keep their order once an fq line's fault is over: as long as it may take to be inert. */
#define EVAL_TAIL_NS_MAX 50000000ULL

/* What an fq line can tell apart. */
#define EVAL_DEPARTURE_STEP_NS 8

/*
 * In an fq line skb->hash is the departure in units of 8 ns: 17 s before or after now can be told, at most 15 are
 * needed. Of what crosses to another namespace only it and tc_index are kept; tc_index tells our packets from others'.
 */
#define EVAL_TC_INDEX 0xeba0

static inline __u32 eval_departure_fold(__u64 departure_ns)
{
	return (__u32)(departure_ns / EVAL_DEPARTURE_STEP_NS);
}

static inline __u64 eval_departure_unfold(__u32 folded, __u64 now_ns)
{
	__s64 difference = (__s32)(folded - (__u32)(now_ns / EVAL_DEPARTURE_STEP_NS));

	return now_ns / EVAL_DEPARTURE_STEP_NS * EVAL_DEPARTURE_STEP_NS + (__u64)(difference * EVAL_DEPARTURE_STEP_NS);
}

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
