/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Decides which packets a fault affects, for all network chaos types. Hash lookups, so the cost does not grow with the
 * number of rules, and one lookup by prefix if peers are networks; a packet that is not to or from a peer costs one of
 * each.
 */
#pragma once

#include "common.bpf.h"
#include "eval_net.h"

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8
#define ETH_HLEN 14
#define VLAN_VID_MASK 0x0fff
#define VLAN_TAGS_MAX 2
#define IP_OFFSET_MASK 0x1fff
#define IPV6_EXTENSIONS_MAX 6
/* Macros of UAPI in6.h, which vmlinux.h does not have. */
#define IPPROTO_HOPOPTS 0
#define IPPROTO_ROUTING 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_ICMPV6 58
#define IPPROTO_DSTOPTS 60
/* RFC 4861: router and neighbour solicitation and advertisement, redirect. */
#define ND_TYPE_FIRST 133
#define ND_TYPE_LAST 137

/* UAPI verdicts of tcx; TCX_NEXT lets programs behind ours run too. */
#define TCX_NEXT (-1)
#define TCX_DROP 2

/* An index that no device has: a redirect to it frees the packet, and the sender sees success. */
#define NO_IFINDEX 0x7fffffff

const volatile struct eval_match_config match_config;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct eval_rule_key);
	__type(value, __u32);
} rules SEC(".maps");

/* Peers that are networks. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct eval_network_key);
	__type(value, __u32);
} networks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct eval_rule_key);
	__type(value, __u32);
} locals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u16);
	__type(value, __u32);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct eval_protect_key);
	__type(value, __u32);
} protect SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EVAL_PEERS_COUNTED *EVAL_DIRECTIONS);
	__type(key, __u32);
	__type(value, __u64);
} peer_hits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, struct eval_unmatched_key);
	__type(value, __u64);
} unmatched SEC(".maps");

/* Flows that the node's cgroup sends, learned on egress: on ingress a packet has no socket yet. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct eval_flow_key);
	__type(value, __u32);
} learned SEC(".maps");

static __always_inline void address_from_ipv4(__u8 out[16], __be32 address)
{
	__u32 *words = (__u32 *)out;

	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = address;
}

static __always_inline bool has_ports(__u32 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

/*
 * The source of a packet: an skb, or an XDP frame between data and end. is_frame is a constant in every program, so the
 * other branch is not compiled: 6.1's verifier does not know that a program's context is never NULL.
 */
struct packet_source {
	struct __sk_buff *skb;
	void *data, *end;
	bool is_frame;
};

static __always_inline int packet_load(const struct packet_source *from, __u32 offset, void *to, const __u32 size)
{
	if (!from->is_frame)
		return bpf_skb_load_bytes(from->skb, offset, to, size);
	if (offset > 512 || from->data + offset + size > from->end)
		return -1;
	__builtin_memcpy(to, from->data + offset, size);
	return 0;
}

static __always_inline int packet_load_ports(const struct packet_source *from, __u32 offset, struct eval_flow_key *flow)
{
	__be16 pair[2];

	if (packet_load(from, offset, pair, sizeof(pair)))
		return -1;
	flow->source_port = bpf_ntohs(pair[0]);
	flow->destination_port = bpf_ntohs(pair[1]);
	return 0;
}

/* Extension headers. If the protocol of a parsed flow is one of them, its transport header was not reached. */
static __always_inline bool is_extension(__u32 protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_FRAGMENT ||
	       protocol == IPPROTO_AH || protocol == IPPROTO_DSTOPTS;
}

/* The length in bytes of an extension header; units is its second byte. */
static __always_inline __u32 extension_bytes(__u8 protocol, __u8 units)
{
	if (protocol == IPPROTO_FRAGMENT)
		return 8;
	return protocol == IPPROTO_AH ? (units + 2) * 4 : (units + 1) * 8;
}

