/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A tunnel like a VPN's, without its secrets: tunnel DEVICE OWN PEER PORT makes the TUN device DEVICE, which has no
 * Ethernet header, and carries its packets in UDP between the addresses OWN and PEER. Prints "ready". Runs until it is
 * ended.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int tun_open(const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return fd < 0 || ioctl(fd, TUNSETIFF, &ifr) ? -1 : fd;
}

static int udp_open(const char *own, const char *peer, const char *port)
{
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))}, to = from;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (inet_pton(AF_INET, own, &from.sin_addr) != 1 || inet_pton(AF_INET, peer, &to.sin_addr) != 1)
		return -1;
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return -1;
	return fd;
}

/* One packet. An error on the way is a lost packet. */
static void carry(int from, int to)
{
	static char packet[65536];
	ssize_t size = read(from, packet, sizeof(packet));

	if (size > 0 && write(to, packet, (size_t)size) < 0)
		return;
}

int main(int argc, char **argv)
{
	struct pollfd fds[2] = {{.events = POLLIN}, {.events = POLLIN}};

	if (argc != 5) {
		fprintf(stderr, "usage: tunnel DEVICE OWN PEER PORT\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, 9);
	fds[0].fd = tun_open(argv[1]);
	fds[1].fd = udp_open(argv[2], argv[3], argv[4]);
	if (fds[0].fd < 0 || fds[1].fd < 0) {
		perror("tunnel");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while (poll(fds, 2, -1) > 0)
		for (unsigned int i = 0; i < 2; i++)
			if (fds[i].revents)
				carry(fds[i].fd, fds[!i].fd);
	return 1;
}
