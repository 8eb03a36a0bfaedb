/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "net/socket.h"

#include <errno.h>
#include <sys/socket.h>

int socket_open_reset(int family, int type, int protocol)
{
	const struct linger at_once = {.l_onoff = 1};
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	return fd;
}
