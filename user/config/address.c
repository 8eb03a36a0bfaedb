/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Checks the members' addresses in every instance: each is valid, and no two overlap. */
#include <arpa/inet.h>
#include <string.h>

#include "config/placeholder.h"
#include "config/reader.h"
#include "net/endpoint.h"
#include "util/array.h"

#define LOCATED_MAX 16384 /* comparing all pairs takes a tenth of a second */

/* A member's address in one instance. */
struct located {
	struct endpoint endpoint;
	const struct node *node; /* not expanded */
	unsigned int instance;
	char *netns; /* expanded; NULL: the host's */
	struct place place;
};

struct located_list {
	struct located *items;
	size_t count, room;
	bool is_full; /* an address was left out, which is an error */
};

static void located_clear(struct located_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].netns);
	free(list->items);
}

static bool is_loopback(const struct endpoint *endpoint)
{
	static const uint8_t one[16] = {[15] = 1};

	return endpoint_is_ipv4(endpoint) ? endpoint->address[12] == 127 : !memcmp(endpoint->address, one, sizeof(one));
}

/* Returns why the endpoint cannot be a member's address, or NULL if it can. */
static const char *unusable(const struct endpoint *endpoint)
{
	static const uint8_t zero[16];
	const uint8_t *a = endpoint->address;

	if (endpoint_is_ipv4(endpoint)) {
		if (a[12] == 0)
			return "it stands for every address";
		if (a[12] >= 224 && a[12] < 240)
			return "it is multicast";
		return a[12] == 255 && a[13] == 255 && a[14] == 255 && a[15] == 255 ? "it is broadcast" : NULL;
	}
	if (!memcmp(a, zero, sizeof(zero)))
		return "it stands for every address";
	return a[0] == 0xff ? "it is multicast" : NULL;
}

/* Reports one problem per place, however many instances are wrong. */
static bool check_one(struct reader *reader, const struct place *place, const char *text, const struct node *node,
		      bool is_peer, struct endpoint *endpoint)
{
	struct error err = {0};
	const char *why;

	if (problem_exists(reader, place))
		return false;
	if ((is_peer ? endpoint_parse_peer : endpoint_parse)(endpoint, text, &err) < 0) {
		problem_error(reader, place, "%s", err.text);
		return false;
	}
	why = unusable(endpoint);
	if (why) {
		problem_error(reader, place, "'%s' cannot be a node's address: %s", text, why);
		return false;
	}
	if (is_loopback(endpoint) && !node->netns) {
		problem_error(reader, place,
			      "'%s' is loopback of this host, which is not yet supported: give the node an address of "
			      "its own, or a netns",
			      text);
		return false;
	}
	return true;
}

static const struct ynode *nth_item(const struct ynode *list, size_t n)
{
	const struct ynode *item = list ? list_first(list) : NULL;

	while (item && n--)
		item = list_next(list, item);
	return item;
}

static void collect(struct reader *reader, const struct subject *subject, const struct node *node,
		    const struct ynode *ynode, unsigned int instance, struct located_list *list)
{
	const struct ynode *addresses = ynode_find(ynode, "address");
	bool is_peer = subject->peer_count && node >= subject->peers && node < subject->peers + subject->peer_count;
	struct node expanded = {0};
	struct endpoint endpoint;

	if (node_expand(&expanded, node, subject, instance, NULL) < 0) {
		reader->failed = true;
		return;
	}
	for (size_t i = 0; i < expanded.addresses.count; i++) {
		const struct ynode *item = nth_item(addresses, i);
		const struct place *place = item ? &item->place : &node->place;
		struct located *grown;
		struct host_name name;

		/* Only the trial can look it up. */
		if (host_name_parse(&name, expanded.addresses.items[i]))
			continue;
		if (!check_one(reader, place, expanded.addresses.items[i], node, is_peer, &endpoint))
			continue;
		/* It may well have the addresses of nodes in it. */
		if (endpoint_is_network(&endpoint))
			continue;
		if (list->count == LOCATED_MAX) {
			if (!list->is_full)
				problem_error(reader, place, "more than %d addresses over all instances", LOCATED_MAX);
			list->is_full = true;
			break;
		}
		grown = array_reserve(list->items, list->count, &list->room, 64, sizeof(*grown));
		if (!grown) {
			reader->failed = true;
			break;
		}
		list->items = grown;
		grown[list->count++] = (struct located){.endpoint = endpoint,
							.node = node,
							.instance = instance,
							.netns = expanded.netns ? strdup(expanded.netns) : NULL,
							.place = *place};
	}
	node_clear(&expanded);
}

static bool same_ip(const struct endpoint *a, const struct endpoint *b)
{
	return !memcmp(a->address, b->address, sizeof(a->address));
}

/* An endpoint without a port covers all ports of its IP. */
static bool overlap(const struct endpoint *a, const struct endpoint *b)
{
	unsigned int a_end = a->port + endpoint_port_count(a), b_end = b->port + endpoint_port_count(b);

	return same_ip(a, b) && (!a->port || !b->port || (a->port < b_end && b->port < a_end));
}

