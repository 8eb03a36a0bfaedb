/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs on packets and the program share, beside eval_abi.h: rules, flows, delay lines. */
#pragma once

#include "eval_abi.h"

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
