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

/* Parses "80" or "80-90"; false if text is neither. */
static bool ports_parse(uint16_t *port, uint16_t *last_port, const char *text)
{
	const char *dash = strchr(text, '-');
	char first[8];

	*last_port = 0;
	if (!dash) {
		*port = port_parse(text);
		return *port;
	}
	snprintf(first, sizeof(first), "%.*s", (int)(dash - text), text);
	*port = port_parse(first);
	*last_port = port_parse(dash + 1);
	return *port && *last_port > *port;
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

/* The parts of "[ADDRESS%ZONE]:PORT" and "ADDRESS%ZONE/PREFIX"; NULL if absent. */
struct parts {
	const char *address, *address_end;
	const char *port, *prefix;
	const char *zone, *zone_end;
};

static bool split(struct parts *out, const char *text)
{
	const char *colon = strrchr(text, ':'), *slash = strchr(text, '/'), *percent;
	struct parts parts = {.address = text, .address_end = text + strlen(text)};

	if (text[0] == '[') {
		parts.address = text + 1;
		parts.address_end = strchr(text, ']');
		if (!parts.address_end || (parts.address_end[1] && parts.address_end[1] != ':') ||
		    !memchr(parts.address, ':', (size_t)(parts.address_end - parts.address)))
			return false;
		if (parts.address_end[1])
			parts.port = parts.address_end + 2;
	} else if (slash) {
		parts.address_end = slash;
		parts.prefix = slash + 1;
	} else if (colon && strchr(text, ':') == colon) {
		parts.address_end = colon;
		parts.port = colon + 1;
	}
	percent = memchr(parts.address, '%', (size_t)(parts.address_end - parts.address));
	if (percent) {
		parts.zone = percent + 1;
		parts.zone_end = parts.address_end;
		parts.address_end = percent;
	}
	*out = parts;
	return true;
}

/* Bits beyond the first prefix ones. */
static bool has_bits_after(const uint8_t address[16], unsigned int prefix)
{
	for (unsigned int bit = prefix; bit < 128; bit++)
		if (address[bit / 8] & (0x80 >> bit % 8))
			return true;
	return false;
}

static int parse_prefix(struct endpoint *out, const char *digits, const char *text, struct error *err)
{
	unsigned int first = endpoint_is_ipv4(out) ? 96 : 0, bits = port_parse(digits);

	if (!bits || bits > 128 - first)
		return error_set(err, -EINVAL, "'%.*s' has no valid prefix: write 10.0.0.0/8 or fd00::/64%s",
				 text_cut(text, 80), text, strcmp(digits, "0") ? "" : "; for everything, peers: all");
	if (has_bits_after(out->address, first + bits))
		return error_set(err, -EINVAL,
				 "'%.*s' is an address in a network: write the network's own, or no prefix",
				 text_cut(text, 80), text);
	out->prefix = (uint8_t)(first + bits);
	return 0;
}

static int parse_zone(struct endpoint *out, const struct parts *parts, const char *text, struct error *err)
{
	size_t length = (size_t)(parts->zone_end - parts->zone);

	if (!endpoint_is_link_local(out) || parts->prefix)
		return error_set(err, -EINVAL, "'%.*s': only a link-local address (fe80::…) has a zone",
				 text_cut(text, 80), text);
	if (!length || length >= sizeof(out->zone) || memchr(parts->zone, '%', length))
		return error_set(err, -EINVAL, "'%.*s' has no valid zone: write fe80::1%%DEVICE", text_cut(text, 80),
				 text);
	memcpy(out->zone, parts->zone, length);
	return 0;
}

int endpoint_parse_peer(struct endpoint *out, const char *text, struct error *err)
{
	struct endpoint parsed = {.prefix = 128};
	struct parts parts;
	int ret;

	if (!split(&parts, text))
		return error_set(err, -EINVAL, "'%.*s' is not an address: write [IPv6]:PORT", text_cut(text, 80), text);
	if (!address_parse(parsed.address, parts.address, (size_t)(parts.address_end - parts.address)))
		return error_set(err, -EINVAL,
				 "'%.*s' is neither an IP address (10.0.0.1, 10.0.0.1:2380, fd00::1, [fd00::1]:2380) "
				 "nor a host name",
				 text_cut(text, 80), text);
	if (parts.port && !ports_parse(&parsed.port, &parsed.last_port, parts.port))
		return error_set(err, -EINVAL, "'%.*s' has no valid port: write 1 to 65535, or a range like 2379-2380",
				 text_cut(text, 80), text);
	ret = parts.zone ? parse_zone(&parsed, &parts, text, err) : 0;
	if (!ret && parts.prefix)
		ret = parse_prefix(&parsed, parts.prefix, text, err);
	if (!ret)
		*out = parsed;
	return ret;
}

int endpoint_parse(struct endpoint *out, const char *text, struct error *err)
{
	struct endpoint parsed;
	int ret = endpoint_parse_peer(&parsed, text, err);

	if (ret)
		return ret;
	if (*parsed.zone)
		return error_set(err, -EINVAL, "'%.*s': only a peer may have a zone", text_cut(text, 80), text);
	*out = parsed;
	return 0;
}

/* Labels of letters, digits, '-' and '_'; the last one has a letter, so that it is no wrong IP address. */
static bool is_host_name(const char *text, size_t length)
{
	size_t label = 0;
	bool has_letter = false;

	for (size_t i = 0; i < length; i++) {
		char c = text[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (c == '.' ? !label : !letter && !(c >= '0' && c <= '9') && !strchr("-_", c))
			return false;
		/* A dot may end it: "pd." */
		if (c == '.' && i + 1 < length)
			has_letter = false;
		has_letter |= letter;
		label = c == '.' ? 0 : label + 1;
	}
	return has_letter;
}

bool host_name_parse(struct host_name *out, const char *text)
{
	const char *colon = strchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : strlen(text);
	struct host_name parsed = {};

	if (length >= sizeof(parsed.name) || !is_host_name(text, length))
		return false;
	if (colon && !ports_parse(&parsed.port, &parsed.last_port, colon + 1))
		return false;
	memcpy(parsed.name, text, length);
	*out = parsed;
	return true;
}

bool endpoint_from_bytes(struct endpoint *out, const void *bytes, size_t size)
{
	if (size != 4 && size != sizeof(out->address))
		return false;
	*out = (struct endpoint){.prefix = 128};
	memcpy(out->address, ipv4_prefix, sizeof(ipv4_prefix));
	memcpy(out->address + sizeof(out->address) - size, bytes, size);
	return true;
}

bool endpoint_from_sockaddr(struct endpoint *out, const struct sockaddr *sa)
{
	const void *any = sa;

	if (sa && sa->sa_family == AF_INET)
		return endpoint_from_bytes(out, &((const struct sockaddr_in *)any)->sin_addr, 4);
	return sa && sa->sa_family == AF_INET6 &&
	       endpoint_from_bytes(out, &((const struct sockaddr_in6 *)any)->sin6_addr, sizeof(out->address));
}

socklen_t endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
	struct sockaddr_in *four = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (endpoint_is_ipv4(endpoint)) {
		four->sin_family = AF_INET;
		four->sin_port = htons(endpoint->port);
		memcpy(&four->sin_addr, endpoint->address + sizeof(ipv4_prefix), sizeof(four->sin_addr));
		return sizeof(*four);
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(endpoint->port);
	memcpy(&six->sin6_addr, endpoint->address, sizeof(six->sin6_addr));
	return sizeof(*six);
}

unsigned int endpoint_port_count(const struct endpoint *endpoint)
{
	return endpoint->last_port ? endpoint->last_port - endpoint->port + 1U : 1;
}

bool endpoint_is_network(const struct endpoint *endpoint)
{
	return endpoint->prefix && endpoint->prefix < 128;
}

bool endpoint_covers(const struct endpoint *endpoint, const uint8_t address[16])
{
	unsigned int bits = endpoint_is_network(endpoint) ? endpoint->prefix : 128, rest = bits % 8;

	return !memcmp(endpoint->address, address, bits / 8) &&
	       (!rest || !((endpoint->address[bits / 8] ^ address[bits / 8]) >> (8 - rest)));
}

bool endpoint_is_ipv4(const struct endpoint *endpoint)
{
	return !memcmp(endpoint->address, ipv4_prefix, sizeof(ipv4_prefix));
}

bool endpoint_is_link_local(const struct endpoint *endpoint)
{
	return endpoint->address[0] == 0xfe && (endpoint->address[1] & 0xc0) == 0x80;
}

const char *endpoint_format(const struct endpoint *endpoint, char out[ENDPOINT_TEXT_SIZE])
{
	bool ipv4 = endpoint_is_ipv4(endpoint);
	char address[INET6_ADDRSTRLEN], ports[16];
	const char *percent = *endpoint->zone ? "%" : "";

	inet_ntop(ipv4 ? AF_INET : AF_INET6, endpoint->address + (ipv4 ? sizeof(ipv4_prefix) : 0), address,
		  sizeof(address));
	if (endpoint_is_network(endpoint))
		snprintf(out, ENDPOINT_TEXT_SIZE, "%s/%d", address, endpoint->prefix - (ipv4 ? 96 : 0));
	else if (!endpoint->port)
		snprintf(out, ENDPOINT_TEXT_SIZE, "%s%s%s", address, percent, endpoint->zone);
	snprintf(ports, sizeof(ports), endpoint->last_port ? "%u-%u" : "%u", endpoint->port, endpoint->last_port);
	if (endpoint->port)
		snprintf(out, ENDPOINT_TEXT_SIZE, ipv4 ? "%s%s%s:%s" : "[%s%s%s]:%s", address, percent, endpoint->zone,
			 ports);
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
