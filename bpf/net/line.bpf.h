/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shared by all delay lines: flows and their draws, counters, and restoring what a packet loses on the way. */
#pragma once

#include "net/draw.bpf.h"
#include "net/match.bpf.h"

const volatile struct eval_latency_config latency_config;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct eval_flow_key);
	__type(value, struct eval_flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, EVAL_DIRECTIONS);
	__type(key, __u32);
	__type(value, struct eval_line);
} eval_line SEC(".maps");

static __always_inline void histogram_add(struct eval_histogram *histogram, __u64 delay_ns)
{
	__u64 micros = delay_ns / 1000;
	__u32 bucket = 0;

	/* log2 by halving: valid below 2^32 µs. */
	if (micros >> 16) {
		bucket += 16;
		micros >>= 16;
	}
	if (micros >> 8) {
		bucket += 8;
		micros >>= 8;
	}
	if (micros >> 4) {
		bucket += 4;
		micros >>= 4;
	}
	if (micros >> 2) {
		bucket += 2;
		micros >>= 2;
	}
	bucket += micros >> 1 ? 1 : 0;
	if (bucket >= EVAL_HISTOGRAM_BUCKETS)
		bucket = EVAL_HISTOGRAM_BUCKETS - 1;
	histogram->sum_ns += delay_ns;
	histogram->log2_us[bucket]++;
}

static __always_inline __u64 delay_next(__u32 direction)
{
	__u64 n;

	if (latency_config.min_ns == latency_config.max_ns || draw_next(direction, &n))
		return latency_config.min_ns;
	return eval_draw_ns(latency_config.seed + direction, n, latency_config.min_ns, latency_config.max_ns);
}

/* The start of the delay: the packet's pacing time, if it has one, because the line clears it. */
static __always_inline __u64 paced_start(const struct __sk_buff *skb, __u64 now_ns)
{
	__u64 at_ns = skb->tstamp;

	return at_ns > now_ns && at_ns - now_ns <= EVAL_PACING_NS_MAX ? at_ns : now_ns;
}

/*
 * Returns the packet's departure time. By default a flow keeps its order: it draws anew only if its last draw is older
 * than max - min, and no packet leaves before the one ahead of it.
 */
static __always_inline __u64 flow_departure(struct __sk_buff *skb, const struct eval_flow_key *key, __u32 direction,
					    __u64 arrival_ns, struct eval_stats *stats)
{
	__u64 now_ns = paced_start(skb, arrival_ns);
	struct eval_flow fresh = {.drawn_at_ns = now_ns, .mark = skb->mark, .priority = skb->priority};
	struct eval_flow *flow = bpf_map_lookup_elem(&flows, key);
	__u64 departure;

	if (flow && !latency_config.reorder &&
	    now_ns - flow->drawn_at_ns <= latency_config.max_ns - latency_config.min_ns) {
		fresh.drawn_at_ns = flow->drawn_at_ns;
		fresh.delay_ns = flow->delay_ns;
	} else {
		fresh.delay_ns = delay_next(direction);
	}
	departure = now_ns + fresh.delay_ns;
	if (flow && !latency_config.reorder && departure < flow->departure_ns + EVAL_FLOW_SPACING_NS)
		departure = flow->departure_ns + EVAL_FLOW_SPACING_NS;
	fresh.departure_ns = departure;
	if (flow)
		*flow = fresh;
	else
		bpf_map_update_elem(&flows, key, &fresh, BPF_ANY);
	histogram_add(&stats->drawn, fresh.delay_ns);
	histogram_add(&stats->applied, departure - now_ns);
	return departure;
}

/* For an ended fault: the line still holds packets, keeps their order, and its hook still marks those that return. */
static __always_inline bool line_has_tail(__u32 direction)
{
	const volatile struct eval_line *line = bpf_map_lookup_elem(&eval_line, &direction);
	const volatile struct eval_ctl *ctl = fault_ctl();

	return line && line->held_packets > 0 && ctl && !ctl->draining && !latency_config.reorder;
}

/*
 * For an ended fault: when a packet leaves whose flow still has packets in the fq line, which cannot release them. If
 * it overtook them, TCP would drop them as old (PAWS) and wait for its timeout. 0: at once, as the flow has none there
 * or they stay for longer than EVAL_TAIL_NS_MAX.
 */
static __always_inline __u64 flow_tail(const struct __sk_buff *skb, const struct eval_flow_key *key, __u64 now_ns)
{
	struct eval_flow *flow = bpf_map_lookup_elem(&flows, key);

	if (!flow || flow->departure_ns <= now_ns)
		return 0;
	if (flow->departure_ns - now_ns > EVAL_TAIL_NS_MAX) {
		/* Later packets of the flow do not wait either. */
		flow->departure_ns = 0;
		return 0;
	}
	flow->mark = skb->mark;
	flow->priority = skb->priority;
	return flow->departure_ns;
}

/* Restores the mark and priority that the packet had before the line. */
static __always_inline void skb_restore(struct __sk_buff *skb)
{
	struct packet_source from = {.skb = skb};
	struct eval_flow_key key;
	struct eval_flow *flow;

	skb->mark = 0;
	if (packet_parse(&from, skb->protocol, &key))
		return;
	flow = bpf_map_lookup_elem(&flows, &key);
	if (!flow)
		return;
	skb->mark = flow->mark;
	skb->priority = flow->priority;
}
