/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Traffic for the network tests, over IPv4 and IPv6.
 *   traffic serve PORT…            echoes TCP and UDP; prints a line per datagram: "udp PORT SIZE good|bad"
 *   traffic reach ADDR…            connects to all at once, waits for one byte to come back; prints "ADDR yes|no"
 *   traffic flow ADDR              one connection, a counter every interval; prints "echo N RTT_US" for each echo
 *   traffic bulk ADDR              sends SIZE bytes and checks the echo byte for byte
 *   traffic datagrams ADDR         sends COUNT datagrams of SIZE bytes, one every interval
 * Options: -p PORT -n COUNT -s SIZE -i INTERVAL_US -t TIMEOUT_MS -m MARK -q PRIORITY
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS_MAX 512
#define CHUNK 65536

static struct {
	uint16_t port;
	size_t count, size;
	uint64_t interval_us, timeout_ms;
	int mark, priority;
} option = {.port = 7000, .count = 100, .size = 100, .interval_us = 10000, .timeout_ms = 1000};

static uint8_t buffer[CHUNK];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Returns byte n of a stream; a shift, a repeat or a swap changes the pattern. */
static uint8_t pattern(uint64_t n)
{
	return (uint8_t)((n * 0x9e3779b97f4a7c15ULL) >> 56);
}

static struct sockaddr_in6 address_of(const char *text, uint16_t port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	char mapped[80];

	snprintf(mapped, sizeof(mapped), "%s%s", strchr(text, ':') ? "" : "::ffff:", text);
	if (inet_pton(AF_INET6, mapped, &address.sin6_addr) != 1) {
		fprintf(stderr, "traffic: no address: %s\n", text);
		exit(2);
	}
	return address;
}

static int socket_new(int type)
{
	int fd = socket(AF_INET6, type, 0);

	if (fd < 0)
		die("socket");
	if (option.mark && setsockopt(fd, SOL_SOCKET, SO_MARK, &option.mark, sizeof(option.mark)))
		die("SO_MARK");
	if (option.priority && setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &option.priority, sizeof(option.priority)))
		die("SO_PRIORITY");
	return fd;
}

static int socket_listen(int type, uint16_t port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket_new(type), one = 1, room = 8 << 20;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) || ((type & SOCK_STREAM) && listen(fd, 128)))
		die("bind");
	return fd;
}

/* Nagle's algorithm would add to the delays. */
static int socket_nodelay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static int socket_connect(const char *text)
{
	struct sockaddr_in6 address = address_of(text, option.port);
	int fd = socket_nodelay(socket_new(SOCK_STREAM));

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		die("connect");
	return fd;
}

/* --- serve --- */

static void datagram_receive(int fd, uint16_t port)
{
	struct sockaddr_in6 from;
	socklen_t from_size = sizeof(from);
	ssize_t size = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &from_size);
	bool good = true;

	if (size < 0)
		return;
	for (ssize_t i = 0; i < size; i++)
		good = good && buffer[i] == pattern((uint64_t)i);
	printf("udp %u %zd %s\n", port, size, good ? "good" : "bad");
	sendto(fd, buffer, (size_t)size, 0, (struct sockaddr *)&from, from_size);
}

/* Returns false if the connection is over. Runs without a child per connection, which would need a cleanup. */
static bool stream_echo(int fd)
{
	ssize_t size = recv(fd, buffer, sizeof(buffer), 0), sent = 0;

	while (size > 0 && sent < size) {
		ssize_t part = send(fd, buffer + sent, (size_t)(size - sent), MSG_NOSIGNAL);

		if (part < 0)
			return false;
		sent += part;
	}
	return size > 0;
}

static void __attribute__((noreturn)) serve(char **ports)
{
	struct pollfd fds[SOCKETS_MAX] = {};
	uint16_t port_of[SOCKETS_MAX];
	nfds_t fixed = 0, count;

	for (; *ports; ports++) {
		for (int i = 0; i < 2; i++) {
			port_of[fixed] = (uint16_t)atoi(*ports);
			fds[fixed].fd = socket_listen(i ? SOCK_DGRAM : SOCK_STREAM, port_of[fixed]);
			fds[fixed++].events = POLLIN;
		}
	}
	count = fixed;
	puts("ready");
	for (;;) {
		if (poll(fds, count, -1) < 0)
			die("poll");
		for (nfds_t i = count; i-- > fixed;) {
			if (!fds[i].revents || stream_echo(fds[i].fd))
				continue;
			close(fds[i].fd);
			fds[i] = fds[--count];
		}
		for (nfds_t i = 0; i < fixed; i++) {
			if (!fds[i].revents)
				continue;
			if (i % 2)
				datagram_receive(fds[i].fd, port_of[i]);
			else if (count < SOCKETS_MAX)
				fds[count++] = (struct pollfd){.fd = socket_nodelay(accept(fds[i].fd, NULL, NULL)),
							       .events = POLLIN};
		}
	}
}

/* --- reach --- */

struct attempt {
	const char *text;
	bool sent, done;
};

static void attempt_go_on(struct attempt *attempt, struct pollfd *fd)
{
	char byte = 'x';

	if (!attempt->sent) {
		attempt->sent = send(fd->fd, &byte, 1, MSG_NOSIGNAL) == 1;
		fd->events = POLLIN;
		if (!attempt->sent)
			fd->fd = -1;
	} else {
		attempt->done = recv(fd->fd, &byte, 1, 0) == 1;
		fd->fd = -1;
	}
}

