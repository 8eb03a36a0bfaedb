/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "chaos/net/explain.h"

#include <string.h>

#include "chaos/evidence.h"
#include "chaos/net/match.h"
#include "kernel/stats.h"
#include "net/conntrack.h"
#include "net/endpoint.h"
#include "target/target.h"
#include "util/json.h"
#include "util/text.h"

#define SILENT_PEERS_NAMED 8
#define UNMATCHED_SHOWN 5
/* More are looked at: a service address may be a quiet one. */
#define UNMATCHED_MAX 64

static json_int_t hits_in(const json_t *devices, const char *direction)
{
	const json_t *device;
	json_int_t hits = 0;
	size_t i;

	json_array_foreach (devices, i, device)
		hits += json_integer_at(json_object_get(device, direction), "hit");
	return hits;
}

/* A fault in both directions that hit in one only is not what was asked for. */
static void note_silent_direction(json_t *evidence, const json_t *params, const json_t *devices)
{
	json_int_t egress = hits_in(devices, stats_directions[EVAL_EGRESS]);
	json_int_t ingress = hits_in(devices, stats_directions[EVAL_INGRESS]);

	if (strcmp(json_text_or(params, "direction", ""), "both") || !egress == !ingress)
		return;
	evidence_add_note(evidence, "direction is both, but no packet matched on %s (%s: %lld)",
			  egress ? "ingress" : "egress", egress ? "egress" : "ingress",
			  (long long)(egress ? egress : ingress));
}

/* A peer named with several ports counts as one: packets to the node's own ports are counted for the first. */
static bool address_has_hits(const struct target *target, const struct net_peer_hits *hits, size_t count, size_t peer)
{
	for (size_t i = 0; i < count; i++)
		if (!memcmp(target->peers[i].address, target->peers[peer].address, sizeof(target->peers[i].address)) &&
		    (hits[i].in[EVAL_EGRESS] || hits[i].in[EVAL_INGRESS]))
			return true;
	return false;
}

/* Of a fault that hit something: a peer without a hit may not be where the packets go. */
static void note_silent_peers(json_t *evidence, const struct target *target, const struct net_peer_hits *hits,
			      size_t count)
{
	char names[256] = "", text[ENDPOINT_TEXT_SIZE];
	size_t silent = 0;

	for (size_t i = 0; i < count; i++) {
		if (address_has_hits(target, hits, count, i))
			continue;
		if (silent++ < SILENT_PEERS_NAMED)
			text_append(names, sizeof(names), "%s%s", *names ? ", " : "",
				    endpoint_format(&target->peers[i], text));
	}
	if (silent && silent < count)
		evidence_add_note(evidence, "no packet matched of %zu of %zu peers, while others had some: %s%s",
				  silent, count, names, silent > SILENT_PEERS_NAMED ? ", …" : "");
}

static void add_peers(json_t *evidence, const struct target *target, const struct net_part *parts, size_t part_count)
{
	size_t count = target->peer_count < EVAL_PEERS_COUNTED ? target->peer_count : EVAL_PEERS_COUNTED;
	struct net_peer_hits hits[EVAL_PEERS_COUNTED] = {};
	char text[ENDPOINT_TEXT_SIZE];
	json_t *peers;

	if (!count)
		return;
	for (size_t i = 0; i < part_count; i++)
		if (net_match_add_hits(parts[i].obj, hits, count))
			return;
	peers = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(peers,
				      json_pack("{s:s, s:I, s:I}", "peer", endpoint_format(&target->peers[i], text),
						stats_directions[EVAL_EGRESS], (json_int_t)hits[i].in[EVAL_EGRESS],
						stats_directions[EVAL_INGRESS], (json_int_t)hits[i].in[EVAL_INGRESS]));
	json_object_set_new(evidence, "peers", peers);
	note_silent_peers(evidence, target, hits, count);
}

struct nat_search {
	const struct target *target;
	struct unmatched {
		struct net_unmatched seen;
		const struct endpoint *peer; /* that the address stands for; NULL: none */
	} * list;
	size_t count;
};

/* On one side of the translation an address is `shown`, on the other it is `other`. */
static void compare(struct nat_search *search, const struct endpoint *shown, const struct endpoint *other)
{
	const struct endpoint *peer = target_find_peer(search->target, other->address);

	if (!peer || !memcmp(shown->address, other->address, sizeof(shown->address)))
		return;
	for (size_t i = 0; i < search->count; i++)
		if (!memcmp(search->list[i].seen.endpoint.address, shown->address, sizeof(shown->address)))
			search->list[i].peer = peer;
}

static void visit_flow(const struct conntrack_flow *flow, void *data)
{
	compare(data, &flow->destination, &flow->reply_source);
	compare(data, &flow->reply_source, &flow->destination);
	compare(data, &flow->source, &flow->reply_destination);
	compare(data, &flow->reply_destination, &flow->source);
}

/* By the connections of this host, and of the target's own namespace: either may translate. */
static void search_nat(struct nat_search *search)
{
	int saved = -1;

	conntrack_visit_translated(visit_flow, search);
	if (!search->target->own_netns || target_enter_netns(search->target, &saved, NULL))
		return;
	conntrack_visit_translated(visit_flow, search);
	target_leave_netns(&saved);
}

static void add_unmatched(json_t *evidence, const struct target *target, const struct net_part *parts,
			  size_t part_count)
{
	struct net_unmatched seen[UNMATCHED_MAX] = {};
	struct unmatched list[UNMATCHED_MAX];
	struct nat_search search = {.target = target, .list = list};
	json_t *unmatched = json_array(), *one;
	char text[ENDPOINT_TEXT_SIZE];

	for (size_t i = 0; i < part_count; i++)
		net_match_list_unmatched(parts[i].obj, seen, UNMATCHED_MAX, &search.count);
	for (size_t i = 0; i < search.count; i++)
		list[i] = (struct unmatched){.seen = seen[i]};
	if (search.count)
		search_nat(&search);
	for (size_t i = 0; i < search.count; i++) {
		if (i >= UNMATCHED_SHOWN && !list[i].peer)
			continue;
		one = json_pack("{s:s, s:s, s:I}", "address", endpoint_format(&list[i].seen.endpoint, text),
				"direction", stats_directions[list[i].seen.direction], "packets",
				(json_int_t)list[i].seen.packets);
		if (list[i].peer)
			json_object_set_new(one, "peer", json_string(endpoint_format(list[i].peer, text)));
		json_array_append_new(unmatched, one);
	}
	json_object_set_new(evidence, "unmatched", unmatched);
}

void net_explain(json_t *evidence, const struct fault_spec *spec, const struct net_part *parts, size_t count)
{
	add_peers(evidence, spec->target, parts, count);
	if (!json_integer_at(evidence, "hit"))
		add_unmatched(evidence, spec->target, parts, count);
	note_silent_direction(evidence, spec->params, json_object_get(evidence, "devices"));
}
