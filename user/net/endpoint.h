/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses and ports, and their text. Pure functions; device.h and route.h read the live host. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "util/error.h"

/* An IP address, IPv4 as ::ffff:a.b.c.d, network order; ports in host order. */
struct endpoint {
	uint8_t address[16];
	uint16_t port;      /* 0: any */
	uint16_t last_port; /* of a range that starts at port; 0: port is the only one */
	uint8_t prefix; /* bits of address that count, of 128; 128: one address, 0 in an endpoint made by hand, too */
	char zone[16];  /* of a link-local address: its device; "": none given */
};

/*
 * Parses "1.2.3.4", "1.2.3.4:80", "1.2.3.4:80-90", "fd00::1", "[fd00::1]:80", and networks, "10.0.0.0/8", "fd00::/64".
 * Returns 0, or -EINVAL with err set.
 */
int endpoint_parse(struct endpoint *out, const char *text, struct error *err);
/* What a peer may be besides: a link-local address with its zone, "fe80::1%eth0". */
int endpoint_parse_peer(struct endpoint *out, const char *text, struct error *err);

/* "NAME", "NAME:80" or "NAME:80-90" of a host, to be looked up. */
#define HOST_NAME_SIZE 254
struct host_name {
	char name[HOST_NAME_SIZE];
	uint16_t port, last_port; /* as in struct endpoint */
};
/* Returns false if text is no host name: an address, or neither. */
bool host_name_parse(struct host_name *out, const char *text);

/* The address of 4 (IPv4) or 16 bytes in network order, any port; false for other sizes. */
bool endpoint_from_bytes(struct endpoint *out, const void *bytes, size_t size);
/* The same of an AF_INET or AF_INET6 address; false for other families and NULL. */
bool endpoint_from_sockaddr(struct endpoint *out, const struct sockaddr *sa);

/* With its first port, for connect(). Returns the length of what is in *out. */
socklen_t endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *out);

/* The number of ports; 1 for any port. */
unsigned int endpoint_port_count(const struct endpoint *endpoint);
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
