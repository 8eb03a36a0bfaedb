// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* latency: packets between the node and its peers go through a delay line and come back marked. */
#include "net/fq_line.bpf.h"
#include "net/line.bpf.h"

/* UAPI skb->pkt_type. */
#define PACKET_HOST 0

/* What tap_enter() puts in front of a packet; a device without an Ethernet header gets one for its way through the TAP.
 */
struct tap_head {
	struct eval_line_header line;
	struct ethhdr ethernet;
} __attribute__((packed));

static __always_inline bool has_ethernet(void)
{
	return match_config.l3_offset;
}

/* Redirects to a TAP line, with the departure time in front of the frame. */
static __always_inline int tap_enter(struct __sk_buff *skb, const struct eval_flow_key *key, __u32 direction,
				     __u64 now_ns, struct eval_stats *stats)
{
	struct tap_head head = {.line.magic = EVAL_MAGIC, .ethernet.h_proto = skb->protocol};
	__u32 bytes = skb->len;

	/* tun would insert the tag into the middle of our header. It is VLAN 0 with a priority, which is lost here. */
	if (skb->vlan_present && bpf_skb_vlan_pop(skb)) {
		stats->failed++;
		return TCX_NEXT;
	}
	/* Fails for a packet without GSO above 16 KiB (SKB_MAX_ALLOC), which is above any usual MTU. */
	if (bpf_skb_change_head(skb, has_ethernet() ? sizeof(head.line) : sizeof(head), 0)) {
		stats->failed++;
		return TCX_NEXT;
	}
	head.line.departure_ns = flow_departure(skb, key, direction, now_ns, stats);
	if (has_ethernet())
		bpf_skb_store_bytes(skb, 0, &head, sizeof(head.line), 0);
	else
		bpf_skb_store_bytes(skb, 0, &head, sizeof(head), 0);
	stats_count_hit(stats, now_ns, bytes);
	return bpf_redirect(latency_config.line_ifindex[direction], 0);
}

static __always_inline int pick(struct __sk_buff *skb, __u32 direction)
{
	struct packet_source from = {.skb = skb};
	struct eval_flow_key key;
	struct eval_stats *stats;
	__u64 now_ns, departure_ns;
	__u32 rule;
	bool live;

	if ((skb->mark & EVAL_MARK_MASK) == EVAL_MARK) {
		/* Leave another fault's mark to its own hook on this device, which knows the mark that it replaced. */
		if (skb->mark == latency_config.mark)
			skb_restore(skb);
		return TCX_NEXT;
	}
	now_ns = bpf_ktime_get_ns();
	live = fault_is_live(now_ns);
	if (!live && !(latency_config.fq && line_has_tail(direction)))
		return TCX_NEXT;
	stats = stats_of(direction);
	if (!stats)
		return TCX_NEXT;
	stats->seen += live;
	if (packet_parse(&from, skb->protocol, &key))
		return TCX_NEXT;
	rule = packet_matches(skb, &key, direction);
	if (!rule) {
		if (live)
			unmatched_count(stats, &key, direction);
		return TCX_NEXT;
	}
	if (live)
		peer_count_hit(rule, direction);
	if (!latency_config.fq)
		return tap_enter(skb, &key, direction, now_ns, stats);
	departure_ns = live ? flow_departure(skb, &key, direction, now_ns, stats) : flow_tail(skb, &key, now_ns);
	return departure_ns ? fq_enter(skb, departure_ns, direction, now_ns, stats) : TCX_NEXT;
}

static __always_inline int put_back(struct __sk_buff *skb, __u32 direction)
{
	struct eval_line *line = bpf_map_lookup_elem(&eval_line, &direction);
	const volatile struct eval_ctl *ctl = fault_ctl();

	if (!line)
		return TCX_DROP;
	if (latency_config.fq)
		fq_leave(skb, line);
	__sync_fetch_and_add(&line->delivered, 1);
	if (ctl && ctl->draining)
		skb_restore(skb);
	else
		skb->mark = latency_config.mark;
	/* The Ethernet header of tap_enter() names no host; the redirect takes it off. */
	if (!has_ethernet() && direction == EVAL_INGRESS)
		bpf_skb_change_type(skb, PACKET_HOST);
	return bpf_redirect(match_config.ifindex, direction == EVAL_INGRESS ? BPF_F_INGRESS : 0);
}

SEC("tc")
int delay_egress(struct __sk_buff *skb)
{
	return pick(skb, EVAL_EGRESS);
}

SEC("tc")
int delay_ingress(struct __sk_buff *skb)
{
	return pick(skb, EVAL_INGRESS);
}

SEC("tc")
int learn(struct __sk_buff *skb)
{
	return learn_egress(skb);
}

/* On ingress of the line's device: packets that the line releases. */
SEC("tc")
int line_egress(struct __sk_buff *skb)
{
	return put_back(skb, EVAL_EGRESS);
}

SEC("tc")
int line_ingress(struct __sk_buff *skb)
{
	return put_back(skb, EVAL_INGRESS);
}

/* On ingress of an fq line's far end: sends packets back out, through fq. */
SEC("tc")
int line_turn(struct __sk_buff *skb)
{
	return bpf_redirect(skb->ifindex, 0);
}

SEC("tc")
int line_depart(struct __sk_buff *skb)
{
	return fq_schedule(skb);
}
