/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ICMP echo over a raw IPv4 socket, for measuring tools; requests are numbered from 0 to 65535. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip_icmp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/cleanup.h"

static inline int echo_open(const char *address)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	_cleanup_close_ int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);

	if (fd < 0)
		return -errno;
	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		return -EINVAL;
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)))
		return -errno;
	return TAKE_FD(fd);
}

static inline uint16_t echo_checksum(const void *data, size_t size)
{
	const uint16_t *words = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < size / 2; i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static inline int echo_send(int fd, uint16_t number)
{
	struct icmphdr icmp;

	memset(&icmp, 0, sizeof(icmp));
	icmp.type = ICMP_ECHO;
	icmp.un.echo.id = htons((uint16_t)getpid());
	icmp.un.echo.sequence = htons(number);
	icmp.checksum = echo_checksum(&icmp, sizeof(icmp));
	return send(fd, &icmp, sizeof(icmp), 0) == sizeof(icmp) ? 0 : -errno;
}

/* Returns the number of the next answered request, or -1 if no answer is waiting. */
static inline int echo_receive(int fd)
{
	uint8_t buffer[256];
	ssize_t size;

	while ((size = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) {
		size_t offset = (size_t)(buffer[0] & 15) * 4;
		struct icmphdr icmp;

		if ((size_t)size < offset + sizeof(icmp))
			continue;
		memcpy(&icmp, buffer + offset, sizeof(icmp));
		if (icmp.type == ICMP_ECHOREPLY && icmp.un.echo.id == htons((uint16_t)getpid()))
			return ntohs(icmp.un.echo.sequence);
	}
	return -1;
}
