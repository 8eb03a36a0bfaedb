/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/pidfd.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

int pidfd_of(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

static int send_signal(int pidfd, int signal_number, unsigned int flags)
{
	return syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, flags) ? -errno : 0;
}

int pidfd_signal(int pidfd, int signal_number)
{
	return send_signal(pidfd, signal_number, 0);
}

int pidfd_signal_group(int pidfd, int signal_number)
{
	const unsigned int process_group = 1U << 2; /* PIDFD_SIGNAL_PROCESS_GROUP, newer than our headers */

	return send_signal(pidfd, signal_number, process_group);
}
