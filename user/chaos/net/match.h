/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fills the config and the maps of bpf/net/match.bpf.h: which packets a fault affects. */
#pragma once

#include <bpf/libbpf.h>

#include "chaos/fault.h"
#include "eval_net.h"
#include "net/endpoint.h"

struct net_device;

/*
 * Before load: fills the config (the skeleton's .rodata) and sizes the maps, from the target and the params
 * `ports` and `protocol` if the chaos type has them.
 */
int net_match_prepare(struct bpf_object *obj, struct eval_match_config *config, const struct fault_spec *spec,
		      const struct net_device *device, struct error *err);
/* After load: fills the maps. */
int net_match_fill(struct bpf_object *obj, const struct fault_spec *spec, const struct net_device *device,
		   struct error *err);

struct net_peer_hits {
	__u64 in[EVAL_DIRECTIONS]; /* packets that matched */
};
/* Adds the hits of the target's first `count` peers, at most EVAL_PEERS_COUNTED. 0 or a negative errno. */
int net_match_add_hits(struct bpf_object *obj, struct net_peer_hits *sum, size_t count);

struct net_unmatched {
	struct endpoint endpoint; /* an address */
	enum eval_direction direction;
	__u64 packets;
};
/*
 * Adds the other ends of packets that did not match to list, which stays sorted by packets, the most first, and has at
 * most max entries.
 */
void net_match_list_unmatched(struct bpf_object *obj, struct net_unmatched *list, size_t max, size_t *count);
