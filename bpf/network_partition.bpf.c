// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* network_partition: drops packets between the node and its peers. */
#include "net/match.bpf.h"

static __always_inline bool packet_is_cut(struct __sk_buff *skb, const struct packet_source *from, __be16 ethertype,
					  __u32 direction, __u32 bytes)
{
	__u64 now_ns = bpf_ktime_get_ns();
	struct eval_flow_key flow;
	struct eval_stats *stats;
	__u32 rule;

	if (!fault_is_live(now_ns))
		return false;
	stats = stats_of(direction);
	if (!stats)
		return false;
	stats->seen++;
	if (packet_parse(from, ethertype, &flow))
		return false;
	rule = packet_matches(skb, &flow, direction);
	if (!rule) {
		unmatched_count(stats, &flow, direction);
		return false;
	}
	stats_count_hit(stats, now_ns, bytes);
	peer_count_hit(rule, direction);
	return true;
}

SEC("tc")
int drop_egress(struct __sk_buff *skb)
{
	struct packet_source from = {.skb = skb};

	if (!packet_is_cut(skb, &from, skb->protocol, EVAL_EGRESS, skb->len))
		return TCX_NEXT;
	/*
	 * TCX_DROP is reported to the sender: TCP takes it for congestion of the host's own queue and probes every
	 * 500 ms, which it does not do with a cut cable. A redirect's result is not reported.
	 */
	return bpf_redirect(NO_IFINDEX, 0);
}

SEC("tc")
int drop_ingress(struct __sk_buff *skb)
{
	struct packet_source from = {.skb = skb};

	return packet_is_cut(skb, &from, skb->protocol, EVAL_INGRESS, skb->len) ? TCX_DROP : TCX_NEXT;
}

SEC("tc")
int learn(struct __sk_buff *skb)
{
	return learn_egress(skb);
}

SEC("xdp")
int drop_xdp(struct xdp_md *xdp)
{
	struct packet_source from = {.data = (void *)(long)xdp->data,
				     .end = (void *)(long)xdp->data_end,
				     .is_frame = true};
	struct ethhdr ethernet;

	if (packet_load(&from, 0, &ethernet, sizeof(ethernet)))
		return XDP_PASS;
	return packet_is_cut(NULL, &from, ethernet.h_proto, EVAL_INGRESS, xdp->data_end - xdp->data) ? XDP_DROP
												     : XDP_PASS;
}
