/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Round-trip times by ICMP echo, in milliseconds with microseconds, a line each in the order of sending; ping
 * itself rounds to 0.1 ms. Requests leave on schedule, whatever the answers do. Exits 1 if an answer is missing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "util/cleanup.h"
#include "util/clock.h"

#define COUNT_MAX 65000
#define LAST_ANSWER_NS (2 * NSEC_PER_SEC)

struct echo {
	uint64_t sent_ns, answered_ns; /* 0: not (yet) */
};

static uint16_t checksum(const void *data, size_t size)
{
	const uint16_t *words = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < size / 2; i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static int send_echo(int fd, uint16_t sequence)
{
	struct icmphdr icmp = {.type = ICMP_ECHO};

	icmp.un.echo.id = htons((uint16_t)getpid());
	icmp.un.echo.sequence = htons(sequence);
	icmp.checksum = checksum(&icmp, sizeof(icmp));
	return send(fd, &icmp, sizeof(icmp), 0) == sizeof(icmp) ? 0 : -errno;
}

static void receive_answers(int fd, struct echo *echoes, uint16_t sent)
{
	uint8_t buffer[256];
	ssize_t size;

	while ((size = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) {
		size_t offset = (size_t)(buffer[0] & 15) * 4;
		uint64_t now_ns = clock_monotonic_ns();
		struct icmphdr icmp;
		uint16_t sequence;

		if ((size_t)size < offset + sizeof(icmp))
			continue;
		memcpy(&icmp, buffer + offset, sizeof(icmp));
		sequence = ntohs(icmp.un.echo.sequence);
		if (icmp.type == ICMP_ECHOREPLY && icmp.un.echo.id == htons((uint16_t)getpid()) && sequence < sent)
			echoes[sequence].answered_ns = now_ns;
	}
}

/* Takes answers in until then. */
static void wait_until(int fd, uint64_t until_ns, struct echo *echoes, uint16_t sent)
{
	uint64_t now_ns;

	while ((now_ns = clock_monotonic_ns()) < until_ns) {
		struct pollfd poll = {.fd = fd, .events = POLLIN};
		struct timespec left = {.tv_sec = (time_t)((until_ns - now_ns) / NSEC_PER_SEC),
					.tv_nsec = (long)((until_ns - now_ns) % NSEC_PER_SEC)};

		if (ppoll(&poll, 1, &left, NULL) > 0)
			receive_answers(fd, echoes, sent);
	}
}

static int socket_open(const char *address)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	_cleanup_close_ int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

	if (fd < 0)
		return -errno;
	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		return -EINVAL;
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)))
		return -errno;
	return TAKE_FD(fd);
}

static int print_answers(const struct echo *echoes, uint16_t count)
{
	unsigned int lost = 0;

	for (uint16_t i = 0; i < count; i++) {
		if (echoes[i].answered_ns)
			printf("%.3f\n", (double)(echoes[i].answered_ns - echoes[i].sent_ns) / (double)NSEC_PER_MSEC);
		else
			lost++;
	}
	if (lost)
		fprintf(stderr, "rtt: %u of %u answers are missing\n", lost, count);
	return lost ? 1 : 0;
}

int main(int argc, char **argv)
{
	_cleanup_free_ struct echo *echoes = NULL;
	_cleanup_close_ int fd = -1;
	long count, interval_ms;
	uint64_t next_ns;

	if (argc != 4 || (count = atol(argv[2])) < 1 || count > COUNT_MAX || (interval_ms = atol(argv[3])) < 1) {
		fprintf(stderr, "usage: rtt IPV4_ADDRESS COUNT INTERVAL_MS\n");
		return 2;
	}
	fd = socket_open(argv[1]);
	echoes = calloc((size_t)count, sizeof(*echoes));
	if (fd < 0 || !echoes) {
		fprintf(stderr, "rtt: %s: %s\n", argv[1], strerror(fd < 0 ? -fd : ENOMEM));
		return 2;
	}
	/* What is measured is the line, not how busy the machine is. */
	prctl(PR_SET_TIMERSLACK, 1);
	setpriority(PRIO_PROCESS, 0, -20);
	next_ns = clock_monotonic_ns();
	for (long i = 0; i < count; i++) {
		echoes[i].sent_ns = clock_monotonic_ns();
		if (send_echo(fd, (uint16_t)i)) {
			fprintf(stderr, "rtt: send: %s\n", strerror(errno));
			return 2;
		}
		next_ns += (uint64_t)interval_ms * NSEC_PER_MSEC;
		wait_until(fd, next_ns, echoes, (uint16_t)(i + 1));
	}
	next_ns = clock_monotonic_ns() + LAST_ANSWER_NS;
	while (!echoes[count - 1].answered_ns && clock_monotonic_ns() < next_ns)
		wait_until(fd, clock_monotonic_ns() + NSEC_PER_MSEC, echoes, (uint16_t)count);
	return print_answers(echoes, (uint16_t)count);
}
