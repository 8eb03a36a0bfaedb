/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The ABI between the network BPF programs and eval, in addition to eval_abi.h: rules, flows, delay lines. */
#pragma once

#include "eval_abi.h"

/*
 * One per direction, in an mmapable array map. In a TAP line, the programs count delivered and the holder the rest. In
 * an fq line, the programs count all but the packets lost on the way, which the holder counts.
 */
struct eval_line {
	__u64 delivered; /* packets returned to the device, counted by the line's hook */
	__s64 held_packets, held_bytes;
	__u64 dropped;                  /* did not fit the memory bound or a queue on the way */
	__u64 late_sum_ns, late_max_ns; /* returned after the departure time; fq: only with keeps_departure */
};
_Static_assert(sizeof(struct eval_line) == 48, "eval_line is ABI");

/* Bound of a line's memory: packets beyond it are dropped and counted. */
#define EVAL_LINE_BYTES_MAX (256LL << 20)
/* Memory of a packet in an fq line in addition to its bytes: struct sk_buff, skb_shared_info, a flow of fq. */
#define EVAL_LINE_PACKET_BYTES 1024

/* The header in front of each frame that goes to a TAP line, in host order. */
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

/* A longest-prefix-match key: a network of peers, with the bits of the address that count. */
struct eval_network_key {
	__u32 bits;
	__u8 address[16];
};

/*
 * Other ends of packets that did not match, in an LRU hash of __u64: of the first packets that a CPU sees in a
 * direction, until its first hit, so that they cost nothing later.
 */
#define EVAL_UNMATCHED_SEEN 1000
#define EVAL_UNMATCHED_MAP "unmatched"
struct eval_unmatched_key {
	__u8 address[16];
	__u32 direction; /* enum eval_direction */
};

enum eval_rule {
	EVAL_RULE_MATCH = 1,   /* this address and port (0: any port) */
	EVAL_RULE_SERVICE = 2, /* this address, any port, if the local port is one of the node's own */
};

/*
 * Hits are counted by peer and direction for this many peers, in a per-CPU array of __u64: 2 * peer + direction. Above
 * EVAL_RULE_PEER_SHIFT, the value of a rule has the number of its peer + 1; 0: not counted.
 */
#define EVAL_PEERS_COUNTED 64
#define EVAL_PEER_HITS_MAP "peer_hits"
#define EVAL_RULE_PEER_SHIFT 8

/* The address is the target's own, all zero = any; set only with local_only. */
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
	__u64 departure_ns;   /* of the flow's last packet: later packets leave after it */
	__u32 mark, priority; /* of the skb, to restore: a line clears them */
};

/* Set before load. */
struct eval_match_config {
	__u32 ifindex;
	__u32 l3_offset; /* 14 with an Ethernet header, else 0 */
	__u32 cgroup_level;
	__u16 protocol; /* IPPROTO_*, 0 = any; ICMP includes ICMPv6 */
	__u8 peers_all;
	__u8 locals_any; /* no filter by the node's own address */
	__u8 has_ports;
	__u8 has_cgroup;               /* match by eval_ctl.cgroup_id at cgroup_level */
	__u8 protect_tcp, protect_udp; /* at least one port of the protocol is protected */
	__u8 has_networks;             /* some peers are networks */
	__u8 zero[3];
};

struct eval_latency_config {
	__u64 min_ns, max_ns;
	__u64 seed;
	__u32 line_ifindex[EVAL_DIRECTIONS];
	__u32 mark; /* EVAL_MARK | 20 bits of the fault's own */
	__u8 reorder;
	__u8 fq;              /* the line is an fq line */
	__u8 keeps_departure; /* fq line: in fq, skb->hash is still the departure, not the flow's hash */
	__u8 zero;
};

/*
 * Minimum time between the departures of a flow's packets, unless they reorder. They may reach the line on two CPUs,
 * where only the departure time keeps their order, and a burst at one time would overrun a queue.
 */
#define EVAL_FLOW_SPACING_NS 1000

/*
 * If the device has fq, TCP paces by writing a departure time into each packet. A delay starts at that time if it is at
 * most this far ahead; otherwise it is of another clock (of a received packet, of SO_TXTIME).
 */
#define EVAL_PACING_NS_MAX 5000000000ULL

/* How long a flow's packets wait for those in an fq line after its fault: as long as it may take to be inert. */
#define EVAL_TAIL_NS_MAX 50000000ULL

/* Resolution of departure times in an fq line. */
#define EVAL_DEPARTURE_STEP_NS 8

/*
 * In an fq line skb->hash is the departure in units of 8 ns: it covers 17 s before and after now, and at most 15 s are
 * needed. Only skb->hash and tc_index survive the crossing to another namespace; tc_index marks our packets.
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
