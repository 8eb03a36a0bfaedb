/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The default gateways of the calling thread's network namespace: cutting one off takes more down than its link. */
#include "target_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "util/cleanup.h"

static const struct endpoint *peer_find(const struct target *target, const uint8_t address[16])
{
	for (size_t i = 0; i < target->peer_count; i++)
		if (!memcmp(target->peers[i].address, address, sizeof(target->peers[i].address)))
			return &target->peers[i];
	return NULL;
}

/* A kernel without the protocol has no routes of it. */
static int without_absent(int code)
{
	return code == -ENOENT ? 0 : code;
}

/* "eth0 00000000 010200C0 …": destination and gateway as the numbers that the kernel holds in network order. */
static int find_ipv4(const struct target *target, const struct endpoint **found)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/thread-self/net/route", "re");
	char line[512];

	if (!f)
		return without_absent(-errno);
	while (!*found && fgets(line, sizeof(line), f)) {
		uint8_t address[16] = {[10] = 0xff, [11] = 0xff};
		uint32_t destination, gateway;

		if (sscanf(line, "%*s %" SCNx32 " %" SCNx32, &destination, &gateway) != 2 || destination || !gateway)
			continue;
		memcpy(address + 12, &gateway, sizeof(gateway));
		*found = peer_find(target, address);
	}
	return ferror(f) ? -EIO : 0;
}

/* Destination, its prefix length, source, its prefix length, next hop …, all in hexadecimal. */
static int find_ipv6(const struct target *target, const struct endpoint **found)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/thread-self/net/ipv6_route", "re");
	char line[512];

	if (!f)
		return without_absent(-errno);
	while (!*found && fgets(line, sizeof(line), f)) {
		unsigned int prefix_length;
		uint8_t address[16];
		char hop[33];
		size_t i = 0;

		if (sscanf(line, "%*32s %x %*32s %*x %32s", &prefix_length, hop) != 2 || prefix_length)
			continue;
		while (i < sizeof(address) && sscanf(hop + 2 * i, "%2" SCNx8, &address[i]) == 1)
			i++;
		if (i == sizeof(address))
			*found = peer_find(target, address);
	}
	return ferror(f) ? -EIO : 0;
}

int target_refuse_gateway(const struct target *target, struct error *err)
{
	const struct endpoint *gateway = NULL;
	char text[ENDPOINT_TEXT_SIZE];
	int ret = find_ipv4(target, &gateway) ?: find_ipv6(target, &gateway);

	if (ret)
		return error_set_errno(err, ret, "cannot find the default gateway, which must not be touched");
	if (!gateway)
		return 0;
	return error_set(err, -EPERM,
			 "peer %s is this host's default gateway: the fault could lock you out; leave it out, or "
			 "allow: [gateway]",
			 endpoint_format(gateway, text));
}
