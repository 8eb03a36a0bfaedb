/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses and ports, and their text. Pure functions; device.h and route.h read the live host. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/error.h"

/* An IP address, IPv4 as ::ffff:a.b.c.d, network order; port in host order, 0 = any. */
struct endpoint {
	uint8_t address[16];
	uint16_t port;  /* 0: any */
	uint8_t prefix; /* bits of address that count, of 128; 128: one address, 0 in an endpoint made by hand, too */
	char zone[16];  /* of a link-local address: its device; "": none given */
};

/* Parses "1.2.3.4", "1.2.3.4:80", "fd00::1", "[fd00::1]:80". Returns 0, or -EINVAL with err set. */
int endpoint_parse(struct endpoint *out, const char *text, struct error *err);
/* What a peer may be besides: a network "10.0.0.0/8", "fd00::/64", or an address with its zone, "fe80::1%eth0". */
int endpoint_parse_peer(struct endpoint *out, const char *text, struct error *err);
bool endpoint_is_network(const struct endpoint *endpoint);
/* True if the address is the endpoint's, or in its network. */
bool endpoint_covers(const struct endpoint *endpoint, const uint8_t address[16]);
#define ENDPOINT_TEXT_SIZE 80
const char *endpoint_format(const struct endpoint *endpoint, char out[ENDPOINT_TEXT_SIZE]);
bool endpoint_is_ipv4(const struct endpoint *endpoint);
bool endpoint_is_link_local(const struct endpoint *endpoint); /* fe80::/10 */

struct protect_port {
	uint8_t protocol;    /* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t port;       /* host order */
	bool local_only;     /* protected only as the target's own port: sshd's */
	uint8_t address[16]; /* with local_only: the target's address; all zero = any */
};
/* Parses "tcp/22" or "udp/53". */
int protect_parse(struct protect_port *out, const char *text, struct error *err);
/* Writes "tcp/22"; for sshd "sshd 10.0.0.5:2222", on any address "sshd *:2222". */
const char *protect_format(const struct protect_port *protect, char out[ENDPOINT_TEXT_SIZE]);
