/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Measures what a packet costs its sender: sends small datagrams back to back for a time and prints the nanoseconds per
 * datagram, as the median over short bursts, because a preemption of the sender affects only few bursts.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "util/cleanup.h"
#include "util/clock.h"

#define BURST_PACKETS 16
#define BURSTS_MAX (1 << 20)

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void send_burst(int fd)
{
	static const char payload[64];

	for (int i = 0; i < BURST_PACKETS; i++) {
		if (send(fd, payload, sizeof(payload), 0) == (ssize_t)sizeof(payload))
			continue;
		fprintf(stderr, "send_cost: send: %s\n", strerror(errno));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	_cleanup_free_ uint64_t *bursts_ns = calloc(BURSTS_MAX, sizeof(*bursts_ns));
	uint64_t begin_ns, at_ns, end_ns;
	size_t count = 0, middle;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || atol(argv[2]) < 1) {
		fprintf(stderr, "usage: send_cost IPV4_ADDRESS MILLISECONDS\n");
		return 2;
	}
	if (fd < 0 || !bursts_ns || connect(fd, (const struct sockaddr *)&to, sizeof(to))) {
		fprintf(stderr, "send_cost: %s\n", strerror(errno));
		return 1;
	}
	begin_ns = at_ns = clock_monotonic_ns();
	while (at_ns - begin_ns < (uint64_t)atol(argv[2]) * NSEC_PER_MSEC && count < BURSTS_MAX) {
		send_burst(fd);
		end_ns = clock_monotonic_ns();
		bursts_ns[count++] = end_ns - at_ns;
		at_ns = end_ns;
	}
	qsort(bursts_ns, count, sizeof(*bursts_ns), compare);
	middle = count / 2;
	printf("%.1f\n", (double)bursts_ns[middle] / BURST_PACKETS);
	return 0;
}
