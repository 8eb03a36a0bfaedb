/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "net/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "util/text.h"

static const uint8_t ipv4_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* Parses 1…65535 in plain digits; 0 if text is anything else. */
static uint16_t port_parse(const char *text)
{
	size_t length = strspn(text, "0123456789");
	unsigned int port = 0;

	if (!length || length > 5 || text[length] || text[0] == '0')
		return 0;
	for (size_t i = 0; i < length; i++)
		port = port * 10 + (unsigned int)(text[i] - '0');
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static bool address_parse(uint8_t out[16], const char *text, size_t length)
{
	char copy[INET6_ADDRSTRLEN];

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	if (strchr(copy, ':'))
		return inet_pton(AF_INET6, copy, out) == 1;
	memcpy(out, ipv4_prefix, sizeof(ipv4_prefix));
	return inet_pton(AF_INET, copy, out + sizeof(ipv4_prefix)) == 1;
}

int endpoint_parse(struct endpoint *out, const char *text, struct error *err)
{
	const char *address = text, *end = text + strlen(text), *port = NULL;
	const char *colon = strrchr(text, ':');
	struct endpoint parsed = {0};

	if (text[0] == '[') {
		address = text + 1;
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':') || !memchr(address, ':', (size_t)(end - address)))
			return error_set(err, -EINVAL, "'%.*s' is not an address: write [IPv6]:PORT",
					 text_cut(text, 80), text);
		if (end[1])
			port = end + 2;
	} else if (colon && strchr(text, ':') == colon) {
		end = colon;
		port = colon + 1;
	}
	if (!address_parse(parsed.address, address, (size_t)(end - address)))
		return error_set(err, -EINVAL,
				 "'%.*s' is not an IP address: write 10.0.0.1, 10.0.0.1:2380, fd00::1 or "
				 "[fd00::1]:2380 (names are not looked up)",
				 text_cut(text, 80), text);
	if (port) {
		parsed.port = port_parse(port);
		if (!parsed.port)
			return error_set(err, -EINVAL, "'%.*s' has no valid port: write 1 to 65535", text_cut(text, 80),
					 text);
	}
	*out = parsed;
	return 0;
}

bool endpoint_is_ipv4(const struct endpoint *endpoint)
{
	return !memcmp(endpoint->address, ipv4_prefix, sizeof(ipv4_prefix));
}

const char *endpoint_format(const struct endpoint *endpoint, char out[ENDPOINT_TEXT_SIZE])
{
	bool ipv4 = endpoint_is_ipv4(endpoint);
	char address[INET6_ADDRSTRLEN];

	inet_ntop(ipv4 ? AF_INET : AF_INET6, endpoint->address + (ipv4 ? sizeof(ipv4_prefix) : 0), address,
		  sizeof(address));
	if (!endpoint->port)
		snprintf(out, ENDPOINT_TEXT_SIZE, "%s", address);
	else
		snprintf(out, ENDPOINT_TEXT_SIZE, ipv4 ? "%s:%u" : "[%s]:%u", address, endpoint->port);
	return out;
}

int protect_parse(struct protect_port *out, const char *text, struct error *err)
{
	struct protect_port parsed = {.protocol = !strncmp(text, "tcp/", 4)   ? IPPROTO_TCP
						  : !strncmp(text, "udp/", 4) ? IPPROTO_UDP
									      : 0};

	if (parsed.protocol)
		parsed.port = port_parse(text + 4);
	if (!parsed.port)
		return error_set(err, -EINVAL,
				 "'%.*s' is not a port to protect: write tcp/PORT or udp/PORT, like tcp/22",
				 text_cut(text, 80), text);
	*out = parsed;
	return 0;
}

const char *protect_format(const struct protect_port *protect, char out[ENDPOINT_TEXT_SIZE])
{
	static const uint8_t any[16];
	struct endpoint own = {.port = protect->port};
	char text[ENDPOINT_TEXT_SIZE];

	memcpy(own.address, protect->address, sizeof(own.address));
	if (!protect->local_only)
		snprintf(out, ENDPOINT_TEXT_SIZE, "%s/%u", protect->protocol == IPPROTO_UDP ? "udp" : "tcp",
			 protect->port);
	else if (!memcmp(protect->address, any, sizeof(any)))
		snprintf(out, ENDPOINT_TEXT_SIZE, "sshd *:%u", protect->port);
	else
		snprintf(out, ENDPOINT_TEXT_SIZE, "sshd %.58s", endpoint_format(&own, text));
	return out;
}
