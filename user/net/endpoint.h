/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses and ports, and their text. Pure functions; device.h and route.h read the live host. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/error.h"

/* An IP address, IPv4 as ::ffff:a.b.c.d, network order; port in host order, 0 = any. */
struct endpoint {
	uint8_t address[16];
	uint16_t port;
};

/* Parses "1.2.3.4", "1.2.3.4:80", "fd00::1", "[fd00::1]:80". Returns 0, or -EINVAL with err set. */
int endpoint_parse(struct endpoint *out, const char *text, struct error *err);
#define ENDPOINT_TEXT_SIZE 64
const char *endpoint_format(const struct endpoint *endpoint, char out[ENDPOINT_TEXT_SIZE]);
bool endpoint_is_ipv4(const struct endpoint *endpoint);

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
