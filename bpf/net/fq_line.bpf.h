/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The fq line: packets enter it, wait at its far end until skb->tstamp, which fq obeys, and leave.
 *
 * A packet that a local socket sent is cloned into the line and then freed. Otherwise held packets would count against
 * the socket's small queue and TCP would stop, since neither veth nor bpf_redirect orphans them.
 */
#pragma once

#include "net/line.bpf.h"

/* Counts packets that enter or leave the line; the holder subtracts those that are lost on the way. */
static __always_inline void fq_hold(struct eval_line *line, __s64 packets, __s64 bytes)
{
	__sync_fetch_and_add(&line->held_packets, packets);
	__sync_fetch_and_add(&line->held_bytes, bytes);
}

static __always_inline bool fq_has_room(const struct eval_line *line, __u32 bytes)
{
	__s64 held = *(const volatile __s64 *)&line->held_bytes;

	held += (*(const volatile __s64 *)&line->held_packets + 1) * EVAL_LINE_PACKET_BYTES;
	return held + bytes <= EVAL_LINE_BYTES_MAX;
}

static __always_inline int fq_enter(struct __sk_buff *skb, __u64 departure_ns, __u32 direction, __u64 now_ns,
				    struct eval_stats *stats)
{
	struct eval_line *line = bpf_map_lookup_elem(&eval_line, &direction);
	/* Used as the index, direction would be spilled to the stack, where the verifier loses its bounds. */
	__u32 ifindex = latency_config.line_ifindex[direction == EVAL_INGRESS ? EVAL_INGRESS : EVAL_EGRESS];
	__u32 bytes = skb->len;
	long ret;

	if (!line)
		return TCX_NEXT;
	stats_count_hit(stats, now_ns, bytes);
	if (!fq_has_room(line, bytes)) {
		__sync_fetch_and_add(&line->dropped, 1);
		return bpf_redirect(NO_IFINDEX, 0);
	}
	fq_hold(line, 1, bytes);
	skb->tc_index = EVAL_TC_INDEX;
	bpf_set_hash(skb, eval_departure_fold(departure_ns));
	if (!skb->sk)
		return bpf_redirect(ifindex, 0);
	ret = bpf_clone_redirect(skb, ifindex, 0);
	/* ret is positive (since commit 151e887d8ff9) if veth could not pass the clone to its peer: veth counts it. */
	if (ret < 0) {
		/* No memory for the clone, or the device is down: count the packet as if the line were full. */
		fq_hold(line, -1, -(__s64)bytes);
		__sync_fetch_and_add(&line->dropped, 1);
	}
	return bpf_redirect(NO_IFINDEX, 0);
}

/* On egress of the far end, before fq. */
static __always_inline int fq_schedule(struct __sk_buff *skb)
{
	/* Not one of our packets: the kernel or another program sent it on the line's device. */
	if (skb->tc_index != EVAL_TC_INDEX)
		return TCX_DROP;
	skb->tstamp = eval_departure_unfold(skb->hash, bpf_ktime_get_ns());
	/* fq keeps the order of packets with the same hash: here the flow's. */
	if (!latency_config.keeps_departure)
		bpf_set_hash_invalid(skb);
	return TCX_NEXT;
}

static __always_inline void fq_count_late(struct eval_line *line, __u64 departure_ns, __u64 now_ns)
{
	__u64 late_ns = now_ns > departure_ns ? now_ns - departure_ns : 0;

	__sync_fetch_and_add(&line->late_sum_ns, late_ns);
	if (late_ns > line->late_max_ns)
		line->late_max_ns = late_ns;
}

/* On ingress of the near end. */
static __always_inline void fq_leave(struct __sk_buff *skb, struct eval_line *line)
{
	if (latency_config.keeps_departure) {
		__u64 now_ns = bpf_ktime_get_ns();

		fq_count_late(line, eval_departure_unfold(skb->hash, now_ns), now_ns);
		bpf_set_hash_invalid(skb);
	}
	skb->tc_index = 0;
	fq_hold(line, -1, -(__s64)skb->len);
}