static __always_inline int packet_parse_ipv4(const struct packet_source *from, __u32 offset, struct eval_flow_key *flow)
{
	struct iphdr ip;

	if (packet_load(from, offset, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
		return -1;
	address_from_ipv4(flow->source, ip.saddr);
	address_from_ipv4(flow->destination, ip.daddr);
	flow->protocol = ip.protocol;
	/* Only the first fragment has ports; later fragments match by address alone. */
	if (ip.frag_off & bpf_htons(IP_OFFSET_MASK))
		return 0;
	offset += ip.ihl * 4;
	if (ip.protocol == IPPROTO_AH) {
		__u8 extension[2];

		if (packet_load(from, offset, extension, sizeof(extension)))
			return 0;
		flow->protocol = extension[0];
		offset += extension_bytes(IPPROTO_AH, extension[1]);
	}
	if (has_ports(flow->protocol))
		packet_load_ports(from, offset, flow);
	return 0;
}

/* Like ARP, it passes: a partition that dropped it would end the protected ssh to the peer, and last beyond its end. */
static __always_inline bool is_neighbour_discovery(const struct packet_source *from, __u32 offset)
{
	__u8 type;

	return !packet_load(from, offset, &type, sizeof(type)) && type >= ND_TYPE_FIRST && type <= ND_TYPE_LAST;
}

static __always_inline int packet_parse_ipv6(const struct packet_source *from, __u32 offset, struct eval_flow_key *flow)
{
	struct ipv6hdr ip;
	__u8 next;

	if (packet_load(from, offset, &ip, sizeof(ip)) || ip.version != 6)
		return -1;
	__builtin_memcpy(flow->source, &ip.saddr, 16);
	__builtin_memcpy(flow->destination, &ip.daddr, 16);
	next = ip.nexthdr;
	offset += sizeof(ip);
#pragma unroll
	for (int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
		__u8 extension[4];

		if (!is_extension(next))
			break;
		if (packet_load(from, offset, extension, sizeof(extension)))
			return -1;
		if (next == IPPROTO_FRAGMENT && (extension[2] << 8 | extension[3]) & 0xfff8) {
			flow->protocol = extension[0];
			return 0;
		}
		offset += extension_bytes(next, extension[1]);
		next = extension[0];
	}
	flow->protocol = next;
	if (has_ports(next))
		packet_load_ports(from, offset, flow);
	return next == IPPROTO_ICMPV6 && is_neighbour_discovery(from, offset) ? -1 : 0;
}

/*
 * A frame with VLAN 0 carries only a priority and belongs to the device, like an untagged frame (commit 36b2f61a42c2).
 * -1: another VLAN's frame, whose own device sees it without the tag.
 */
static __always_inline int packet_skip_tags(const struct packet_source *from, __be16 *ethertype, __u32 *offset)
{
	if (!from->is_frame && from->skb->vlan_present && from->skb->vlan_tci & VLAN_VID_MASK)
		return -1;
#pragma unroll
	for (int i = 0; i < VLAN_TAGS_MAX; i++) {
		__be16 tag[2];

		if (*ethertype != bpf_htons(ETH_P_8021Q) && *ethertype != bpf_htons(ETH_P_8021AD))
			return 0;
		if (packet_load(from, *offset, tag, sizeof(tag)) || tag[0] & bpf_htons(VLAN_VID_MASK))
			return -1;
		*ethertype = tag[1];
		*offset += sizeof(tag);
	}
	return 0;
}

/* -1 for packets that never match: not IP (ARP, LLDP), another VLAN's, neighbour discovery. */
static __always_inline int packet_parse(const struct packet_source *from, __be16 ethertype, struct eval_flow_key *flow)
{
	__u32 offset = match_config.l3_offset;

	__builtin_memset(flow, 0, sizeof(*flow));
	if (packet_skip_tags(from, &ethertype, &offset))
		return -1;
	if (ethertype == bpf_htons(ETH_P_IP))
		return packet_parse_ipv4(from, offset, flow);
	if (ethertype == bpf_htons(ETH_P_IPV6))
		return packet_parse_ipv6(from, offset, flow);
	return -1;
}

static __always_inline __u32 rule_find(void *map, const __u8 address[16], __u16 port)
{
	struct eval_rule_key key = {.port = port};
	const __u32 *rule;

	__builtin_memcpy(key.address, address, 16);
	rule = bpf_map_lookup_elem(map, &key);
	return rule ? *rule : 0;
}

/* The rule for a peer's address with any port. */
static __always_inline __u32 peer_find(const __u8 address[16])
{
	struct eval_network_key key = {.bits = 128};
	__u32 rule = rule_find(&rules, address, 0);
	const __u32 *network;

	if (!match_config.has_networks || rule & EVAL_RULE_MATCH)
		return rule;
	__builtin_memcpy(key.address, address, 16);
	network = bpf_map_lookup_elem(&networks, &key);
	return network ? *network : rule;
}

/* local is the target's own address if port is the target's, NULL if port is the other end's. */
static __always_inline bool port_is_protected(__u8 protocol, __u16 port, const __u8 *local)
{
	struct eval_protect_key key = {.port = port, .protocol = protocol};

	if (bpf_map_lookup_elem(&protect, &key))
		return true;
	if (!local)
		return false;
	key.local_only = 1;
	if (bpf_map_lookup_elem(&protect, &key))
		return true;
	__builtin_memcpy(key.address, local, 16);
	return bpf_map_lookup_elem(&protect, &key);
}

static __always_inline bool protocol_matches(__u32 protocol)
{
	if (!match_config.protocol || protocol == match_config.protocol)
		return true;
	return match_config.protocol == IPPROTO_ICMP && protocol == IPPROTO_ICMPV6;
}

static __always_inline bool port_matches(const struct eval_flow_key *flow)
{
	return bpf_map_lookup_elem(&ports, &flow->source_port) || bpf_map_lookup_elem(&ports, &flow->destination_port);
}

/* Egress: the node's cgroup sends the packet. Ingress: the cgroup has sent packets of the reverse flow. */
static __always_inline bool cgroup_matches(struct __sk_buff *skb, const struct eval_flow_key *flow, __u32 direction)
{
	struct eval_flow_key reverse;
	__u32 one = 1;

	if (direction == EVAL_EGRESS) {
		const volatile struct eval_ctl *ctl = fault_ctl();

		/* 0 never matches: the cgroup does not exist now, or the sender's has no ancestor at that level. */
		if (!skb || !ctl || !ctl->cgroup_id ||
		    bpf_skb_ancestor_cgroup_id(skb, match_config.cgroup_level) != ctl->cgroup_id)
			return false;
		bpf_map_update_elem(&learned, flow, &one, BPF_ANY);
		return true;
	}
	__builtin_memcpy(reverse.source, flow->destination, 16);
	__builtin_memcpy(reverse.destination, flow->source, 16);
	reverse.source_port = flow->destination_port;
	reverse.destination_port = flow->source_port;
	reverse.protocol = flow->protocol;
	return bpf_map_lookup_elem(&learned, &reverse);
}

/*
 * A later fragment has no ports: it counts as protected if any port of its protocol is. A packet whose transport header
 * was not reached counts as protected if any port is.
 */
static __always_inline bool packet_is_protected(const struct eval_flow_key *flow, const __u8 *local, __u16 local_port,
						__u16 remote_port)
{
	if (is_extension(flow->protocol))
		return match_config.protect_tcp || match_config.protect_udp;
	if (flow->protocol == IPPROTO_TCP ? !match_config.protect_tcp
					  : flow->protocol != IPPROTO_UDP || !match_config.protect_udp)
		return false;
	if (!local_port && !remote_port)
		return true;
	return port_is_protected(flow->protocol, local_port, local) ||
	       port_is_protected(flow->protocol, remote_port, NULL);
}

/* The value of the peer's rule if the packet is between the node and one of the peers and is not protected, else 0. */
static __always_inline __u32 packet_matches(struct __sk_buff *skb, const struct eval_flow_key *flow, __u32 direction)
{
	const __u8 *local = direction == EVAL_EGRESS ? flow->source : flow->destination;
	const __u8 *remote = direction == EVAL_EGRESS ? flow->destination : flow->source;
	__u16 local_port = direction == EVAL_EGRESS ? flow->source_port : flow->destination_port;
	__u16 remote_port = direction == EVAL_EGRESS ? flow->destination_port : flow->source_port;
	__u32 rule = match_config.peers_all ? EVAL_RULE_MATCH : peer_find(remote);
	bool own_port = false;

	if (!rule || !protocol_matches(flow->protocol))
		return 0;
	if (match_config.has_ports && !port_matches(flow))
		return 0;
	if (!match_config.locals_any) {
		own_port = local_port && rule_find(&locals, local, local_port);
		if (!own_port && !rule_find(&locals, local, 0) &&
		    !(match_config.has_cgroup && cgroup_matches(skb, flow, direction)))
			return 0;
	}
	if (!(rule & EVAL_RULE_MATCH) && !own_port) {
		rule = rule_find(&rules, remote, remote_port);
		if (!(rule & EVAL_RULE_MATCH))
			return 0;
	}
	return packet_is_protected(flow, local, local_port, remote_port) ? 0 : rule;
}

/* Tells the operator of a fault that hits nothing what passes instead. */
static __always_inline void unmatched_count(const struct eval_stats *stats, const struct eval_flow_key *flow,
					    __u32 direction)
{
	struct eval_unmatched_key key = {.direction = direction};
	__u64 one = 1, *count;

	if (stats->hit || stats->seen > EVAL_UNMATCHED_SEEN)
		return;
	__builtin_memcpy(key.address, direction == EVAL_EGRESS ? flow->destination : flow->source, 16);
	count = bpf_map_lookup_elem(&unmatched, &key);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&unmatched, &key, &one, BPF_ANY);
}

static __always_inline void peer_count_hit(__u32 rule, __u32 direction)
{
	__u32 key = ((rule >> EVAL_RULE_PEER_SHIFT) - 1) * EVAL_DIRECTIONS + direction;
	__u64 *hits = rule >> EVAL_RULE_PEER_SHIFT ? bpf_map_lookup_elem(&peer_hits, &key) : NULL;

	if (hits)
		++*hits;
}

/* The egress hook of an ingress-only fault: learns which flows the node's cgroup sends, so that ingress can match. */
static __always_inline int learn_egress(struct __sk_buff *skb)
{
	struct packet_source from = {.skb = skb};
	struct eval_flow_key flow;

	if (fault_is_live(bpf_ktime_get_ns()) && !packet_parse(&from, skb->protocol, &flow))
		cgroup_matches(skb, &flow, EVAL_EGRESS);
	return TCX_NEXT;
}
