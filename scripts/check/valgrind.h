/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* For the valgrind build alone: valgrind does not know clone3, so a command's process comes from fork. */
#pragma once

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline long plain_clone(const struct clone_args *args, ...)
{
	pid_t pid = fork();

	if (!pid && args->flags & CLONE_INTO_CGROUP) {
		int fd = openat((int)args->cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);

		if (write(fd, "0", 1) != 1)
			_exit(127);
		close(fd);
	}
	if (pid > 0)
		*(int *)(unsigned long)args->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return pid;
}
#define syscall(number, first, ...) \
	((number) == SYS_clone3 ? plain_clone((const void *)(unsigned long)(first)) \
				: syscall(number, first, __VA_ARGS__))
