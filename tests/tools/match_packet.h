/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The packets of match.c, made from words. */
#pragma once

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define PRIORITY 0x6000

enum way { OUT, IN };

/*
 * The kernel takes the type of what it runs from bytes 12 and 13, also where there is no Ethernet header: there these
 * are the start of an IPv4 source, and in the middle of an IPv6 one.
 */
enum end { NODE_END = 1, PEER_END, STRANGER_END, ALIAS_END };

static void address4(uint8_t out[4], enum end end)
{
	memcpy(out, (uint8_t[]){8, 0, 0, (uint8_t)end}, 4);
}

static void address6(uint8_t out[16], enum end end)
{
	memset(out, 0, 16);
	memcpy(out, (uint8_t[]){0xfd, 0, 0, 0, 0x86, 0xdd}, 6);
	out[15] = (uint8_t)end;
}

struct packet {
	uint8_t data[512];
	size_t size, last;  /* where the last header starts */
	uint8_t *next_type; /* of the header before: what comes next; two bytes long in front of IP */
	bool next_is_ip;
	size_t v4; /* where the IPv4 header starts */
	bool is_v4;
	enum way way;
	enum end local, remote;
	int offloaded; /* -1: no such tag */
};

static uint8_t *header_add(struct packet *packet, uint16_t type, size_t size)
{
	uint8_t *header = packet->data + packet->size;

	if (packet->next_type && packet->next_is_ip)
		packet->next_type[0] = (uint8_t)(type >> 8);
	if (packet->next_type)
		packet->next_type[packet->next_is_ip] = (uint8_t)type;
	packet->last = packet->size;
	packet->size += size;
	return header;
}

static void ethernet_add(struct packet *packet)
{
	packet->next_type = header_add(packet, 0, ETH_HLEN) + 12;
	packet->next_is_ip = true;
}

static void tag_add(struct packet *packet, uint16_t type, int vid)
{
	uint8_t *header = header_add(packet, type, 4);
	uint16_t tci = htons((uint16_t)(PRIORITY | vid));

	memcpy(header, &tci, sizeof(tci));
	packet->next_type = header + 2;
}

static void v4_add(struct packet *packet, int words)
{
	uint8_t *header;

	packet->v4 = packet->size;
	packet->is_v4 = true;
	header = header_add(packet, ETH_P_IP, (size_t)(20 + 4 * words));
	header[0] = (uint8_t)(0x45 + words);
	header[8] = 64;
	/* The end of the list, whatever follows. */
	address4(header + 12, packet->way == OUT ? packet->local : packet->remote);
	address4(header + 16, packet->way == OUT ? packet->remote : packet->local);
	packet->next_type = header + 9;
	packet->next_is_ip = false;
}

static void v6_add(struct packet *packet)
{
	uint8_t *header = header_add(packet, ETH_P_IPV6, 40);

	header[0] = 0x60;
	header[7] = 64;
	address6(header + 8, packet->way == OUT ? packet->local : packet->remote);
	address6(header + 24, packet->way == OUT ? packet->remote : packet->local);
	packet->next_type = header + 6;
	packet->next_is_ip = false;
}

static void extension_add(struct packet *packet, uint8_t type, int length)
{
	size_t size = (size_t)(type == IPPROTO_AH ? (length + 2) * 4 : (length + 1) * 8);

	packet->next_type = header_add(packet, type, size);
	packet->next_type[1] = (uint8_t)length;
}

/* field: offset in units of 8 bytes, and whether more follow. */
static void fragment_add(struct packet *packet, unsigned int offset, bool more)
{
	uint16_t field = htons((uint16_t)(packet->is_v4 ? offset | more << 13 : offset << 3 | more));

	if (packet->is_v4) {
		memcpy(packet->data + packet->v4 + 6, &field, sizeof(field));
		return;
	}
	packet->next_type = header_add(packet, IPPROTO_FRAGMENT, 8);
	memcpy(packet->next_type + 2, &field, sizeof(field));
}

static void ports_add(struct packet *packet, uint8_t type, int remote, int local)
{
	uint8_t *header = header_add(packet, type, 20);
	uint16_t pair[2] = {htons((uint16_t)remote), htons((uint16_t)local)};

	memcpy(header, &pair[packet->way == OUT], 2);
	memcpy(header + 2, &pair[packet->way == IN], 2);
}

/* word: "tcp:2379:7000". */
static bool word_add(struct packet *packet, char *word)
{
	static const struct {
		const char *name;
		uint8_t type;
		int length; /* -1: it has ports */
	} headers[] = {{"hop", IPPROTO_HOPOPTS, 0}, {"route", IPPROTO_ROUTING, 0}, {"dst", IPPROTO_DSTOPTS, 0},
		       {"ah", IPPROTO_AH, 4},       {"tcp", IPPROTO_TCP, -1},      {"udp", IPPROTO_UDP, -1},
		       {"sctp", IPPROTO_SCTP, -1}};
	const char *name = strsep(&word, ":");
	const char *first = strsep(&word, ":");
	int a = first ? atoi(first) : 0;

	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		if (strcmp(name, headers[i].name))
			continue;
		if (headers[i].length < 0)
			ports_add(packet, headers[i].type, first ? a : 40000, word ? atoi(word) : 7000);
		else
			extension_add(packet, headers[i].type, first ? a : headers[i].length);
		return true;
	}
	if (!strcmp(name, "vlan"))
		tag_add(packet, ETH_P_8021Q, a);
	else if (!strcmp(name, "qinq"))
		tag_add(packet, ETH_P_8021AD, a);
	else if (!strcmp(name, "offload"))
		packet->offloaded = PRIORITY | a;
	else if (!strcmp(name, "stranger"))
		packet->remote = STRANGER_END;
	else if (!strcmp(name, "alias"))
		packet->local = ALIAS_END;
	else if (!strcmp(name, "arp"))
		header_add(packet, ETH_P_ARP, 28);
	else if (!strcmp(name, "v4"))
		v4_add(packet, a);
	else if (!strcmp(name, "v6"))
		v6_add(packet);
	else if (!strcmp(name, "first"))
		fragment_add(packet, 0, true);
	else if (!strcmp(name, "later"))
		fragment_add(packet, 185, true);
	else if (!strcmp(name, "whole"))
		fragment_add(packet, 0, false);
	else if (!strcmp(name, "icmp"))
		header_add(packet, IPPROTO_ICMP, 8)[0] = (uint8_t)a;
	else if (!strcmp(name, "icmp6"))
		header_add(packet, IPPROTO_ICMPV6, 8)[0] = (uint8_t)a;
	else if (!strcmp(name, "esp"))
		header_add(packet, IPPROTO_ESP, 24);
	else if (!strcmp(name, "cut"))
		packet->size = packet->last + (size_t)a;
	else
		return false;
	return true;
}

static void packet_build(struct packet *packet, const char *text, enum way way)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *word;

	*packet = (struct packet){.way = way, .local = NODE_END, .remote = PEER_END, .offloaded = -1};
	if (strncmp(text, "raw ", 4))
		ethernet_add(packet);
	else
		(void)strsep(&rest, " ");
	while ((word = strsep(&rest, " "))) {
		if (word_add(packet, word))
			continue;
		fprintf(stderr, "match: what is '%s' in '%s'?\n", word, text);
		exit(1);
	}
}