static bool same_netns(const struct located *a, const struct located *b)
{
	return a->netns && b->netns ? !strcmp(a->netns, b->netns) : a->netns == b->netns;
}

static void report_overlap(struct reader *reader, const struct located *first, const struct located *second)
{
	char text[ENDPOINT_TEXT_SIZE], other[ENDPOINT_TEXT_SIZE];

	endpoint_format(&second->endpoint, text);
	if (first->node == second->node && first->instance == second->instance)
		problem_error(reader, &second->place, "node '%s' has the address %s twice", second->node->name, text);
	else if (first->node == second->node)
		problem_error(reader, &second->place,
			      "node '%s' has the address %s in instance %u and in instance %u: use {instance} in it",
			      second->node->name, text, first->instance, second->instance);
	else if (first->instance != second->instance)
		problem_error(reader, &second->place,
			      "node '%s' of instance %u and node '%s' of instance %u have one address, %s",
			      second->node->name, second->instance, first->node->name, first->instance, text);
	else if (first->endpoint.port == second->endpoint.port &&
		 first->endpoint.last_port == second->endpoint.last_port)
		problem_error(reader, &second->place, "nodes '%s' and '%s' have one address, %s", first->node->name,
			      second->node->name, text);
	else
		problem_error(reader, &second->place, "%s of node '%s' and %s of node '%s' overlap%s", text,
			      second->node->name, endpoint_format(&first->endpoint, other), first->node->name,
			      first->endpoint.port && second->endpoint.port ? ""
									    : ": without a port it is the whole IP");
}

/* Reports each place once; other instances would repeat the message. */
static void check_overlaps(struct reader *reader, const struct located_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		for (size_t j = 0; j < i; j++) {
			const struct located *a = &list->items[j], *b = &list->items[i];

			if (!a->node->name || !b->node->name || !overlap(&a->endpoint, &b->endpoint))
				continue;
			if (a->instance != b->instance && !same_netns(a, b))
				continue;
			if (!problem_exists(reader, &b->place))
				report_overlap(reader, a, b);
			break;
		}
}

void check_addresses(struct reader *reader, size_t subject_index)
{
	const struct subject *subject = &reader->config->subjects[subject_index];
	const struct ynode *ynode = reader->subject_levels[subject_index].node;
	const struct ynode *nodes = ynode_find(ynode, "nodes"), *peers = ynode_find(ynode, "peers");
	struct located_list list = {0};

	for (unsigned int instance = 0; instance < subject->instances && !list.is_full; instance++) {
		for (size_t i = 0; i < subject->node_count; i++)
			collect(reader, subject, &subject->nodes[i], nth_item(nodes, i), instance, &list);
		for (size_t i = 0; i < subject->peer_count; i++)
			collect(reader, subject, &subject->peers[i], nth_item(peers, i), instance, &list);
	}
	if (!list.is_full)
		check_overlaps(reader, &list);
	located_clear(&list);
}

/* True if only the ports differ; check_overlaps reports equal addresses. */
static bool locateds_share_ip(const struct located *a, const struct located *b)
{
	return a->node != b->node && b->node->name && same_ip(&a->endpoint, &b->endpoint) &&
	       !overlap(&a->endpoint, &b->endpoint);
}

static bool collect_quietly(const struct subject *subject, const struct node *node, struct located_list *list)
{
	struct node expanded = {0};
	struct endpoint endpoint;
	bool good = node_expand(&expanded, node, subject, 0, NULL) == 0;

	for (size_t i = 0; good && i < expanded.addresses.count && list->count < LOCATED_MAX; i++)
		if (!endpoint_parse(&endpoint, expanded.addresses.items[i], NULL))
			list->items[list->count++] = (struct located){.endpoint = endpoint, .node = node};
	node_clear(&expanded);
	return good;
}

const struct node **nodes_sharing_ip(const struct subject *subject)
{
	const struct node **sharing = calloc(subject->node_count, sizeof(*sharing));
	struct located_list list = {.items = calloc(LOCATED_MAX, sizeof(struct located))};
	bool good = sharing && list.items;
	size_t of_nodes;

	for (size_t i = 0; good && i < subject->node_count; i++)
		good = collect_quietly(subject, &subject->nodes[i], &list);
	of_nodes = list.count;
	for (size_t i = 0; good && i < subject->peer_count; i++)
		good = collect_quietly(subject, &subject->peers[i], &list);
	for (size_t i = 0; good && i < of_nodes; i++) {
		size_t node = (size_t)(list.items[i].node - subject->nodes);

		for (size_t j = 0; j < list.count && !sharing[node]; j++)
			if (locateds_share_ip(&list.items[i], &list.items[j]))
				sharing[node] = list.items[j].node;
	}
	located_clear(&list);
	if (!good) {
		free(sharing);
		return NULL;
	}
	return sharing;
}