static int reach(char **texts)
{
	struct attempt attempts[SOCKETS_MAX] = {};
	struct pollfd fds[SOCKETS_MAX];
	uint64_t end_us = now_us() + option.timeout_ms * 1000;
	nfds_t count = 0, open;

	for (; *texts; texts++, count++) {
		struct sockaddr_in6 address = address_of(*texts, option.port);
		int fd = socket_new(SOCK_STREAM | SOCK_NONBLOCK);

		attempts[count].text = *texts;
		fds[count] = (struct pollfd){.fd = fd, .events = POLLOUT};
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) && errno != EINPROGRESS)
			fds[count].fd = -1;
	}
	do {
		uint64_t at_us = now_us();

		if (at_us >= end_us || poll(fds, count, (int)((end_us - at_us) / 1000) + 1) < 0)
			break;
		open = 0;
		for (nfds_t i = 0; i < count; i++) {
			if (fds[i].fd >= 0 && fds[i].revents)
				attempt_go_on(&attempts[i], &fds[i]);
			open += fds[i].fd >= 0;
		}
	} while (open);
	for (nfds_t i = 0; i < count; i++)
		printf("%s %s\n", attempts[i].text, attempts[i].done ? "yes" : "no");
	return 0;
}

/* --- flow, bulk, datagrams --- */

static int flow(const char *text)
{
	struct pollfd fd = {.fd = socket_connect(text), .events = POLLIN};
	uint64_t next_us = now_us();
	uint64_t message[2] = {}, echo[2];
	size_t have = 0;

	for (;;) {
		uint64_t at_us = now_us();

		if (at_us >= next_us) {
			message[0]++;
			message[1] = at_us;
			if (send(fd.fd, message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
				break;
			next_us += option.interval_us;
			continue;
		}
		if (poll(&fd, 1, (int)((next_us - at_us) / 1000)) <= 0)
			continue;
		ssize_t size = recv(fd.fd, (char *)echo + have, sizeof(echo) - have, 0);

		if (size <= 0)
			break;
		have += (size_t)size;
		if (have == sizeof(echo)) {
			printf("echo %llu %llu\n", (unsigned long long)echo[0],
			       (unsigned long long)(now_us() - echo[1]));
			have = 0;
		}
	}
	printf("closed: %s\n", strerror(errno));
	return 1;
}

static int bulk(const char *text)
{
	struct pollfd fd = {.fd = socket_connect(text), .events = POLLIN | POLLOUT};
	uint64_t begin_us = now_us();
	static uint8_t out[CHUNK];
	size_t sent = 0, got = 0;

	while (got < option.size) {
		if (poll(&fd, 1, (int)option.timeout_ms) <= 0) {
			printf("stalled at %zu of %zu bytes\n", got, option.size);
			return 1;
		}
		if (fd.revents & POLLOUT) {
			size_t part = option.size - sent < CHUNK ? option.size - sent : CHUNK;
			ssize_t size;

			for (size_t i = 0; i < part; i++)
				out[i] = pattern(sent + i);
			size = send(fd.fd, out, part, MSG_NOSIGNAL | MSG_DONTWAIT);
			if (size > 0)
				sent += (size_t)size;
			if (sent == option.size)
				fd.events = POLLIN;
		}
		if (fd.revents & ~POLLOUT) {
			ssize_t size = recv(fd.fd, buffer, sizeof(buffer), MSG_DONTWAIT);

			if (!size || (size < 0 && errno != EAGAIN))
				die("recv");
			for (ssize_t i = 0; i < size; i++) {
				if (buffer[i] == pattern(got + (size_t)i))
					continue;
				printf("byte %zu is wrong\n", got + (size_t)i);
				return 1;
			}
			got += size > 0 ? (size_t)size : 0;
		}
	}
	printf("%zu bytes in %llu us\n", got, (unsigned long long)(now_us() - begin_us));
	return 0;
}

static int datagrams(const char *text)
{
	struct sockaddr_in6 address = address_of(text, option.port);
	int fd = socket_new(SOCK_DGRAM);
	uint64_t next_us = now_us();

	if (option.size > sizeof(buffer))
		return 2;
	for (size_t i = 0; i < option.size; i++)
		buffer[i] = pattern(i);
	for (size_t i = 0; i < option.count; i++, next_us += option.interval_us) {
		uint64_t at_us = now_us();

		if (at_us < next_us)
			usleep((useconds_t)(next_us - at_us));
		/* Goes on after an error, because the receiver's count shows the loss. */
		sendto(fd, buffer, option.size, 0, (struct sockaddr *)&address, sizeof(address));
	}
	return 0;
}

static void parse_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "p:n:s:i:t:m:q:")) != -1) {
		unsigned long value = optarg ? strtoul(optarg, NULL, 0) : 0;

		switch (c) {
		case 'p':
			option.port = (uint16_t)value;
			break;
		case 'n':
			option.count = value;
			break;
		case 's':
			option.size = value;
			break;
		case 'i':
			option.interval_us = value;
			break;
		case 't':
			option.timeout_ms = value;
			break;
		case 'm':
			option.mark = (int)value;
			break;
		case 'q':
			option.priority = (int)value;
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	parse_options(argc - 1, argv + 1);
	argv += 1 + optind;
	if (!strcmp(what, "serve") && *argv)
		serve(argv);
	if (!strcmp(what, "reach") && *argv)
		return reach(argv);
	if (!strcmp(what, "flow") && *argv)
		return flow(*argv);
	if (!strcmp(what, "bulk") && *argv)
		return bulk(*argv);
	if (!strcmp(what, "datagrams") && *argv)
		return datagrams(*argv);
	fprintf(stderr, "usage: traffic serve|reach|flow|bulk|datagrams [OPTION…] ADDR…\n");
	return 2;
}
